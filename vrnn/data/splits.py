"""A dataset: sequences, and their split in train, valid and test.

A dataset is one function in one file of this package that returns `Splits`; its arguments are the keys of
its YAML in `conf/data/`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from torch import Tensor

from vrnn.data.sequences import Sequences
from vrnn.data.standardisation import Standardisation


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
      truth: of sequences under a standardisation, the exact log-likelihood of each [N] in nats under the process that
        made the data; None: nobody knows.
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
    truth: Callable[[Sequences, Standardisation], Tensor] | None = None

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
