"""Sequences in memory, and their split in train, valid and test.

A dataset is one function in one file of this package that returns `Splits`; its arguments are the keys of
its YAML in `conf/data/`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from vrnn.batch import Batch
from vrnn.data.sources.files import printable
from vrnn.data.standardisation import Affine, Standardisation

Draw = Callable[[Tensor, torch.Generator], Tensor]


class Sequences:
    """N sequences stored end to end, so that ragged ones cost no padding.

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

    Raises:
      ValueError: no sequence at all, an empty one, lengths that do not add up to the number of values, or not one
        group for each sequence.
    """

    def __init__(
        self,
        values: Tensor,
        lengths: Tensor,
        draw: Draw | None = None,
        batch_device: torch.device | str | None = None,
        groups: Sequence[str] | None = None,
        affine: Affine | None = None,
    ):
        if groups is not None and len(groups) != len(lengths):
            raise ValueError(f"groups must name one for each of the {len(lengths)} sequences, got {len(groups)}")
        if values.dim() != 2 or len(lengths) == 0 or int(lengths.min()) < 1 or int(lengths.sum()) != len(values):
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
        self.starts = (lengths.cumsum(0) - lengths).to(values.device)
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
            return Sequences(self.values, self.lengths, self.draw, device, self.groups, affine)
        return Sequences(self.values.to(device), self.lengths, self.draw, groups=self.groups, affine=affine)

    def transformed(self, affine: Affine) -> Sequences:
        """The same sequences under a map of x: at once, or in every batch where values stay in a file or are drawn."""
        affine = affine.to(self.device)
        if self.values_stay or self.draw is not None:
            affine = affine.after(self.affine)
            place = self.device if self.values_stay else None
            return Sequences(self.values, self.lengths, self.draw, place, self.groups, affine)
        values = torch.empty_like(self.values)
        for to, block in zip(values.split(65_536), self.values.split(65_536), strict=True):
            to.copy_(affine(block))
        return Sequences(values, self.lengths, groups=self.groups)

    def name(self, number: int, grouping: str | None = None) -> str:
        """What a message calls a sequence: its number, and its group where it has one."""
        if self.groups is None:
            return f"sequence {number}"
        group, kind = printable(self.groups[number]), grouping or "group"
        return f"sequence {number} ({group if group.startswith(kind) else f'{kind} {group}'})"

    def find(self, row: int) -> tuple[int, int]:
        """The number of the sequence that the values' row `row` belongs to, and its step there."""
        number = int(torch.searchsorted(self.starts, row, right=True)) - 1
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
        if self.equal:
            x = self.values.view(len(self), steps, -1).index_select(0, moved)  # [B, T, D]
        else:
            within = torch.minimum(torch.arange(steps, device=home), lengths[:, None] - 1)  # [B, T]
            x = self.values[self.starts[moved][:, None] + within]
        if home.type == "cpu" and self.device.type == "cuda":
            x, lengths, moved = x.pin_memory(), lengths.pin_memory(), moved.pin_memory()  # or copies wait for it
        x, lengths, moved = (field.to(self.device, non_blocking=True) for field in (x, lengths, moved))
        if self.draw is not None:
            if generator is None:
                raise ValueError("these sequences are drawn anew at every visit: batch() needs a generator")
            x = self.draw(x, generator)
        if self.affine is not None:
            x = self.affine(x)
        return Batch(x, lengths, moved)

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


@dataclass(frozen=True)
class Splits:
    """A dataset, ready for training: standardised sequences, disjoint in train, valid and test.

    Attributes:
      train: what is trained on, and the only one that statistics are fitted on.
      valid: what early stopping and the best checkpoint look at.
      test: what the final figure is measured on, and nothing else.
      standardisation: how raw values became x.
      sample_rate: samples per second, where the D values of a step are consecutive samples of one signal; else None.
      caution: a sentence that must stand beside every figure on these data (an entropy floor, say); None: none.
      levels: values that one dimension of raw x can take, where raw x is quantised (and uniformly dequantised, if
        noise was added) in unit steps: 2 for binary images, 65536 for 16-bit audio; None: x is continuous. With it,
        figures are also given in bits per dimension.
      signal: raw values -> the waveform in [-1, 1] that they stand for, to look at and listen to; None: raw values are
        themselves what is looked at.
      grouping: what the groups of `Sequences` are, in one word ("speaker"); None: there are none.
      files: the files that were read, name below the data's folder and size in bytes, in order; empty: the data are
        synthetic.
      tally: what became of what was found, in the order in which it is told; the first word of a key says what is
        counted, such as {"files found": 12, "files used": 11, "samples cut at ends": 345}; empty: nothing was dropped,
        cut or changed that a user would want to know of.
      skipped: a sentence for each file that is no good and was left out, with its name and the reason.
      cache: the folder of the file that the values are mapped from, where what is found out about them can be kept;
        None: they are in memory.
    """

    train: Sequences
    valid: Sequences
    test: Sequences
    standardisation: Standardisation
    sample_rate: int | None = None
    caution: str | None = None
    levels: int | None = None
    signal: Callable[[Tensor], Tensor] | None = None
    grouping: str | None = None
    files: Sequence[tuple[str, int]] = ()
    tally: Mapping[str, int] = field(default_factory=dict)
    skipped: Sequence[str] = ()
    cache: Path | None = None

    @property
    def x_dim(self) -> int:
        return self.train.x_dim

    @property
    def parts(self) -> dict[str, Sequences]:
        """Train, valid and test by name."""
        return {"train": self.train, "valid": self.valid, "test": self.test}

    def standardised_as(self, standardisation: Standardisation) -> Splits:
        """The same raw data under another standardisation, such as that of the data that a model was trained on.

        Raises:
          ValueError: it is of another number of dimensions.
        """
        if standardisation.mean.shape != (self.x_dim,):
            raise ValueError(
                f"standardisation must be of {self.x_dim} dimensions, as x is, got {list(standardisation.mean.shape)}"
            )
        if self.standardisation.equals(standardisation):
            return self
        affine = self.standardisation.towards(standardisation)
        train, valid, test = (part.transformed(affine) for part in self.parts.values())
        return replace(self, train=train, valid=valid, test=test, standardisation=standardisation)

    def pictured(self, x: Tensor) -> Tensor:
        """Standardised values [..., D] -> what figures draw of them [..., D]."""
        raw = self.standardisation.inverse(x)
        return raw if self.signal is None else self.signal(raw)
