"""How raw values become x, and the way from one standardisation to another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


class Affine(NamedTuple):
    """x -> scale * x + shift, in float64.

    Attributes:
      scale, shift: [D], float64, where x is.
    """

    scale: Tensor
    shift: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """x [..., D] -> the same shape and type."""
        return (x.double() * self.scale + self.shift).to(x.dtype)

    def to(self, device: torch.device | str) -> Affine:
        """The same map for x on `device`."""
        return Affine(self.scale.to(device), self.shift.to(device))

    def after(self, first: Affine | None) -> Affine:
        """Both in one, `first` first."""
        return self if first is None else Affine(self.scale * first.scale, self.scale * first.shift + self.shift)


@dataclass(frozen=True)
class Standardisation:
    """x = (raw - mean) / std, fitted on train only.

    Attributes:
      mean: subtracted from every step [D].
      std: divides every step [D].
    """

    mean: Tensor
    std: Tensor

    @classmethod
    def identity(cls, x_dim: int) -> Standardisation:
        return cls(torch.zeros(x_dim), torch.ones(x_dim))

    @classmethod
    def from_dict(cls, content: Mapping[str, Tensor]) -> Standardisation:
        """From what `as_dict` gave, on the CPU.

        Raises:
          ValueError: it is something else.
        """
        try:
            mean, std = (content[name].cpu() for name in ("mean", "std"))
            finite = bool((mean.isfinite() & std.isfinite() & (std > 0)).all())
        except (KeyError, TypeError, AttributeError, RuntimeError) as error:
            raise ValueError(f"standardisation has no mean and std ({error!r})") from error
        if not finite or not mean.dim() == std.dim() == 1 or len(mean) != len(std):
            raise ValueError("standardisation must have a finite mean and a positive std for each dimension")
        return cls(mean, std)

    def as_dict(self) -> dict[str, Tensor]:
        """Plain tensors, for a checkpoint."""
        return {"mean": self.mean, "std": self.std}

    @property
    def log_det(self) -> float:
        """Nats per step that turn densities: log p(raw) = log p(x) - log_det per step."""
        return float(self.std.double().log().sum())

    def forward(self, raw: Tensor) -> Tensor:
        """Raw values [..., D] -> standardised ones [..., D]."""
        return (raw - self.mean.to(raw)).div_(self.std.to(raw))

    def towards(self, other: Standardisation) -> Affine:
        """The map from x under this standardisation to x under another one: the identity where both are equal."""
        mean, std, other_mean, other_std = (part.double() for part in (self.mean, self.std, other.mean, other.std))
        return Affine(std / other_std, (mean - other_mean) / other_std)

    def equals(self, other: Standardisation) -> bool:
        """Whether both are the same, bit for bit."""
        pairs = ((self.mean, other.mean), (self.std, other.std))
        return all(torch.equal(a.double().cpu(), b.double().cpu()) for a, b in pairs)

    def inverse(self, x: Tensor) -> Tensor:
        """Standardised values [..., D] -> raw ones [..., D]."""
        return x * self.std.to(x) + self.mean.to(x)
