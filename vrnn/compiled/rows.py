"""Element-wise operations over the rows of tables, and how functions written in LLVM IR are given to numba.

An operation finds its operands in a table of int64, three numbers each: the address of the first element, and the
bytes from a row to the next and from a time step to the next. What it reads comes first, then what it writes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numba.core.types as nb
from llvmlite import ir
from numba.extending import intrinsic

from vrnn.compiled.vectors import I64, KINDS, Kind, Vector, load, mask_of, sigmoid, softplus, store, tanh

OPERAND = 3  # numbers that an operand takes in the table
Emit = Callable[[ir.IRBuilder, Kind, Sequence[ir.Value]], None]


def function(name: str, count: int, emit: Emit) -> Any:
    """A function for compiled code: of `count` int64 and a number whose type says which kind of vectors it works on."""

    def typed(_: Any, *arguments: Any) -> tuple[Any, Any]:
        kind = KINDS[arguments[-1].name]

        def generate(context: Any, builder: ir.IRBuilder, _: Any, values: Sequence[ir.Value]) -> Any:
            known = builder.module.globals.get(f"{name}_{kind.name}")
            builder.call(known or defined(builder.module, f"{name}_{kind.name}", count, kind, emit), values[:-1])
            return context.get_dummy_value()

        return nb.void(*[nb.int64] * count, arguments[-1]), generate

    names = ", ".join([*(f"a{number}" for number in range(count)), "like"])
    space: dict[str, Any] = {"typed": typed}
    exec(f"def {name}(context, {names}):\n    return typed(context, {names})", space)  # numba reads the signature
    return intrinsic(space[name])


def defined(module: ir.Module, name: str, count: int, kind: Kind, emit: Emit) -> ir.Function:
    """The function's own code in the module, so that it is compiled once however often it is called."""
    made = ir.Function(module, ir.FunctionType(ir.VoidType(), [I64] * count), name)
    made.linkage = "internal"
    made.attributes.add("noinline")
    made.attributes.add("nounwind")
    b = ir.IRBuilder(made.append_basic_block("entry"))
    emit(b, kind, made.args)
    b.ret_void()
    return made


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


def each(name: str, reads: int, writes: int, body: Callable[..., Sequence[Vector]]) -> Any:
    """A function of (table of operands, time step, rows, columns): `body` for every vector of every row."""

    def emit(b: ir.IRBuilder, kind: Kind, arguments: Sequence[ir.Value]) -> None:
        table, time, rows, columns = arguments

        def number(place: int) -> ir.Value:
            return b.load(b.inttoptr(b.add(table, I64(8 * place)), I64.as_pointer()))

        entries = [[number(OPERAND * n + part) for part in range(OPERAND)] for n in range(reads + writes)]
        bases = [b.add(base, b.mul(step, time)) for base, _, step in entries]
        zero, one, lanes = I64(0), I64(1), I64(kind.lanes)
        whole = b.mul(b.sdiv(columns, lanes), lanes)
        with Loop(b, zero, rows, one) as row:
            starts = [b.add(base, b.mul(stride, row)) for base, (_, stride, _) in zip(bases, entries, strict=True)]

            def vectors(column: ir.Value, mask: ir.Value | None) -> None:
                at = b.mul(column, I64(kind.size))
                places = [b.add(start, at) for start in starts]
                found = body(*(load(b, kind, place, mask) for place in places[:reads]))
                for place, vector in zip(places[reads:], found, strict=True):
                    store(b, kind, vector, place, mask)

            with Loop(b, zero, whole, lanes) as column:
                vectors(column, None)
            with b.if_then(b.icmp_signed("<", whole, columns)):
                vectors(whole, mask_of(b, kind, b.sub(columns, whole)))

    return function(name, 4, emit)


def _gru(new_of_h: Vector, reset: Vector, update: Vector, new: Vector, before: Vector) -> tuple[Vector, ...]:
    reset, update = sigmoid(reset), sigmoid(update)
    new = tanh(reset.fma(new_of_h, new))
    return reset, update, new, update.fma(before - new, new)


def _of_gru(
    grad: Vector, new_of_h: Vector, reset: Vector, update: Vector, new: Vector, before: Vector, other: Vector
) -> tuple[Vector, ...]:
    of_update = grad * (before - new) * update * (1.0 - update)
    of_new = grad * (1.0 - update) * (1.0 - new * new)
    of_reset = of_new * new_of_h * reset * (1.0 - reset)
    return of_new * reset, of_reset, of_update, of_new, grad.fma(update, other)


def _lstm(enter: Vector, forget: Vector, new: Vector, leave: Vector, before: Vector) -> tuple[Vector, ...]:
    enter, forget, new, leave = sigmoid(enter), sigmoid(forget), tanh(new), sigmoid(leave)
    cell = enter.fma(new, forget * before)
    return enter, forget, leave, new, leave * tanh(cell), cell


def _of_lstm(
    of_h: Vector,
    of_cell: Vector,
    enter: Vector,
    forget: Vector,
    new: Vector,
    leave: Vector,
    before: Vector,
    after: Vector,
    other: Vector,
) -> tuple[Vector, ...]:
    squashed = tanh(after)
    of_cell = (of_h * leave).fma(1.0 - squashed * squashed, of_cell)
    of_enter = of_cell * new * enter * (1.0 - enter)
    of_forget = of_cell * before * forget * (1.0 - forget)
    of_new = of_cell * enter * (1.0 - new * new)
    of_leave = of_h * squashed * leave * (1.0 - leave)
    return of_enter, of_forget, of_new, of_leave, of_cell.fma(forget, other)


def _draw(mean: Vector, raw: Vector, noise: Vector, least: Vector) -> tuple[Vector, ...]:
    return ((softplus(raw) + least).fma(noise, mean),)


def _of_draw(grad: Vector, of_mean: Vector, of_raw: Vector, raw: Vector, noise: Vector) -> tuple[Vector, ...]:
    return grad + of_mean, (grad * noise).fma(sigmoid(raw), of_raw)


def _of_relu(grad: Vector, seen: Vector) -> tuple[Vector, ...]:
    return (seen.where("<=", 0.0, 0.0, grad),)


gru = each("gru", 5, 4, _gru)
of_gru = each("of_gru", 7, 5, _of_gru)
lstm = each("lstm", 5, 6, _lstm)
of_lstm = each("of_lstm", 9, 5, _of_lstm)
draw = each("draw", 4, 1, _draw)
of_draw = each("of_draw", 5, 2, _of_draw)
of_relu = each("of_relu", 2, 1, _of_relu)
