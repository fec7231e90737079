"""The unit of work: a padded batch of sequences.

Axes, everywhere in the library: B batch, T time, D observation (x_dim), Z latent (z_dim),
H recurrent state (h_dim), K importance samples, M mixture components, P likelihood parameters.
Batch first, always [B, T, ...].
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """B sequences of up to T steps.

    Whatever stands beyond a sequence's length is replaced by zero when the batch is made: a NaN left in the
    padding would reach the gradients even through a `where` on the output.

    Attributes:
      x: observations [B, T, D], zero where padded.
      lengths: number of steps of each sequence [B], int64, each in 1..T; 0 in a chunk that it does not reach.
      index: each sequence's number in its split [B], int64; evaluation noise is keyed by it.
      observed: True where a value was observed [B, T, D], False where padded; x is 0 elsewhere. None: all were.
      mask: True on real steps [B, T].

    Raises:
      ValueError: x is not [B, T, D], lengths or index is not [B], or observed is not as x.
    """

    x: Tensor
    lengths: Tensor
    index: Tensor
    observed: Tensor | None = None
    mask: Tensor = field(init=False)

    def __post_init__(self) -> None:
        if self.x.dim() != 3:
            raise ValueError(f"x must have the shape [B, T, D], got {list(self.x.shape)}")
        for name in ("lengths", "index"):
            if getattr(self, name).shape != self.x.shape[:1]:
                raise ValueError(
                    f"{name} must have the shape [{self.x.shape[0]}], one entry a sequence, "
                    f"got {list(getattr(self, name).shape)}"
                )
        mask = torch.arange(self.x.shape[1], device=self.x.device) < self.lengths[:, None]  # [B, T]
        object.__setattr__(self, "mask", mask)
        kept = mask[..., None]
        if self.observed is not None:
            if self.observed.shape != self.x.shape:
                raise ValueError(
                    f"observed must have the shape {list(self.x.shape)} of x, got {list(self.observed.shape)}"
                )
            kept = self.observed & kept
            object.__setattr__(self, "observed", kept)
        object.__setattr__(self, "x", torch.where(kept, self.x, 0.0))

    @classmethod
    def of(cls, x: Tensor, lengths: Tensor | None = None, index: Tensor | None = None) -> Batch:
        """A batch of x [B, T, D]; by default all sequences are T long and numbered 0 to B - 1."""
        size, steps = x.shape[:2]
        if lengths is None:
            lengths = torch.full((size,), steps, dtype=torch.int64, device=x.device)
        if index is None:
            index = torch.arange(size, device=x.device)
        return cls(x, lengths, index)

    def repeated(self, times: int) -> Batch:
        """Every sequence `times` times in a row, B * times sequences: importance samples folded into the batch."""
        return Batch(*(field.repeat_interleave(times, 0) for field in self.fields))

    @property
    def fields(self) -> tuple[Tensor, ...]:
        """What the batch is made of, each [B, ...]: `Batch(*batch.fields)` is the same batch."""
        return tuple(part for part in (self.x, self.lengths, self.index, self.observed) if part is not None)

    def chunks(self, steps: int | None) -> Iterator[Batch]:
        """The batch cut in time, `steps` at a time; None: all of it at once."""
        width = steps or self.steps
        for start in range(0, self.steps, width):
            x = self.x[:, start : start + width]
            observed = None if self.observed is None else self.observed[:, start : start + width]
            yield Batch(x, (self.lengths - start).clamp(0, x.shape[1]), self.index, observed)

    @property
    def size(self) -> int:
        """B, the number of sequences."""
        return self.x.shape[0]

    @property
    def steps(self) -> int:
        """T, the number of steps of the longest sequence."""
        return self.x.shape[1]
