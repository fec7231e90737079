"""Vector arithmetic as LLVM IR, and the element-wise functions that a recurrence is made of, in float32 and float64.

A vector has as many elements as 64 bytes hold; where registers are narrower, LLVM splits it. float32 has its own exp,
tanh and softplus, within about two units in the last place; float64 takes those of the C library, lane by lane: it is
there to prove the gradients, not to be fast.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from llvmlite import ir

I1, I32, I64 = ir.IntType(1), ir.IntType(32), ir.IntType(64)
FLAGS = ("contract",)  # a NaN stays one, since a loss that is none must be seen


class Kind(NamedTuple):
    """A type of floating-point numbers, and the vectors of it.

    Attributes:
      name: float32 or float64.
      element: its LLVM type.
      size: bytes of an element.
    """

    name: str
    element: ir.Type
    size: int

    @property
    def lanes(self) -> int:
        """Elements of a vector."""
        return 64 // self.size

    @property
    def vector(self) -> ir.VectorType:
        return ir.VectorType(self.element, self.lanes)

    @property
    def suffix(self) -> str:
        """What LLVM appends to the names of its functions of such vectors."""
        return f"v{self.lanes}f{8 * self.size}"


KINDS = {kind.name: kind for kind in (Kind("float32", ir.FloatType(), 4), Kind("float64", ir.DoubleType(), 8))}


def call(b: ir.IRBuilder, name: str, result: ir.Type, *arguments: ir.Value) -> ir.Value:
    """Calls a function of the module, which is declared where it is not yet."""
    declared = b.module.globals.get(name)
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    return b.call(declared or ir.Function(b.module, kind, name), arguments)


def splat(b: ir.IRBuilder, kind: Kind, value: ir.Value) -> ir.Value:
    """A vector of one value."""
    nothing = ir.Constant(kind.vector, ir.Undefined)
    first = b.insert_element(nothing, value, ir.Constant(I32, 0))
    return b.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(I32, kind.lanes), [0] * kind.lanes))


class Vector:
    """Elements side by side, with the builder that emits what is done to them."""

    def __init__(self, b: ir.IRBuilder, kind: Kind, value: ir.Value):
        self.b, self.kind, self.value = b, kind, value

    def of(self, other: Vector | float) -> ir.Value:
        if isinstance(other, Vector):
            return other.value
        return ir.Constant(self.kind.vector, [float(other)] * self.kind.lanes)

    def new(self, value: ir.Value) -> Vector:
        return Vector(self.b, self.kind, value)

    def __add__(self, other: Vector | float) -> Vector:
        return self.new(self.b.fadd(self.value, self.of(other), flags=FLAGS))

    def __sub__(self, other: Vector | float) -> Vector:
        return self.new(self.b.fsub(self.value, self.of(other), flags=FLAGS))

    def __rsub__(self, other: float) -> Vector:
        return self.new(self.b.fsub(self.of(other), self.value, flags=FLAGS))

    def __mul__(self, other: Vector | float) -> Vector:
        return self.new(self.b.fmul(self.value, self.of(other), flags=FLAGS))

    def __truediv__(self, other: Vector | float) -> Vector:
        return self.new(self.b.fdiv(self.value, self.of(other), flags=FLAGS))

    def __rtruediv__(self, other: float) -> Vector:
        return self.new(self.b.fdiv(self.of(other), self.value, flags=FLAGS))

    def fma(self, factor: Vector | float, summand: Vector | float) -> Vector:
        """self factor + summand, rounded once."""
        name = f"llvm.fma.{self.kind.suffix}"
        return self.new(call(self.b, name, self.kind.vector, self.value, self.of(factor), self.of(summand)))

    def where(self, compare: str, bound: Vector | float, yes: Vector | float, no: Vector | float) -> Vector:
        """yes where `self compare bound`, else no; a NaN compares with nothing."""
        test = self.b.fcmp_ordered(compare, self.value, self.of(bound))
        return self.new(self.b.select(test, self.of(yes), self.of(no)))

    def at_least(self, bound: Vector | float) -> Vector:
        return self.where("<", bound, bound, self)

    def at_most(self, bound: Vector | float) -> Vector:
        return self.where(">", bound, bound, self)

    def apply(self, name: str) -> Vector:
        """LLVM's own function of a vector."""
        return self.new(call(self.b, f"llvm.{name}.{self.kind.suffix}", self.kind.vector, self.value))

    def by_lanes(self, name: str) -> Vector:
        """A function of the C library, element by element."""
        found = self.value
        for lane in range(self.kind.lanes):
            place = ir.Constant(I32, lane)
            element = call(self.b, name, self.kind.element, self.b.extract_element(self.value, place))
            found = self.b.insert_element(found, element, place)
        return self.new(found)


def horner(x: Vector, coefficients: Sequence[float]) -> Vector:
    """The polynomial with these coefficients, that of the highest power first."""
    found = x.new(x.of(coefficients[0]))
    for coefficient in coefficients[1:]:
        found = found.fma(x, coefficient)
    return found


def exp(x: Vector) -> Vector:
    """exp x, float32 as in the Cephes library; what would overflow or underflow is cut to what does not."""
    if x.kind.name == "float64":
        return x.by_lanes("exp")
    x = x.at_most(88.3).at_least(-87.3)
    n = (x * 1.44269504088896341).apply("rint")
    r = n.fma(2.12194440e-4, n.fma(-0.693359375, x))
    p = horner(
        r, [1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1]
    )
    y = p.fma(r * r, r) + 1.0
    b, integers = x.b, ir.VectorType(I32, x.kind.lanes)
    # A NaN has no integer: of it any may be taken, since y is NaN already.
    whole = b.fptosi(n.where("ord", n, n, 0.0).value, integers)
    exponent = b.add(whole, ir.Constant(integers, [127] * x.kind.lanes))
    power = b.bitcast(b.shl(exponent, ir.Constant(integers, [23] * x.kind.lanes)), x.kind.vector)
    return y * x.new(power)


def sigmoid(x: Vector) -> Vector:
    return 1.0 / (exp(0.0 - x) + 1.0)


def tanh(x: Vector) -> Vector:
    if x.kind.name == "float64":
        return x.by_lanes("tanh")
    s = x * x
    small = horner(s, [-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1])
    large = 1.0 - 2.0 / (exp(x + x) + 1.0)
    return x.apply("fabs").where("<", 0.625, (small * s).fma(x, x), large)


def softplus(x: Vector) -> Vector:
    """log(1 + exp x) = max(x, 0) + log1p(exp(-|x|)), the latter by 2 artanh(e / (e + 2))."""
    e = exp(0.0 - x.apply("fabs"))
    if x.kind.name == "float64":
        return x.at_least(0.0) + e.by_lanes("log1p")
    s = e / (e + 2.0)
    series = horner(s * s, [1 / 17, 1 / 15, 1 / 13, 1 / 11, 1 / 9, 1 / 7, 1 / 5, 1 / 3, 1.0])
    return x.at_least(0.0) + s * 2.0 * series


def mask_of(b: ir.IRBuilder, kind: Kind, count: ir.Value) -> ir.Value:
    """True for the first `count` lanes."""
    integers = ir.VectorType(I32, kind.lanes)
    limit = b.insert_element(ir.Constant(integers, ir.Undefined), b.trunc(count, I32), ir.Constant(I32, 0))
    limit = b.shuffle_vector(limit, ir.Constant(integers, ir.Undefined), ir.Constant(integers, [0] * kind.lanes))
    return b.icmp_signed("<", ir.Constant(integers, list(range(kind.lanes))), limit)


def load(b: ir.IRBuilder, kind: Kind, address: ir.Value, mask: ir.Value | None = None) -> Vector:
    """The vector at an address, with zeros in the lanes that a mask leaves out."""
    pointer = b.inttoptr(address, kind.vector.as_pointer())
    if mask is None:
        return Vector(b, kind, b.load(pointer, align=kind.size))
    zeros = ir.Constant(kind.vector, [0.0] * kind.lanes)
    arguments = (pointer, ir.Constant(I32, kind.size), mask, zeros)
    return Vector(b, kind, call(b, f"llvm.masked.load.{kind.suffix}.p0", kind.vector, *arguments))


def store(b: ir.IRBuilder, kind: Kind, vector: Vector, address: ir.Value, mask: ir.Value | None = None) -> None:
    """Writes the lanes that a mask has."""
    pointer = b.inttoptr(address, kind.vector.as_pointer())
    if mask is None:
        b.store(vector.value, pointer, align=kind.size)
    else:
        arguments = (vector.value, pointer, ir.Constant(I32, kind.size), mask)
        call(b, f"llvm.masked.store.{kind.suffix}.p0", ir.VoidType(), *arguments)


Body = Callable[..., Sequence[Vector]]  # vectors read -> vectors to be written
