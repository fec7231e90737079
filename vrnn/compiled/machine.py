"""Runs a program over time: at every step its operations one after the other, for all rows of the batch."""

from __future__ import annotations

from typing import Any

from numba import njit

from vrnn.compiled import rows as operations
from vrnn.compiled.cache import jit
from vrnn.compiled.products import PANEL, ROWS, tile
from vrnn.compiled.program import DRAW, GRU, HEADER, LSTM, OF_DRAW, OF_GRU, OF_LSTM, OF_RELU, PRODUCT

gru, of_gru, lstm, of_lstm = operations.gru, operations.of_gru, operations.lstm, operations.of_lstm
draw, of_draw, of_relu = operations.draw, operations.of_draw, operations.of_relu
HALF = ROWS // 2
tile_whole, tile_half, tile_one = tile(ROWS), tile(HALF), tile(1)


@jit
def pack(weight: Any, k_step: int, step: int, width: int, out: Any) -> None:
    """Elements of a weight [K, N], k_step from a row to the next and step from a column -> [panels, K, columns]."""
    panels, length, columns = out.shape
    for panel in range(panels):
        used = min(columns, width - panel * columns)
        for low in range(0, length, 16):  # few rows at a time, since one of the two sides is read across
            for c in range(columns):
                start = (panel * columns + c) * step
                for k in range(low, min(low + 16, length)):
                    out[panel, k, c] = weight[start + k * k_step] if c < used else 0


@njit(nogil=True)
def product(count: int, header: Any, p: Any, time: int, like: Any) -> None:
    """out = [relu](first + a @ w) for `count` rows; p: the numbers of the operands a, w, first, out."""
    columns, length, relu, panel = header[1], header[2], header[3], header[4]
    a, w, first, out = p[0] + p[2] * time, p[3], p[6] + p[8] * time, p[9] + p[11] * time
    a_row, w_step, first_row, out_row = p[1], p[4], p[7], p[10]
    for start in range(0, columns, panel):
        width = min(panel, columns - start)
        at = start // panel * w_step  # bytes
        w_panel = w + at * length
        row = 0
        while row + ROWS <= count:
            x, f, o = a + row * a_row, first + row * first_row + at, out + row * out_row + at
            tile_whole(width, length, x, a_row, w_panel, w_step, f, first_row, o, out_row, relu, like)
            row += ROWS
        while row + HALF <= count:
            x, f, o = a + row * a_row, first + row * first_row + at, out + row * out_row + at
            tile_half(width, length, x, a_row, w_panel, w_step, f, first_row, o, out_row, relu, like)
            row += HALF
        while row < count:
            x, f, o = a + row * a_row, first + row * first_row + at, out + row * out_row + at
            tile_one(width, length, x, a_row, w_panel, w_step, f, first_row, o, out_row, relu, like)
            row += 1


@jit
def run(program: Any, start: int, stop: int, step: int, rows: int, like: Any) -> None:
    """The operations [n, WIDTH] for t in range(start, stop, step); `like` has the type of the numbers."""
    for time in range(start, stop, step):
        for number in range(len(program)):
            operation = program[number]
            kind, columns, operands = operation[0], operation[1], operation[HEADER:]
            table = operands.ctypes.data
            if kind == PRODUCT:
                product(rows, operation, operands, time, like)
            elif kind == GRU:
                gru(table, time, rows, columns, like)
            elif kind == OF_GRU:
                of_gru(table, time, rows, columns, like)
            elif kind == LSTM:
                lstm(table, time, rows, columns, like)
            elif kind == OF_LSTM:
                of_lstm(table, time, rows, columns, like)
            elif kind == DRAW:
                draw(table, time, rows, columns, like)
            elif kind == OF_DRAW:
                of_draw(table, time, rows, columns, like)
            elif kind == OF_RELU:
                of_relu(table, time, rows, columns, like)
