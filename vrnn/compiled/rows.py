"""Element-wise operations over the rows of tables: one vector after the other, for all operands at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from llvmlite import ir

from vrnn.compiled.emit import Loop, function, multiple, numbers
from vrnn.compiled.operations import DRAW, GRU, HEADER, LSTM, OF_DRAW, OF_GRU, OF_LSTM, OF_RELU
from vrnn.compiled.vectors import I64, Kind, Vector, load, mask_of, sigmoid, softplus, store, tanh


class RowOperation(NamedTuple):
    """What is done to the elements of rows.

    Attributes:
      name: of the function that it becomes.
      reads, writes: operands, of which those that are read come first.
      body: vectors that were read -> vectors to be written.
    """

    name: str
    reads: int
    writes: int
    body: Callable[..., Sequence[Vector]]


def each(module: ir.Module, kind: Kind, operation: RowOperation) -> ir.Function:
    """A function of (operation's numbers, time step, rows): its body for every vector of every row."""
    name, reads, writes, body = operation

    def emit(b: ir.IRBuilder, arguments: Sequence[ir.Value]) -> None:
        table, time, rows = arguments
        (columns,) = numbers(b, table, [1])
        entries = [numbers(b, table, range(at, at + 3)) for at in range(HEADER, HEADER + 3 * (reads + writes), 3)]
        bases = [b.add(base, b.mul(step, time)) for base, _, step in entries]
        zero, one, lanes = I64(0), I64(1), I64(kind.lanes)
        whole = multiple(b, columns, kind.lanes)
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

    return function(module, name, 3, emit)


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


OPERATIONS = {
    GRU: RowOperation("gru", 5, 4, _gru),
    OF_GRU: RowOperation("of_gru", 7, 5, _of_gru),
    LSTM: RowOperation("lstm", 5, 6, _lstm),
    OF_LSTM: RowOperation("of_lstm", 9, 5, _of_lstm),
    DRAW: RowOperation("draw", 4, 1, _draw),
    OF_DRAW: RowOperation("of_draw", 5, 2, _of_draw),
    OF_RELU: RowOperation("of_relu", 2, 1, _of_relu),
}
