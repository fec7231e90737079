"""Functions and loops in LLVM IR."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from llvmlite import ir

from vrnn.compiled.vectors import I64

Emit = Callable[[ir.IRBuilder, Sequence[ir.Value]], None]


def function(module: ir.Module, name: str, count: int, emit: Emit, *, exported: bool = False) -> ir.Function:
    """A function of `count` int64 that returns nothing; `emit(builder, arguments)` emits what it does."""
    made = ir.Function(module, ir.FunctionType(ir.VoidType(), [I64] * count), name)
    made.linkage = "external" if exported else "internal"
    made.attributes.add("noinline")
    made.attributes.add("nounwind")
    b = ir.IRBuilder(made.append_basic_block("entry"))
    emit(b, made.args)
    b.ret_void()
    return made


def numbers(b: ir.IRBuilder, address: ir.Value, places: Sequence[int]) -> list[ir.Value]:
    """The int64 at these places of a table."""
    return [b.load(b.inttoptr(b.add(address, I64(8 * place)), I64.as_pointer())) for place in places]


def smaller(b: ir.IRBuilder, one: ir.Value, other: ir.Value) -> ir.Value:
    return b.select(b.icmp_signed("<", one, other), one, other)


def multiple(b: ir.IRBuilder, value: ir.Value, unit: int) -> ir.Value:
    """The largest multiple of a unit that is not larger."""
    return b.mul(b.sdiv(value, I64(unit)), I64(unit))


class Loop:
    """`for i in range(start, stop, step)`, step > 0, as a context whose value is i; it can carry values along.

    Args:
      start, stop, step: int64.
      carried: values before the first turn; `self.carried` are those of a turn, and after the loop those of the last.
    """

    def __init__(
        self, b: ir.IRBuilder, start: ir.Value, stop: ir.Value, step: ir.Value, carried: Sequence[ir.Value] = ()
    ):
        self.b, self.start, self.stop, self.step, self.first = b, start, stop, step, carried

    def __enter__(self) -> ir.Value:
        b, before = self.b, self.b.block
        self.head, body, self.done = (b.append_basic_block(name) for name in ("head", "body", "done"))
        b.branch(self.head)
        b.position_at_end(self.head)
        self.index, *self.carried = [b.phi(value.type) for value in (self.start, *self.first)]
        for phi, value in zip((self.index, *self.carried), (self.start, *self.first), strict=True):
            phi.add_incoming(value, before)
        self.following: Sequence[ir.Value] = self.carried
        b.cbranch(b.icmp_signed("<", self.index, self.stop), body, self.done)
        b.position_at_end(body)
        return self.index

    def carry(self, values: Sequence[ir.Value]) -> None:
        """The carried values of the next turn."""
        self.following = values

    def __exit__(self, *_: object) -> None:
        b = self.b
        following = (b.add(self.index, self.step), *self.following)
        for phi, value in zip((self.index, *self.carried), following, strict=True):
            phi.add_incoming(value, b.block)
        b.branch(self.head)
        b.position_at_end(self.done)
