"""Matrix products of few rows with weights that lie packed: a register-tiled kernel as LLVM IR.

At 8 to 64 rows a library packs the weights anew for every product, which costs as much as the product itself; the
time loop takes the same weights at every step, so they are packed once. In GFLOP/s, OpenBLAS, MKL and this code on one
thread of an Intel Xeon with AVX-512: 43, 77 and 146 at 8 x 400 x 100, 55, 82 and 131 at 16 x 1024 x 256, 98, 107 and
108 at 64 x 2048 x 512. Over all steps at once, 2560 x 2048 x 512, it has 158, 155 and 125: that is left to torch.
Packed weights [K, N] lie in panels of some columns, [panels, K, columns], the last one filled up with zeros.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from llvmlite import ir

from vrnn.compiled.emit import Loop, function, multiple, numbers, smaller
from vrnn.compiled.operations import HEADER
from vrnn.compiled.vectors import I64, Kind, Vector, load, mask_of, splat, store


class Tiling(NamedTuple):
    """The largest block of a product's result that stays in registers.

    Attributes:
      rows: of the block.
      vectors: of a row of it, 64 bytes each; a panel of packed weights is as wide.
    """

    rows: int
    vectors: int


WIDE = Tiling(8, 3)  # 24 of 32 registers of 64 bytes
NARROW = Tiling(4, 1)  # 8 of 16 registers of 32 bytes, 16 of 32 of 16 bytes: as many sums as hide the latency of one


def tile(module: ir.Module, kind: Kind, rows: int, most: int) -> ir.Function:
    """out = max(first + a @ w, floor) for `rows` rows and up to `most` vectors of columns.

    Arguments: columns; K; a and bytes to its next row; w and bytes to its next k; first and bytes to its next row;
    out and bytes to its next row; whether the floor is 0 or there is none.
    """

    def emit(b: ir.IRBuilder, arguments: Sequence[ir.Value]) -> None:
        columns, *rest = arguments
        vectors = b.sdiv(b.add(columns, I64(kind.lanes - 1)), I64(kind.lanes))
        last = b.sub(columns, b.mul(b.sub(vectors, I64(1)), I64(kind.lanes)))  # columns of the last vector
        for count in range(1, most + 1):
            with b.if_then(b.icmp_signed("==", vectors, I64(count))):
                emit_tile(b, kind, rows, count, last, rest)

    return function(module, f"tile_{rows}", 11, emit)


def emit_tile(b: ir.IRBuilder, kind: Kind, rows: int, vectors: int, last: ir.Value, rest: Sequence[ir.Value]) -> None:
    """A tile of that many vectors, of whose last one only some columns are there."""
    length, a, a_row, w, w_step, first, first_row, out, out_row, floor = rest
    zero = ir.Constant(kind.vector, [0.0] * kind.lanes)
    places = [(row, vector) for row in range(rows) for vector in range(vectors)]
    loop = Loop(b, I64(0), length, I64(1), [zero] * len(places))
    with loop as k:
        at_w, at_a = b.add(w, b.mul(k, w_step)), b.add(a, b.mul(k, I64(kind.size)))
        weights = [load(b, kind, b.add(at_w, I64(64 * vector))) for vector in range(vectors)]
        found: list[ir.Value] = []
        for row in range(rows):
            pointer = b.inttoptr(b.add(at_a, b.mul(a_row, I64(row))), kind.element.as_pointer())
            x = Vector(b, kind, splat(b, kind, b.load(pointer, align=kind.size)))
            sums = loop.carried[row * vectors : (row + 1) * vectors]
            found += [x.fma(weight, weight.new(total)).value for weight, total in zip(weights, sums, strict=True)]
        loop.carry(found)
    none = ir.Constant(kind.vector, [float("-inf")] * kind.lanes)
    bound = Vector(b, kind, b.select(b.icmp_signed("!=", floor, I64(0)), zero, none))

    def finish(mask: ir.Value | None) -> None:
        for (row, vector), total in zip(places, loop.carried, strict=True):
            used = mask if vector == vectors - 1 else None
            of_first, of_out = (
                b.add(base, b.add(b.mul(stride, I64(row)), I64(64 * vector)))
                for base, stride in ((first, first_row), (out, out_row))
            )
            value = Vector(b, kind, total) + load(b, kind, of_first, used)
            store(b, kind, value.at_least(bound), of_out, used)

    with b.if_else(b.icmp_signed("==", last, I64(kind.lanes))) as (whole, part):
        with whole:
            finish(None)
        with part:
            finish(mask_of(b, kind, last))


def product(module: ir.Module, kind: Kind, tiling: Tiling) -> ir.Function:
    """A function of (operation's numbers, time step, rows): out = first + a @ w, or its ReLU, panel by panel."""
    sizes = (tiling.rows, tiling.rows // 2, 1)
    tiles = [tile(module, kind, rows, tiling.vectors) for rows in sizes]

    def emit(b: ir.IRBuilder, arguments: Sequence[ir.Value]) -> None:
        table, time, rows = arguments
        columns, length, relu, panel = numbers(b, table, range(1, HEADER))
        entries = [numbers(b, table, range(at, at + 3)) for at in range(HEADER, HEADER + 12, 3)]
        a, w, first, out = (b.add(base, b.mul(step, time)) for base, _, step in entries)
        a_row, w_step, first_row, out_row = (stride for _, stride, _ in entries)
        with Loop(b, I64(0), columns, panel) as start:
            width = smaller(b, panel, b.sub(columns, start))
            at = b.mul(start, I64(kind.size))
            w_panel, of_first, of_out = b.add(w, b.mul(at, length)), b.add(first, at), b.add(out, at)
            done: ir.Value = I64(0)
            for size, made in zip(sizes, tiles, strict=True):
                end = b.add(done, multiple(b, b.sub(rows, done), size))
                with Loop(b, done, end, I64(size)) as row:
                    x, f, o = (
                        b.add(base, b.mul(row, stride))
                        for base, stride in ((a, a_row), (of_first, first_row), (of_out, out_row))
                    )
                    b.call(made, [width, length, x, a_row, w_panel, w_step, f, first_row, o, out_row, relu])
                done = end

    return function(module, "product", 3, emit)


def pack(module: ir.Module, kind: Kind) -> ir.Function:
    """A function of (weight [K, N], bytes from a row of it to the next, from a column, K, N, out, columns of a panel).

    16 rows at a time, since one of the two sides is read or written across.
    """

    def emit(b: ir.IRBuilder, arguments: Sequence[ir.Value]) -> None:
        weight, k_step, step, length, width, out, panel = arguments
        size, one = I64(kind.size), I64(1)
        nothing = ir.Constant(kind.element, 0.0)

        def pointer(address: ir.Value) -> ir.Value:
            return b.inttoptr(address, kind.element.as_pointer())

        with Loop(b, I64(0), width, panel) as start, Loop(b, I64(0), length, I64(16)) as low:
            stop = smaller(b, b.add(low, I64(16)), length)
            used = smaller(b, panel, b.sub(width, start))
            base = b.add(out, b.mul(b.mul(start, length), size))
            with Loop(b, I64(0), panel, one) as column:
                source = b.add(weight, b.mul(b.add(start, column), step))
                target = b.add(base, b.mul(column, size))
                with b.if_else(b.icmp_signed("<", column, used)) as (inside, outside):
                    with inside, Loop(b, low, stop, one) as k:
                        value = b.load(pointer(b.add(source, b.mul(k, k_step))), align=kind.size)
                        b.store(value, pointer(b.add(target, b.mul(b.mul(k, panel), size))), align=kind.size)
                    with outside, Loop(b, low, stop, one) as k:
                        b.store(nothing, pointer(b.add(target, b.mul(b.mul(k, panel), size))), align=kind.size)

    return function(module, "pack", 7, emit, exported=True)
