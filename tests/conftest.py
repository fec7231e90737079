"""Shared sizes, models and batches. All sizes differ, so that swapped axes cannot pass unseen."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch

from tests.datasets import SmallDataset, make_dataset
from vrnn.batch import Batch
from vrnn.likelihoods.base import Likelihood
from vrnn.likelihoods.bernoulli import Bernoulli
from vrnn.likelihoods.bivariate_gmm import BivariateGMM
from vrnn.likelihoods.discretized_logistics import DiscretizedLogistics
from vrnn.likelihoods.gaussian import Gaussian
from vrnn.likelihoods.gmm import GMM
from vrnn.models.base import SequenceModel
from vrnn.models.recurrence import GRU, LSTM
from vrnn.models.rnn import RNN
from vrnn.models.vrnn import VRNN

pytest_plugins = ("tests.experiments.fixtures",)  # the command line, for tests/experiments and tests/faults

torch.set_num_threads(1)  # small tensors, and no fight over the cores

SIZES = SimpleNamespace(B=4, T=5, D=3, Z=2, H=7)  # D = 3 fits every likelihood
RECURRENCES = {"gru": GRU, "lstm": LSTM}
LIKELIHOODS = {
    "bernoulli": Bernoulli,
    "gaussian": Gaussian,
    "bivariate_gmm": BivariateGMM,
    "gmm": lambda x_dim: GMM(x_dim, num_components=6),
    "discretized_logistics": lambda x_dim: DiscretizedLogistics(x_dim, levels=21, num_components=6),
}
NETS = {"phi_x": [8, 9], "phi_z": [10], "prior": [11], "posterior": [12, 13], "emission": [15, 14]}


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture
def sizes() -> SimpleNamespace:
    return SIZES


@pytest.fixture(scope="session")
def small_dataset(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], SmallDataset]:
    """A dataset by its option in conf/data/, small, made once."""
    return functools.cache(lambda dataset: make_dataset(dataset, tmp_path_factory.mktemp(dataset)))


@pytest.fixture(scope="session")
def make_vrnn() -> Callable[..., VRNN]:
    """VRNN of the shared sizes in float64, its weights drawn from `seed`; keywords change its arguments."""

    def make(recurrence: str = "gru", likelihood: str = "gaussian", *, seed: int = 0, **changes) -> VRNN:
        torch.manual_seed(seed)
        h_dim = changes.pop("h_dim", SIZES.H)
        x_dim = changes.pop("x_dim", SIZES.D)
        arguments = {"z_dim": SIZES.Z, **NETS, **changes}
        build = RECURRENCES[recurrence]
        return VRNN(
            x_dim,
            likelihood=LIKELIHOODS[likelihood](x_dim),
            recurrence=lambda *widths: build(*widths, h_dim),
            **arguments,
        ).double()

    return make


@pytest.fixture(scope="session")
def make_rnn() -> Callable[..., RNN]:
    """RNN of the shared sizes in float64, its weights drawn from `seed`; keywords change its arguments."""

    def make(recurrence: str = "gru", likelihood: str = "gaussian", *, seed: int = 0, **changes) -> RNN:
        torch.manual_seed(seed)
        h_dim = changes.pop("h_dim", SIZES.H)
        x_dim = changes.pop("x_dim", SIZES.D)
        arguments = {name: NETS[name] for name in ("phi_x", "emission")} | changes
        build = RECURRENCES[recurrence]
        return RNN(
            x_dim,
            likelihood=LIKELIHOODS[likelihood](x_dim),
            recurrence=lambda *widths: build(*widths, h_dim),
            **arguments,
        ).double()

    return make


@pytest.fixture(params=list(itertools.product(RECURRENCES, LIKELIHOODS)), ids="-".join)
def model(request: pytest.FixtureRequest, make_vrnn: Callable[..., VRNN]) -> VRNN:
    """A VRNN with each recurrence under each likelihood."""
    return make_vrnn(*request.param)


@pytest.fixture
def make_x() -> Callable[..., torch.Tensor]:
    """Values [..., D] in float64 that the likelihood can model."""

    def make(likelihood: Likelihood, *shape: int, seed: int = 1) -> torch.Tensor:
        x = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        try:
            likelihood.check(x.flatten(0, -2))
        except ValueError:  # it models other values than any real ones: its own draws are such
            params = torch.randn(
                *shape[:-1], likelihood.param_dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
            )
            return likelihood(2.0 * params).sample(torch.Generator().manual_seed(seed))
        return x

    return make


@pytest.fixture
def make_batch(make_x: Callable[..., torch.Tensor]) -> Callable[..., Batch]:
    """A batch that fits the model: `steps` long, or ragged with `lengths`."""

    def make(
        model: SequenceModel, size: int = SIZES.B, steps: int = SIZES.T, lengths: list[int] | None = None, seed: int = 1
    ):
        x = make_x(model.likelihood, size, steps, model.likelihood.x_dim, seed=seed)
        return Batch.of(x, None if lengths is None else torch.tensor(lengths))

    return make


@pytest.fixture
def make_noise() -> Callable[..., torch.Tensor]:
    """Standard normal noise [*shape] in float64."""

    def make(*shape: int, seed: int = 2) -> torch.Tensor:
        return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)

    return make
