"""Matrix products of few rows with weights that lie packed: a register-tiled kernel as LLVM IR.

At 8 to 64 rows a library packs the weights anew for every product, which costs as much as the product itself; the
time loop takes the same weights at every step, so they are packed once. docs/speed.md has the measurement. Packed
weights [K, N] lie in panels of `PANEL` columns, [panels, K, PANEL], the last one filled up with zeros.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import llvmlite.binding as llvm
import numba
from llvmlite import ir

from vrnn.compiled.rows import Loop, function
from vrnn.compiled.vectors import I64, Kind, Vector, call, load, mask_of, splat, store


def is_wide() -> bool:
    """Whether numba compiles for registers of 512 bits, of which there are 32."""
    features = numba.config.CPU_FEATURES
    return "+avx512f" in (llvm.get_host_cpu_features().flatten() if features is None else features)


WIDE = is_wide()
ROWS, VECTORS = (8, 3) if WIDE else (6, 1)  # of the largest tile, which fills the registers
PANEL = {"float32": 16 * VECTORS, "float64": 8 * VECTORS}  # columns


def tile(rows: int) -> Any:
    """out = max(first + a @ w, floor) for `rows` rows and up to `VECTORS` vectors of columns.

    Arguments: columns; K; a and bytes to its next row; w and bytes to its next k; first and bytes to its next row;
    out and bytes to its next row; whether the floor is 0 or there is none.
    """

    def emit(b: ir.IRBuilder, kind: Kind, arguments: Sequence[ir.Value]) -> None:
        columns, *rest = arguments
        lanes = I64(kind.lanes)
        vectors = b.sdiv(b.add(columns, I64(kind.lanes - 1)), lanes)
        last = b.sub(columns, b.mul(b.sub(vectors, I64(1)), lanes))  # columns of the last vector
        for count in range(1, VECTORS + 1):
            with b.if_then(b.icmp_signed("==", vectors, I64(count))):
                emit_tile(b, kind, rows, count, last, rest)

    return function(f"tile_{rows}", 11, emit)


def emit_tile(b: ir.IRBuilder, kind: Kind, rows: int, vectors: int, last: ir.Value, rest: Sequence[ir.Value]) -> None:
    length, a, a_row, w, w_step, first, first_row, out, out_row, floor = rest
    zero = ir.Constant(kind.vector, [0.0] * kind.lanes)
    fma = f"llvm.fma.{kind.suffix}"
    places = [(row, vector) for row in range(rows) for vector in range(vectors)]
    loop = Loop(b, I64(0), length, I64(1), [zero] * len(places))
    with loop as k:
        at_w = b.add(w, b.mul(k, w_step))
        weights = [load(b, kind, b.add(at_w, I64(64 * vector))).value for vector in range(vectors)]
        at_a = b.add(a, b.mul(k, I64(kind.size)))
        found = []
        for row in range(rows):
            pointer = b.inttoptr(b.add(at_a, b.mul(a_row, I64(row))), kind.element.as_pointer())
            x = splat(b, kind, b.load(pointer, align=kind.size))
            sums = loop.carried[row * vectors : (row + 1) * vectors]
            found += [call(b, fma, kind.vector, x, weight, total) for weight, total in zip(weights, sums, strict=True)]
        loop.carry(found)
    bound = b.select(b.icmp_signed("!=", floor, I64(0)), zero, ir.Constant(kind.vector, [float("-inf")] * kind.lanes))

    def finish(mask: ir.Value | None) -> None:
        for (row, vector), total in zip(places, loop.carried, strict=True):
            used = mask if vector == vectors - 1 else None
            of_first, of_out = (
                b.add(base, b.add(b.mul(stride, I64(row)), I64(64 * vector)))
                for base, stride in ((first, first_row), (out, out_row))
            )
            value = Vector(b, kind, total) + load(b, kind, of_first, used)
            store(b, kind, value.at_least(Vector(b, kind, bound)), of_out, used)

    with b.if_else(b.icmp_signed("==", last, I64(kind.lanes))) as (whole, part):
        with whole:
            finish(None)
        with part:
            finish(mask_of(b, kind, last))
