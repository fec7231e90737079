"""A batch over several threads: the same terms and gradients, whatever the number of threads."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tests.training.conftest import ADAM, SETTINGS
from vrnn.batch import Batch
from vrnn.likelihoods.gaussian import Gaussian
from vrnn.models.recurrence import GRU, LSTM, Recurrence
from vrnn.models.vrnn import VRNN
from vrnn.objectives.elbo import ELBO
from vrnn.objectives.iwae import IWAE
from vrnn.training.progress import Observer
from vrnn.training.trainer import Trainer
from vrnn.training.update import Update
from vrnn.training.workers import Split, one_thread_each, parts_of

D, Z, H = 3, 2, 7


def make(cell: type[Recurrence]) -> VRNN:
    torch.manual_seed(0)
    return VRNN(D, Z, Gaussian(D), lambda x, z: cell(x, z, H), [6], [4], [5], [5], [8]).double()


def case(size: int = 21, samples: int = 1) -> tuple[Batch, Tensor]:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(size, 5, D, generator=generator, dtype=torch.float64)
    lengths = torch.randint(1, 6, (size,), generator=generator)
    return Batch.of(x, lengths), torch.randn(size * samples, 5, Z, generator=generator, dtype=torch.float64)


@pytest.fixture(autouse=True)
def _however_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vrnn.training.workers.SMALL", 0.0)


@pytest.mark.parametrize(("rows", "workers"), [(1, 2), (8, 2), (9, 2), (64, 3), (100, 4), (17, 16)])
def test_parts_are_all_of_the_rows_and_at_most_one_for_each_worker(rows: int, workers: int):
    sizes = parts_of(rows, workers)
    assert sum(sizes) == rows
    assert 1 <= len(sizes) <= workers
    assert all(size % 8 == 0 for size in sizes[:-1])


@pytest.mark.parametrize("cell", [GRU, LSTM])
@pytest.mark.parametrize("workers", [2, 3])
@pytest.mark.parametrize("objective", [ELBO(lambda _: 0.5, lambda _: 0.1), IWAE(3)], ids=["elbo", "iwae"])
def test_the_estimate_and_the_gradient_are_those_of_one_thread(cell, workers: int, objective):
    model = make(cell)
    batch, noise = case(samples=objective.num_samples)
    split = Split(model, model, workers)
    start = objective(model, batch, 0, noise).state
    start = type(start)(*(field.detach() for field in start))
    found = []
    for forward in (model, split, split):
        estimate = objective(forward, batch, 0, noise, start)
        grads = torch.autograd.grad(estimate.loss, list(model.parameters()))
        found.append([estimate.loss.detach(), estimate.bound, *estimate.state, *grads])
    for one, two, again in zip(*found, strict=True):
        torch.testing.assert_close(two.detach(), one.detach(), rtol=1e-9, atol=1e-12)
        assert two.equal(again)  # bit for bit


def test_frozen_parts_and_errors_pass_through_the_threads():
    model = make(GRU)
    model.phi_z.requires_grad_(False)
    split, (batch, noise) = Split(model, model, 2), case()
    sum(term.sum() for term in split(batch, noise)[0]).backward()
    named = dict(model.named_parameters())
    assert {name for name in named if named[name].grad is None} == {name for name in named if "phi_z" in name}
    model.emission_net.from_b = nn.Linear(1, 1).double()
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        split(batch, noise)


def test_threads_are_given_back_after_an_update():
    model = make(GRU).float()
    former = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        settings = Trainer(**SETTINGS).settings
        update = Update(settings, model, ELBO(lambda _: 1.0, lambda _: 0.0), ADAM(model.parameters()), Observer())
        assert isinstance(update.gradient.model, Split)
        batch, noise = case()
        batch = Batch(batch.x.float(), batch.lengths, batch.index)
        assert update.apply(batch, 0, noise.float(), None, 1.0)[1].isfinite()
        assert torch.get_num_threads() == 2
        with one_thread_each() as threads:
            assert (threads, torch.get_num_threads()) == (2, 1)
    finally:
        torch.set_num_threads(former)
    alone = Update(settings, model, ELBO(lambda _: 1.0, lambda _: 0.0), ADAM(model.parameters()), Observer())
    assert not isinstance(alone.gradient.model, Split)
