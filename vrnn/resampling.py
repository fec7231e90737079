"""How particles are drawn anew: which ones go on, by their weights."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Resample = Callable[[Tensor, Tensor], Tensor]  # weights [B, K] that sum to 1, uniforms [B, K] in [0, 1) -> ancestors


def multinomial(weights: Tensor, uniforms: Tensor) -> Tensor:
    """The ancestors [B, K] of K particles, each drawn by itself: particle k goes on with probability weights[k].

    Args:
      weights: that sum to 1 [B, K].
      uniforms: in [0, 1), one for each draw [B, K].
    """
    return _found(weights, uniforms)


def systematic(weights: Tensor, uniforms: Tensor) -> Tensor:
    """The ancestors [B, K] at K points (k + u) / K of the cumulated weights, with one u (Kitagawa 1996, appendix).

    Particle k goes on floor(K weights[k]) times or once more, and K weights[k] times in the mean, which varies less
    than drawing each by itself. Douc, Cappé and Moulines (2005) compare the schemes.

    Args:
      weights: that sum to 1 [B, K].
      uniforms: in [0, 1) [B, K] or [B, 1]; u is the first of each row.
    """
    points = torch.arange(weights.shape[1], device=weights.device, dtype=weights.dtype)
    return _found(weights, (points + uniforms[:, :1]) / weights.shape[1])


def _found(weights: Tensor, points: Tensor) -> Tensor:
    """The particle in whose share of [0, 1) each point lies; one of weight 0 has no share."""
    cumulated = weights.cumsum(1)
    # So that the last is 1, and no point beyond it: rounding must not find a particle whose weight is 0.
    cumulated = cumulated / cumulated[:, -1:]
    points = points.clamp_max(1.0 - torch.finfo(points.dtype).eps)
    return torch.searchsorted(cumulated, points.contiguous(), right=True)
