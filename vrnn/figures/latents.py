"""Latents on paper: their first two principal components, and the KL of each dimension."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

MAX_GROUPS = 10  # that have a colour of their own


def draw_latents(points: np.ndarray, colours: np.ndarray, path: Path, *, kl: Any, active: Any, colour_by: str) -> Path:
    """Draws the first two principal components of latents, and bars of the KL of each dimension.

    Args:
      points: latents of some steps [n, Z].
      colours: what colours each of them [n]: few names, or numbers.
      path: where the PNG goes.
      kl: of each dimension in nats per step [Z].
      active: whether each is active [Z].
      colour_by: what the colours are.

    Returns:
      The path.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from sklearn.decomposition import PCA

    figure = Figure(figsize=(10.0, 4.2), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, width_ratios=(1.1, 1.0))
    width = min(2, points.shape[1])
    pca = PCA(width).fit(points)
    places = pca.transform(points)
    places = places if width == 2 else np.column_stack([places, np.zeros(len(places))])
    style: dict[str, Any] = {"s": 4, "linewidths": 0, "alpha": 0.7}
    names = np.unique(colours)
    if colour_by == "step" or len(names) > MAX_GROUPS:
        numbers = colours if np.issubdtype(colours.dtype, np.number) else np.searchsorted(names, colours)
        drawn = left.scatter(*places.T, c=numbers, cmap="viridis", **style)
        figure.colorbar(drawn, ax=left, label=colour_by if colour_by == "step" else f"number of the {colour_by}")
    else:
        for name in names:
            left.scatter(*places[colours == name].T, label=f"{colour_by} {name}", **style)
        left.legend(frameon=False, fontsize=8, markerscale=3)
    shares = [*pca.explained_variance_ratio_, 0.0]
    left.set_xlabel(f"first component ({shares[0]:.0%} of the variance)")
    left.set_ylabel(f"second component ({shares[1]:.0%})" if width == 2 else "")
    kl, active = np.asarray(kl), np.asarray(active)
    order = np.argsort(kl)[::-1]
    right.bar(np.arange(len(kl)), kl[order], color=np.where(active[order], "#1f5fa8", "#b4bac4"), width=0.85)
    right.xaxis.get_major_locator().set_params(integer=True)
    right.set_xlabel("dimensions of z, the largest KL first (blue: active)")
    right.set_ylabel("KL [nats per step]")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)
    return path
