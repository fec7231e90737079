"""Sequences in memory (or in a mapped file), and the batches that are made of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from vrnn.batch import Batch
from vrnn.data.sources.files import printable
from vrnn.data.standardisation import Affine

Draw = Callable[[Tensor, torch.Generator], Tensor]


class Sequences:
    """N sequences stored end to end, so that ragged ones cost no padding; or windows of what is stored, without copies.

    Args:
      values: all steps of all sequences, one sequence after the other [sum of lengths, D].
      lengths: steps of each sequence [N], int64, on the CPU.
      draw: what is drawn anew at every visit, (values [B, T, D], generator) -> x [B, T, D]; for instance a
        stochastic binarisation. None: x is the stored value.
      batch_device: where batches go while the values stay where they are, for those of a memory-mapped file; None:
        batches are made where the values are.
      groups: the name of what each sequence shares with others of this split, so that they are not independent: its
        speaker, writer, drawer, piece or file [N]; None: the sequences are independent.
      affine: from the values as they are stored (and drawn) to x, applied to every batch; None: x is what is stored.
      starts: the row of the first step of each sequence [N], int64, so that sequences may share rows, as overlapping
        windows do; None: one sequence after the other.
      observed: which values were observed [rows, D], bool; the others are stored as 0. None: all were.
      labels: what each stored step is marked as, such as 1 for an anomaly [rows], for those who judge scores; None:
        nothing is known.

    Raises:
      ValueError: no sequence at all, an empty one, lengths that do not add up to the number of values (or windows that
        leave them), not one group for each sequence, or marks of another shape than the values.
    """

    def __init__(
        self,
        values: Tensor,
        lengths: Tensor,
        draw: Draw | None = None,
        batch_device: torch.device | str | None = None,
        groups: Sequence[str] | None = None,
        affine: Affine | None = None,
        starts: Tensor | None = None,
        observed: Tensor | None = None,
        labels: Tensor | None = None,
    ):
        if groups is not None and len(groups) != len(lengths):
            raise ValueError(f"groups must name one for each of the {len(lengths)} sequences, got {len(groups)}")
        whole = values.dim() == 2 and len(lengths) > 0 and int(lengths.min()) >= 1
        if starts is None:
            whole = whole and int(lengths.sum()) == len(values)
        else:
            whole = whole and int(starts.min()) >= 0 and int((starts + lengths).max()) <= len(values)
        for name, marks, shape in (("observed", observed, values.shape), ("labels", labels, values.shape[:1])):
            if marks is not None and marks.shape != shape:
                raise ValueError(f"{name} must have the shape {list(shape)} of the values, got {list(marks.shape)}")
        if not whole:
            raise ValueError(
                f"values must be [sum of lengths, D] with at least one sequence and no empty one; "
                f"got values {list(values.shape)} and {len(lengths)} lengths that sum to {int(lengths.sum())}"
            )
        self.values = values
        self.lengths = lengths
        self.draw = draw
        self.groups = None if groups is None else tuple(groups)
        self.affine = affine
        self.values_stay = batch_device is not None
        self.device = values.device if batch_device is None else torch.device(batch_device)
        self.are_windows = starts is not None
        self.starts = (lengths.cumsum(0) - lengths if starts is None else starts).to(values.device)
        self.observed = observed
        self.labels = labels
        self.equal = int(lengths.min()) == int(lengths.max())

    @classmethod
    def of_equal_length(cls, x: Tensor, draw: Draw | None = None, groups: Sequence[str] | None = None) -> Sequences:
        """Sequences that all have T steps, from x [N, T, D]."""
        num, steps, x_dim = x.shape
        return cls(x.reshape(num * steps, x_dim), torch.full((num,), steps, dtype=torch.int64), draw, groups=groups)

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def x_dim(self) -> int:
        return self.values.shape[1]

    def to(self, device: torch.device | str) -> Sequences:
        """The same sequences with their batches on `device`; lengths stay on the CPU, so that no batch synchronises."""
        affine = None if self.affine is None else self.affine.to(device)
        if self.values_stay:
            return self._replaced(batch_device=device, affine=affine)
        observed = None if self.observed is None else self.observed.to(device)
        starts = self.starts.to(device) if self.are_windows else None
        return self._replaced(values=self.values.to(device), affine=affine, observed=observed, starts=starts)

    def _replaced(self, **changes: Any) -> Sequences:
        """The same sequences with some arguments changed."""
        fields = {name: getattr(self, name) for name in ("values", "lengths", "draw", "groups", "affine", "observed")}
        fields["labels"] = self.labels
        fields["starts"] = self.starts if self.are_windows else None
        fields["batch_device"] = self.device if self.values_stay else None
        return Sequences(**(fields | changes))

    def transformed(self, affine: Affine) -> Sequences:
        """The same sequences under a map of x: at once, or in every batch where values stay in a file or are drawn."""
        affine = affine.to(self.device)
        if self.values_stay or self.draw is not None:
            return self._replaced(affine=affine.after(self.affine))
        values = torch.empty_like(self.values)
        for to, block in zip(values.split(65_536), self.values.split(65_536), strict=True):
            to.copy_(affine(block))
        return self._replaced(values=values, affine=None)

    def name(self, number: int, grouping: str | None = None) -> str:
        """What a message calls a sequence: its number, and its group where it has one."""
        if self.groups is None:
            return f"sequence {number}"
        group, kind = printable(self.groups[number]), grouping or "group"
        return f"sequence {number} ({group if group.startswith(kind) else f'{kind} {group}'})"

    def find(self, row: int) -> tuple[int, int]:
        """The number of a sequence that the values' row `row` belongs to, and its step there."""
        number = max(0, int(torch.searchsorted(self.starts, row, right=True)) - 1)
        return number, row - int(self.starts[number])

    def batch(self, index: Tensor, generator: torch.Generator | None = None) -> Batch:
        """The sequences numbered `index` [B], padded to the longest of them.

        Args:
          index: numbers of sequences [B], int64, on the CPU.
          generator: randomness of `draw`, on the device of the batches; needed only where there is a `draw`.
        """
        home = self.values.device
        lengths = self.lengths[index]  # [B]
        steps = int(lengths.max())
        moved, lengths = index.to(home, non_blocking=True), lengths.to(home, non_blocking=True)
        if self.equal and not self.are_windows and self.observed is None:
            fields = [self.values.view(len(self), steps, -1).index_select(0, moved)]  # [B, T, D]
        else:
            within = torch.minimum(torch.arange(steps, device=home), lengths[:, None] - 1)  # [B, T]
            rows = self.starts[moved][:, None] + within
            fields = [marks[rows] for marks in (self.values, self.observed) if marks is not None]
        fields += [lengths, moved]
        if home.type == "cpu" and self.device.type == "cuda":
            fields = [field.pin_memory() for field in fields]  # or copies wait for it
        x, *observed, lengths, moved = (field.to(self.device, non_blocking=True) for field in fields)
        if self.draw is not None:
            if generator is None:
                raise ValueError("these sequences are drawn anew at every visit: batch() needs a generator")
            x = self.draw(x, generator)
        if self.affine is not None:
            x = self.affine(x)
        return Batch(x, lengths, moved, *observed)

    def whole_rows(self, most: int | None = None) -> Tensor:
        """The stored steps of which every dimension was observed [n, D], the first `most` of them."""
        return (self.values if self.observed is None else self.values[self.observed.all(1)])[:most]

    @property
    def known(self) -> Tensor:
        """All stored values, NaN where nothing was observed [rows, D]."""
        return self.values if self.observed is None else torch.where(self.observed, self.values, torch.nan)

    def observed_steps(self) -> Tensor | None:
        """Of how many steps each dimension was observed, by sequence [N, D], int64, on the CPU; None: of all."""
        if self.observed is None:
            return None
        until = torch.zeros(len(self.values) + 1, self.x_dim, dtype=torch.int64)
        torch.cumsum(self.observed.cpu(), 0, out=until[1:])
        starts = self.starts.cpu()
        return until[starts + self.lengths] - until[starts]

    def labels_of(self, number: int) -> Tensor | None:
        """What the steps of a sequence are marked as [T]; None: nothing is known."""
        start = int(self.starts[number])
        return None if self.labels is None else self.labels[start : start + int(self.lengths[number])]

    def by_length(self, batch_size: int) -> Iterator[Tensor]:
        """Numbers of all sequences in batches [B], shortest first, the last partial one included: for evaluation."""
        yield from self.lengths.argsort(stable=True).split(batch_size)

    def shuffled(self, batch_size: int, seed: int, epoch: int) -> list[Tensor]:
        """One epoch of batches [B] for training: a pure function of (seed, epoch), so that a resume finds it again.

        Every sequence is in exactly one batch; the last batch may be smaller. Sequences of different lengths are
        put in buckets: each stretch of 32 shuffled batches is sorted by length before it is cut.
        """
        generator = torch.Generator().manual_seed((seed * 1_000_003 + epoch) % 2**63)
        order = torch.randperm(len(self), generator=generator)
        if self.equal:
            return list(order.split(batch_size))
        batches: list[Tensor] = []
        for stretch in order.split(32 * batch_size):
            batches += stretch[self.lengths[stretch].argsort(stable=True)].split(batch_size)
        return [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]
