"""What tells whether data are the same as before: a hash of every value, and figures that say how near they are."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from vrnn.data.sources.files import printable

ROUNDING = 1e-4  # relative difference up to which values are the same but for the rounding of another machine
MAX_NAMED = 3  # files that a sentence names; more are counted


class PartPrint(NamedTuple):
    """The fingerprint of train, valid or test.

    Attributes:
      sequences: their number.
      steps: of all of them.
      lengths: hash of the lengths.
      values: hash of the values.
      projections: sum of x_i s_i over each stretch of n values, by sqrt(n), with fixed signs s_i: rounding hardly moves
        it, another sequence among a million does.
      sizes: root mean square of each stretch.
      single: values at fixed places.
    """

    sequences: int
    steps: int
    lengths: str
    values: str
    projections: list[float]
    sizes: list[float]
    single: list[float]

    def is_near(self, other: PartPrint) -> bool:
        """Whether the values are the same but for rounding."""
        scale = math.sqrt(sum(size**2 for size in self.sizes) / len(self.sizes))
        found, former = (part.projections + part.sizes + part.single for part in (self, other))
        if self.lengths != other.lengths or len(found) != len(former):
            return False
        return all(abs(a - b) <= ROUNDING * max(scale, abs(a)) for a, b in zip(found, former, strict=True))


class Change(NamedTuple):
    """How data differ from those of a fingerprint.

    Attributes:
      words: what changed, in sentences without a point; empty: nothing.
      is_rounding: whether they are the same but for the rounding of another machine.
    """

    words: list[str]
    is_rounding: bool = False

    @property
    def is_other(self) -> bool:
        """Whether these are other data."""
        return bool(self.words) and not self.is_rounding


class Fingerprint(NamedTuple):
    """What data are recognised by.

    Attributes:
      files: size of each file that was read, in bytes, by its name below the data's folder; empty: synthetic data.
      parts: of train, valid and test, whose values are standardised.
      mean, std: the standardisation that was fitted [D]; without it, raw values twice as large would be the same.
    """

    files: dict[str, int]
    parts: dict[str, PartPrint]
    mean: list[float]
    std: list[float]

    @property
    def digest(self) -> str:
        """Identifies the values and their order, whatever the files are called: 16 hexadecimal digits."""
        parts = [[name, part.lengths, part.values] for name, part in self.parts.items()]
        return hashlib.sha256(json.dumps([*parts, self.mean, self.std]).encode()).hexdigest()[:16]

    def change_from(self, former: Fingerprint) -> Change:
        """What is other in these data than in the former ones."""
        if self.digest == former.digest:
            return Change([])
        words = _changed_files(former.files, self.files) if former.files and self.files else []
        near = not words
        for name, part in self.parts.items():
            before = former.parts[name]
            if part.sequences != before.sequences:
                words.append(f"{name} has {part.sequences:,} sequences and had {before.sequences:,}")
            elif part.lengths != before.lengths:
                words.append(f"the sequences of {name} have other lengths")
            elif part.values != before.values:
                words.append(f"the values of {name} are others")
                near = near and part.is_near(before)
                continue
            else:
                continue
            near = False
        if (self.mean, self.std) != (former.mean, former.std):
            words.append("train has another mean and standard deviation")
            near = near and self.is_scaled_as(former)
        return Change(words, near)

    def is_scaled_as(self, other: Fingerprint) -> bool:
        """Whether both standardisations are the same but for rounding."""
        if len(self.std) != len(other.std):
            return False
        pairs = [*zip(self.mean, other.mean, other.std, strict=True), *zip(self.std, other.std, other.std, strict=True)]
        return all(abs(a - b) <= ROUNDING * std for a, b, std in pairs)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        parts = {name: part._asdict() for name, part in self.parts.items()}
        return {"standardisation": {"mean": self.mean, "std": self.std}, **parts, "files": self.files}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Fingerprint:
        """From what `as_dict` gave.

        Raises:
          ValueError: something is missing, or of another kind.
        """
        try:
            files = {str(name): int(size) for name, size in content["files"].items()}
            parts = {name: _part(content[name]) for name in ("train", "valid", "test")}
            scale = ([float(value) for value in content["standardisation"][name]] for name in ("mean", "std"))
            return cls(files, parts, *scale)
        except (KeyError, TypeError, AttributeError, OverflowError) as error:
            raise ValueError(f"fingerprint is not whole ({error!r})") from error


def _changed_files(before: Mapping[str, int], now: Mapping[str, int]) -> list[str]:
    """Which files are new, gone or of another size."""
    found = {
        ("is new", "are new"): [name for name in now if name not in before],
        ("is gone", "are gone"): [name for name in before if name not in now],
        ("has another size", "have another size"): [name for name in now if before.get(name, now[name]) != now[name]],
    }
    return [_told(names, *verbs) for verbs, names in found.items() if names]


def _told(names: list[str], singular: str, plural: str) -> str:
    """How many files, and the first few by name."""
    many = len(names) > 1
    named = ", ".join(printable(name) for name in sorted(names)[:MAX_NAMED])
    rest = " and others" if len(names) > MAX_NAMED else ""
    return f"{len(names)} file{'s' * many} {plural if many else singular}: {named}{rest}"


def _part(content: Mapping[str, Any]) -> PartPrint:
    """A part from plain data."""
    numbers = {name: [float(value) for value in content[name]] for name in ("projections", "sizes", "single")}
    if not all(isinstance(content[name], str) for name in ("lengths", "values")):
        raise TypeError("a hash is no text")
    return PartPrint(int(content["sequences"]), int(content["steps"]), content["lengths"], content["values"], **numbers)
