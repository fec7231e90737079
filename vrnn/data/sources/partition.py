"""Splits by seed in which every name has a place of its own, so that a new file, drawer or speaker moves no other."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def place(name: str, seed: int) -> float:
    """A number in [0, 1) that depends on the name and the seed alone, and is evenly spread over names."""
    digest = hashlib.sha256(f"{seed} {name}".encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:7]) / 2**56  # 53 bits of it count


def split_by_name(names: Iterable[str], valid_fraction: float, test_fraction: float, seed: int) -> dict[str, list[str]]:
    """The names of train, valid and test, sorted; each by its own `place`, so sizes are near their fractions only.

    Where no place lies below test_fraction, test gets the lowest one, and valid likewise the lowest that is left: only
    then, of a few names, can a new one move another.

    Raises:
      ValueError: fractions out of range, or none is left for train.
    """
    for name, fraction in {"valid_fraction": valid_fraction, "test_fraction": test_fraction}.items():
        if not 0 < fraction < 1:
            raise ValueError(f"{name} must be between 0 and 1, got {fraction}")
    order = sorted(set(names), key=lambda name: (place(name, seed), name))
    places = [place(name, seed) for name in order]
    first = max(1, sum(each < test_fraction for each in places))
    second = max(first + 1, sum(each < test_fraction + valid_fraction for each in places))
    parts = {"train": order[second:], "valid": order[first:second], "test": order[:first]}
    if not parts["train"]:
        raise ValueError(
            f"valid_fraction and test_fraction leave nothing to train on of {len(order)}: valid has "
            f"{len(parts['valid'])} and test {len(parts['test'])}"
        )
    return {part: sorted(chosen) for part, chosen in parts.items()}
