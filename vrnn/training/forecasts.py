"""Forecasts as sample paths: how good they are (CRPS, energy score, coverage), and references beside them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from vrnn.data.splits import Sequences

RIDGE = 1e-3  # of the autoregressive reference's squares, per value


class Quality(NamedTuple):
    """How good sample paths are, summed over steps; all in units of x.

    Attributes:
      crps: sums of the continuous ranked probability score of each value, by step of the horizon and dimension [H, D].
      absolute: sums of the absolute error of the median [H, D].
      inside: sums of whether a value lies inside the central band of 50 and 90 % [2, H, D].
      seen: values that were observed [H, D].
      energy: sum of the energy score of whole windows [].
      windows: whose energy score was summed.
    """

    crps: Tensor
    absolute: Tensor
    inside: Tensor
    seen: Tensor
    energy: Tensor
    windows: int

    def plus(self, other: Quality | None) -> Quality:
        """Both together."""
        if other is None:
            return self
        values: list[Any] = [a + b for a, b in zip(tuple[Any, ...](self), tuple[Any, ...](other), strict=True)]
        return Quality(*values)

    def summary(self) -> dict[str, float]:
        """Means over all values, and over windows for the energy score."""
        total = self.seen.sum()
        names = ("coverage of 50 %", "coverage of 90 %")
        found = {"CRPS": self.crps.sum() / total, "MAE": self.absolute.sum() / total}
        found["energy score"] = self.energy / max(self.windows, 1)
        found |= {name: inside.sum() / total for name, inside in zip(names, self.inside, strict=True)}
        return {name: float(value) for name, value in found.items()}


def judge(paths: Tensor, truth: Tensor, observed: Tensor) -> Quality:
    """Scores sample paths [N, S, H, D] against what came [N, H, D], where it was observed [N, H, D].

    CRPS and energy score are the unbiased (fair) estimates from S > 1 samples, E|X - x| - E|X - X'| / 2 over pairs of
    different ones (Gneiting and Raftery 2007, eq. 20 and 22; Ferro 2014); of S = 1 the absolute error and the norm of
    it. The energy score is of windows that were observed whole, over all steps and dimensions together.
    """
    samples = paths.shape[1]
    pairs = max(samples - 1, 1)
    ordered = paths.double().sort(1).values  # [N, S, H, D]
    truth = truth.double()
    rank = torch.arange(1, samples + 1, device=paths.device).view(1, -1, 1, 1)
    # sum_{i<j} (x_j - x_i) = sum_i (2 i - S - 1) x_i of sorted values
    spread = ((2.0 * rank - samples - 1.0) * ordered).sum(1) / (samples * pairs)
    crps = (ordered - truth[:, None]).abs().mean(1) - spread
    bands = [[_quantile(ordered, q) for q in edges] for edges in ((0.25, 0.75), (0.05, 0.95))]  # [N, H, D] each
    inside = torch.stack([(truth >= low) & (truth <= high) for low, high in bands])  # [2, N, H, D]
    absolute = (ordered.median(1).values - truth).abs()
    whole = observed.flatten(1).all(1)
    flat, target = paths.double().flatten(2)[whole], truth.flatten(1)[whole]
    energy = (flat - target[:, None]).norm(dim=-1).mean(1)
    if samples > 1:
        energy = energy - torch.cdist(flat, flat).sum((1, 2)) / (2 * samples * pairs)
    crps, absolute = (torch.where(observed, values, 0.0).sum(0) for values in (crps, absolute))
    counted = torch.where(observed, inside, False).sum(1).double()
    return Quality(crps, absolute, counted, observed.sum(0).double(), energy.sum(), int(whole.sum()))


def _quantile(ordered: Tensor, q: float) -> Tensor:
    """The quantile of sorted draws [N, S, H, D] below which another draw lies with probability q [N, H, D].

    That is the one at q (S + 1), between neighbours; at q (S - 1) + 1 the bands of few draws would be too narrow.
    """
    samples = ordered.shape[1]
    place = min(max(q * (samples + 1) - 1.0, 0.0), samples - 1.0)
    low = int(place)
    return torch.lerp(ordered[:, low], ordered[:, min(low + 1, samples - 1)], place - low)


def filled(x: Tensor, observed: Tensor | None) -> Tensor:
    """x [N, T, D] with the last observed value where nothing was observed, and 0, the mean, before there is one."""
    if observed is None:
        return x
    step = torch.arange(x.shape[1], device=x.device)[None, :, None]
    last = torch.where(observed, step, -1).cummax(1).values  # [N, T, D]
    return torch.where(last >= 0, x.gather(1, last.clamp_min(0)), 0.0)


class Autoregression:
    """x_t = c + sum_k A_k x_{t-k} + e_t with normal e_t: the vector autoregression of order p, fitted by least squares.

    Args:
      sequences: of train; what was not observed is replaced by the value before it.
      order: p.
    """

    def __init__(self, sequences: Sequences, order: int):
        self.order = order
        x_dim, count = sequences.x_dim, 0
        gram, cross, square = (
            torch.zeros(rows, columns, dtype=torch.float64)
            for rows, columns in ((order * x_dim + 1,) * 2, (order * x_dim + 1, x_dim), (x_dim, x_dim))
        )
        for past, now in _lagged(sequences, order):
            gram, cross = gram + past.T @ past, cross + past.T @ now
            square, count = square + now.T @ now, count + len(now)
        eye = torch.eye(len(gram), dtype=torch.float64)
        self.weights = torch.linalg.solve(gram + RIDGE * count * eye, cross)  # [p D + 1, D]
        rest = (square - self.weights.T @ cross - cross.T @ self.weights + self.weights.T @ gram @ self.weights) / count
        rest = 0.5 * (rest + rest.T) + 1e-8 * torch.eye(len(rest), dtype=torch.float64)
        self.root = torch.linalg.cholesky(rest)
        self.log_px = -0.5 * (len(rest) * (1.0 + math.log(2.0 * math.pi)) + 2.0 * self.root.diag().log().sum())

    def sample(self, past: Tensor, horizon: int, num: int, generator: torch.Generator) -> Tensor:
        """Sample paths [N, num, horizon, D] after a past [N, T, D] of at least p steps, on the CPU."""
        size, _, x_dim = past.shape
        window = past[:, -self.order :].double().repeat_interleave(num, 0)  # [N num, p, D]
        ones, found = window.new_ones(len(window), 1), []
        for _ in range(horizon):
            mean = torch.cat([window.flip(1).flatten(1), ones], 1) @ self.weights
            noise = torch.randn(mean.shape, generator=generator, dtype=torch.float64)
            found.append(mean + noise @ self.root.T)
            window = torch.cat([window[:, 1:], found[-1][:, None]], 1)
        return torch.stack(found, 1).view(size, num, horizon, x_dim)


def _lagged(sequences: Sequences, order: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Steps and the p before each of them with a 1, [n, p D + 1] and [n, D], float64, of some sequences at a time."""
    for index in sequences.by_length(256):
        batch = sequences.batch(index, torch.Generator(sequences.device).manual_seed(0))
        x, mask = filled(batch.x, batch.observed).double().cpu(), batch.mask.cpu()
        if x.shape[1] <= order:
            continue
        lags = [x[:, order - k : x.shape[1] - k] for k in range(1, order + 1)]
        past = torch.cat([*lags, torch.ones_like(lags[0][..., :1])], -1)
        real = mask[:, order:]
        yield past[real], x[:, order:][real]


class Naive:
    """The last value (or the last season) again, with the errors that this makes in train added as draws.

    Args:
      sequences: of train.
      season: steps of a season; 1: the last value.
      horizon: H.
      generator: chooses the windows of train whose errors are drawn.
    """

    def __init__(self, sequences: Sequences, season: int, horizon: int, generator: torch.Generator):
        self.season = season
        errors = []
        order = torch.randperm(len(sequences), generator=generator)
        for index in order[:1024].split(64):
            batch = sequences.batch(index, torch.Generator(sequences.device).manual_seed(0))
            x = filled(batch.x, batch.observed).double().cpu()
            for row, length in zip(x, batch.lengths.tolist(), strict=True):
                for start in range(season, length - horizon + 1, horizon):
                    errors.append(row[start : start + horizon] - self.again(row[None, :start], horizon)[0])
        self.errors = torch.stack(errors) if errors else None  # [E, H, D]

    def again(self, past: Tensor, horizon: int) -> Tensor:
        """The last season repeated [N, H, D]."""
        last = past[:, -self.season :]
        return last.repeat(1, math.ceil(horizon / self.season), 1)[:, :horizon]

    def sample(self, past: Tensor, horizon: int, num: int, generator: torch.Generator) -> Tensor:
        """Sample paths [N, num, horizon, D] after a past [N, T, D] of at least a season."""
        base = self.again(past.double(), horizon)[:, None].expand(-1, num, -1, -1)
        if self.errors is None:
            return base
        chosen = torch.randint(len(self.errors), (len(past), num), generator=generator)
        return base + self.errors[chosen]
