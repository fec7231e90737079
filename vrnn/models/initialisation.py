"""The weights that a model starts with."""

from __future__ import annotations

import torch
from torch import nn


def as_torch(model: nn.Module) -> None:
    """Leaves every layer as it was made: U(-1/sqrt(n), 1/sqrt(n)), n the fan-in, of the recurrence H."""


@torch.no_grad()
def as_paper(model: nn.Module, bound: float = 0.08) -> None:
    """Weights U(-bound, bound), each gate's recurrent matrix orthogonal, biases 0: as in the code of Chung et al. 2015.

    The biases of standard deviations are not set here: the model's and the likelihood's `sigma_bias` give them.

    Args:
      model: its recurrences each have a layer `from_h`.
      bound: of the uniform distribution.
    """
    for parameter in model.parameters():
        if parameter.dim() > 1:
            nn.init.uniform_(parameter, -bound, bound)
        else:
            nn.init.zeros_(parameter)
    for name, recurrent in model.named_parameters():  # [gates H, H]
        if name.endswith("from_h.weight"):
            for gate in recurrent.split(recurrent.shape[1]):
                nn.init.orthogonal_(gate)
