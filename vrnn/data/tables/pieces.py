"""The sequences that tables hold: by file or by id, in the order of time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vrnn.data.sources.files import printable, shown
from vrnn.data.tables.columns import Array, labels_of, place, require_columns, times_of, values_of, words_of
from vrnn.data.tables.reading import Format, Table

IRREGULAR = 0.01  # relative difference from the usual step of time that is told


class Roles(NamedTuple):
    """What the columns of a table are.

    Attributes:
      columns: values, D of them.
      id: the name of the sequence; None: each table is one.
      time: to sort by; None: in the order of the rows.
      label: 1 where a step is an anomaly; None: nothing is known.
      part: train, valid or test; None: another rule divides them.
    """

    columns: Sequence[str]
    id: str | None = None
    time: str | None = None
    label: str | None = None
    part: str | None = None


class Piece(NamedTuple):
    """A sequence, or a part of one.

    Attributes:
      name: of the sequence.
      values: [T, D], NaN where nothing was observed.
      time, label, part: [T] each, None where they are not known.
    """

    name: str
    values: Array
    time: Array | None
    label: NDArray[np.uint8] | None
    part: NDArray[np.str_] | None

    def rows(self, chosen: slice | NDArray[np.intp]) -> Piece:
        """Some of its steps."""
        rest: Any = (None if marks is None else marks[chosen] for marks in (self.time, self.label, self.part))
        return Piece(self.name, self.values[chosen], *rest)


def pieces_of(table: Table, roles: Roles, form: Format) -> Iterator[Piece]:
    """The sequences of a table, in the order in which they begin.

    Raises:
      ValueError: a column is not there, or a value is none; the message names file, column and row.
    """
    require_columns(table, roles.columns, "columns")
    require_columns(table, [roles.part], "split_column")
    for key in ("id", "time", "label"):
        require_columns(table, [getattr(roles, key)], key)
    if table.frame.empty:
        raise ValueError(f"{shown(table.path)} has no row below its header: expected a row for each step")
    values = values_of(table, roles.columns, form)
    time = None if roles.time is None else times_of(table, roles.time)
    label = None if roles.label is None else labels_of(table, roles.label)
    part = None if roles.part is None else words_of(table, roles.part)
    if roles.id is None:
        yield Piece(table.name, values, time, label, part)
        return
    ids = words_of(table, roles.id)
    unique, first, number = np.unique(ids, return_index=True, return_inverse=True)
    order = np.argsort(number, kind="stable")  # rows of a sequence stay in their order
    ends = np.cumsum(np.bincount(number, minlength=len(unique)))
    for each in np.argsort(first):
        chosen = order[(ends[each - 1] if each else 0) : ends[each]]
        yield Piece(str(unique[each]), values, time, label, part).rows(chosen)


def joined(tables: Sequence[Table], roles: Roles, form: Format, tally: Counter[str]) -> list[Piece]:
    """All sequences, each sorted by time; what several tables hold of one id is one sequence.

    Raises:
      ValueError: see `pieces_of`; or two steps of a sequence have the same time.
    """
    found: dict[str, list[tuple[Table, Piece]]] = {}
    for table in tables:
        for piece in pieces_of(table, roles, form):
            found.setdefault(piece.name, []).append((table, piece))
    sequences = []
    for name, parts in found.items():
        pieces = [piece for _, piece in parts]
        fields = zip(*(piece[1:] for piece in pieces), strict=True)
        together: Any = (None if field[0] is None else np.concatenate(field) for field in fields)
        joint = Piece(name, *together) if len(pieces) > 1 else pieces[0]
        sequences.append(_sorted(joint, [table for table, _ in parts], roles, tally))
    return sequences


def _sorted(piece: Piece, tables: list[Table], roles: Roles, tally: Counter[str]) -> Piece:
    """A sequence in the order of its time; what is irregular is counted."""
    if piece.time is None:
        return piece
    order = np.argsort(piece.time, kind="stable")
    if (back := int((np.diff(piece.time) < 0).sum())) > 0:
        tally["steps before the one above, sorted"] += back
        piece = piece.rows(order)
    assert piece.time is not None
    steps = np.diff(piece.time)
    if (steps == 0).any():
        number = int(np.flatnonzero(steps == 0)[0]) + 1
        which = f"of the sequence {printable(piece.name)!r} " if roles.id is not None else ""
        where = f"{shown(tables[0].path)}: column {printable(str(roles.time))!r}"
        if roles.id is None and len(tables) == 1:
            where = place(tables[0], str(roles.time), int(order[number]))
        raise ValueError(
            f"{where}: two steps {which}have the same time ({piece.time[number]:g}); if they are of different "
            "sequences, give the column that names these: id=<column>"
        )
    usual = float(np.median(steps)) if len(steps) else 0.0
    tally["steps of another length in time"] += int((np.abs(steps - usual) > IRREGULAR * usual).sum())
    return piece
