"""An emission that sees inside the frame: each value of a step depends on those before it.

As the decoder of PixelVAE (Gulrajani et al. 2017, arXiv 1611.05013), and as Lai, Dai et al. 2019 gave it to RNN and
VRNN alike ("Re-examination of the Role of Latent Variables in Sequence Modeling", arXiv 1902.01388).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vrnn.distributions import Distribution
from vrnn.likelihoods.base import Likelihood
from vrnn.nn import MaskedLinear, full_precision, require_at_least


class Conditionals(NamedTuple):
    """p(x) = prod_d p(x_d | x_1, ..., x_{d-1}).

    Attributes:
      emission: the conditionals' net.
      params: what the model's own emission gives of a step [..., P].
    """

    emission: Autoregressive
    params: Tensor

    @property
    def mean(self) -> Tensor:
        """The mean of each value given the means of those before it: E[x] where conditional means are linear in x.

        Elsewhere E[x] has no closed form, and this stands for it.
        """
        return self._one_by_one(lambda distribution: distribution.mean)

    def log_prob(self, x: Tensor) -> Tensor:
        return self.emission.given(self.params, x).log_prob(x)

    @torch.no_grad()
    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        return self._one_by_one(lambda distribution: distribution.sample(generator))

    def _one_by_one(self, value_of: Callable[[Distribution], Tensor]) -> Tensor:
        """x [..., D], each value from its distribution given those before it."""
        x_dim = self.emission.x_dim
        x = self.params.new_zeros(*self.params.shape[:-1], x_dim)
        number = torch.arange(x_dim, device=x.device)
        for d in range(x_dim):  # what stands in x from d on is seen by no parameter of dimension d
            x = torch.where(number == d, value_of(self.emission.given(self.params, x)), x)
        return x


class Autoregressive(nn.Module, Likelihood):
    """p(x_t) = prod_d p(x_{t,d} | x_{t,1}, ..., x_{t,d-1}, h_{t-1}, z_t), by a masked net (MADE; Germain et al. 2015).

    The model's emission gives the parameters of a likelihood that factorises, and a context [C]. The net, here with one
    hidden layer, adds to these parameters what the values before say:

      a      = relu(W x + context)    unit k sees x_1 to x_{m_k}, with m_k spread evenly over 1 to D - 1
      given  = params + V a + L x     those of x_d see x_1 to x_{d-1}, and the units with m_k < d

    So the density takes one pass, and sampling D of them. The parameters [..., P] are those of the likelihood, and then
    the context.

    Args:
      likelihood: of one value given those before it; it must factorise over the values of a step.
      hidden: widths of the net's hidden layers; C is the first. Without any there is L alone.

    Raises:
      ValueError: the likelihood does not factorise, there is one value in a step, or a width is below 1.
    """

    def __init__(self, likelihood: Likelihood, hidden: Sequence[int]):
        super().__init__()
        dims, x_dim = likelihood.dims_of_params(), likelihood.x_dim
        if dims is None:
            raise ValueError(
                f"a {likelihood.label} does not factorise over the values of a step, so it cannot have each depend on "
                "those before it; choose likelihood=gaussian, bernoulli or discretized_logistics, or "
                "emission=factorised"
            )
        if x_dim < 2:
            raise ValueError(
                "a step must have at least 2 values for one to depend on another, and x_dim is 1; choose "
                "emission=factorised"
            )
        require_at_least(1, **{f"hidden[{i}]": width for i, width in enumerate(hidden)})
        self.likelihood = likelihood
        self.x_dim = x_dim
        self.context_dim = hidden[0] if hidden else 0
        self.param_dim = likelihood.param_dim + self.context_dim
        self.label = f"autoregressive {likelihood.label}"
        self.reference = likelihood.reference
        self.discrete = likelihood.discrete
        # A unit of degree m sees x_1 to x_m. Odd multiples keep the mean at D / 2, so that size is linear in width.
        values = range(1, x_dim + 1)
        units = [[1 + (2 * k + 1) * (x_dim - 1) // (2 * width) for k in range(width)] for width in hidden]
        self.direct = MaskedLinear(values, dims, bias=False)
        degrees = itertools.pairwise([values, *units])
        self.layers = nn.ModuleList(MaskedLinear(*pair, bias=i > 0) for i, pair in enumerate(degrees))
        self.head = MaskedLinear(units[-1], dims, bias=False) if hidden else None

    def forward(self, params: Tensor) -> Conditionals:
        return Conditionals(self, params)

    def given(self, params: Tensor, x: Tensor) -> Distribution:
        """All conditionals at once: the distribution of each x_d given the values before it in x.

        Args:
          params: what the model's emission gives [..., P].
          x: values of the step [..., D].
        """
        params, hidden = params.split([self.likelihood.param_dim, self.context_dim], -1)
        added = self.direct(x)  # [..., P]
        if self.head is not None:
            values = x
            for i, layer in enumerate(self.layers):
                hidden = (layer(values) + hidden if i == 0 else layer(values)).relu()
                values = hidden
            added = added + self.head(hidden)
        return self.likelihood(params + full_precision(added))

    def initial_params(self) -> Tensor:
        """Those of the likelihood, and a context of 0."""
        return torch.cat([self.likelihood.initial_params(), torch.zeros(self.context_dim)])

    def fit(self, x: Tensor) -> Tensor:
        """The fit of the likelihood, and a context of 0."""
        found = self.likelihood.fit(x)
        return torch.cat([found, found.new_zeros(self.context_dim)])

    @property
    def plain(self) -> Likelihood:
        return self.likelihood.plain

    def caution(self, x: Tensor) -> str | None:
        return self.likelihood.caution(x)

    def check(self, x: Tensor) -> None:
        self.likelihood.check(x)
