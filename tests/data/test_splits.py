"""Sequences in memory: batches, epochs, buckets; standardisation as a change of variables."""

from __future__ import annotations

import pytest
import torch

from vrnn.data.splits import Sequences, Splits, Standardisation

X_DIM = 2
NUM = 203  # no multiple of any batch size below


def sequences(lengths: torch.Tensor, draw=None) -> Sequences:
    """Sequences whose values say where they stand: (number of the sequence + 1, step + 1)."""
    values = [torch.tensor([n + 1.0, t + 1.0]) for n, length in enumerate(lengths.tolist()) for t in range(length)]
    return Sequences(torch.stack(values), lengths, draw)


@pytest.fixture(params=["equal", "ragged"])
def data(request) -> Sequences:
    if request.param == "equal":
        return sequences(torch.full((NUM,), 4))
    return sequences(torch.randint(1, 40, (NUM,), generator=torch.Generator().manual_seed(0)))


@pytest.fixture
def ragged() -> Sequences:
    return sequences(torch.randint(1, 200, (1000,), generator=torch.Generator().manual_seed(0)))


# Batches


def test_a_batch_holds_the_sequences_asked_for_zero_padded_to_the_longest(data):
    index = torch.tensor([7, 0, 202, 31, 7])
    batch = data.batch(index)
    assert batch.steps == int(data.lengths[index].max())
    assert torch.equal(batch.index, index)
    assert torch.equal(batch.lengths, data.lengths[index])
    for x, number, length in zip(batch.x, index.tolist(), batch.lengths.tolist(), strict=True):
        assert (x[:length, 0] == number + 1).all()
        assert torch.equal(x[:length, 1], torch.arange(1.0, length + 1))
        assert not x[length:].any()


def test_a_draw_sees_every_visit_and_never_the_padding():
    data = sequences(torch.tensor([3, 1]), draw=lambda x, generator: x + torch.rand(x.shape, generator=generator) + 1)
    generator = torch.Generator().manual_seed(0)
    one, two = (data.batch(torch.arange(2), generator) for _ in range(2))
    assert not torch.equal(one.x, two.x)
    assert not one.x[1, 1:].any()
    again = data.batch(torch.arange(2), torch.Generator().manual_seed(0))
    assert torch.equal(one.x, again.x)
    with pytest.raises(ValueError, match="needs a generator"):
        data.batch(torch.arange(2))


def test_nan_drawn_in_the_padding_is_zero():
    data = sequences(torch.tensor([3, 1]), draw=lambda x, generator: x.index_fill(1, torch.tensor([1, 2]), torch.nan))
    batch = data.batch(torch.tensor([1, 0]), torch.Generator())
    assert batch.x[0].isfinite().all()


def test_sequences_of_equal_length_are_those_of_the_tensor():
    x = torch.randn(6, 3, X_DIM, generator=torch.Generator().manual_seed(0))
    data = Sequences.of_equal_length(x)
    assert (len(data), len(data.values), data.x_dim) == (6, 18, X_DIM)
    assert torch.equal(data.batch(torch.arange(6)).x, x)


def test_to_keeps_the_sequences_and_their_draw(data):
    drawn = Sequences(data.values, data.lengths, draw=lambda x, generator: -x).to("cpu")
    index = torch.arange(5)
    assert (len(drawn), len(drawn.values)) == (len(data), len(data.values))
    assert torch.equal(drawn.batch(index, torch.Generator()).x, -data.batch(index).x)


@pytest.mark.parametrize(
    ("steps", "lengths"),
    [(3, [1, 1]), (3, [3, 0]), (0, []), (3, [4, -1])],
    ids=["sum", "empty one", "none", "negative"],
)
def test_lengths_that_do_not_fit_are_refused(steps, lengths):
    with pytest.raises(ValueError, match=rf"got values \[{steps}, 2\] and {len(lengths)} lengths that sum to"):
        Sequences(torch.zeros(steps, X_DIM), torch.tensor(lengths, dtype=torch.int64))


# Epochs


@pytest.mark.parametrize("batch_size", [1, 8, NUM, 500])
def test_an_epoch_visits_every_sequence_once(data, batch_size):
    batches = data.shuffled(batch_size, seed=0, epoch=0)
    assert torch.cat(batches).sort().values.tolist() == list(range(NUM))
    sizes = sorted(len(index) for index in batches)
    assert sizes[1:] == [batch_size] * (len(batches) - 1)
    assert 1 <= sizes[0] <= batch_size


def test_order_is_a_pure_function_of_seed_and_epoch(data):
    def order(seed: int, epoch: int) -> list[list[int]]:
        torch.rand(1)  # the global generator moves on
        return [index.tolist() for index in data.shuffled(8, seed, epoch)]

    assert order(0, 3) == order(0, 3)
    orders = [order(seed, epoch) for seed in (0, 1, -1) for epoch in range(3)]
    assert all(a != b for i, a in enumerate(orders) for b in orders[:i])


def test_the_global_generator_is_left_alone(data):
    state = torch.get_rng_state()
    data.shuffled(8, seed=0, epoch=0)
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("batch_size", [1, 8, 500])
def test_evaluation_visits_every_sequence_once_shortest_first(data, batch_size):
    batches = list(data.by_length(batch_size))
    order = torch.cat(batches)
    assert order.sort().values.tolist() == list(range(NUM))
    assert (data.lengths[order].diff() >= 0).all()
    assert [len(index) for index in batches[:-1]] == [batch_size] * (-(-NUM // batch_size) - 1)


def padded_share(data: Sequences, batches: list[torch.Tensor]) -> float:
    return 1 - len(data.values) / sum(len(index) * int(data.lengths[index].max()) for index in batches)


def test_buckets_reduce_padding(ragged):
    order = torch.randperm(len(ragged), generator=torch.Generator().manual_seed(0))
    plain = padded_share(ragged, list(order.split(8)))
    assert plain > 0.4
    assert padded_share(ragged, ragged.shuffled(8, seed=0, epoch=0)) < plain / 5


def test_buckets_do_not_order_the_epoch_by_length_nor_fix_who_meets_whom(ragged):
    longest = torch.tensor([int(ragged.lengths[index].max()) for index in ragged.shuffled(8, seed=0, epoch=0)])
    trend = torch.corrcoef(torch.stack([longest.double(), torch.arange(len(longest)).double()]))[0, 1]
    assert trend.abs() < 0.3
    sets = [{frozenset(index.tolist()) for index in ragged.shuffled(8, seed=0, epoch=epoch)} for epoch in range(2)]
    assert not sets[0] & sets[1]


# Standardisation


@pytest.fixture
def standardisation() -> Standardisation:
    return Standardisation(mean=torch.tensor([3.0, -1.0], dtype=torch.float64), std=torch.tensor([0.5, 20.0]).double())


def test_inverse_undoes_forward(standardisation):
    raw = torch.randn(4, 5, X_DIM, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(standardisation.inverse(standardisation.forward(raw)), raw)
    torch.testing.assert_close(standardisation.forward(standardisation.inverse(raw)), raw)
    assert standardisation.forward(raw.float()).dtype == torch.float32


def test_log_det_is_the_change_of_variables(standardisation):
    # x ~ N(0, 1), so raw = mean + std x ~ N(mean, std^2): both densities are known.
    raw = torch.randn(7, X_DIM, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 10
    log_px = torch.distributions.Normal(0.0, 1.0).log_prob(standardisation.forward(raw)).sum(-1)
    log_praw = torch.distributions.Normal(standardisation.mean, standardisation.std).log_prob(raw).sum(-1)
    torch.testing.assert_close(log_px - standardisation.log_det, log_praw)


def test_log_det_is_that_of_the_jacobian(standardisation):
    raw = torch.zeros(X_DIM, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(standardisation.forward, raw)
    assert -float(torch.linalg.slogdet(jacobian).logabsdet) == pytest.approx(standardisation.log_det)


def test_identity_changes_nothing():
    identity = Standardisation.identity(X_DIM)
    raw = torch.randn(3, X_DIM, generator=torch.Generator().manual_seed(0))
    assert torch.equal(identity.forward(raw), raw)
    assert torch.equal(identity.inverse(raw), raw)
    assert identity.log_det == 0.0


def test_splits_know_x_dim(data):
    splits = Splits(data, data, data, Standardisation.identity(X_DIM))
    assert splits.x_dim == X_DIM
    assert (splits.sample_rate, splits.caution, splits.levels) == (None, None, None)


def test_raw_values_are_drawn_or_what_they_stand_for(data, standardisation):
    x = torch.ones(1, X_DIM)
    plain = Splits(data, data, data, standardisation)
    assert torch.equal(plain.pictured(x), standardisation.inverse(x))
    scaled = Splits(data, data, data, standardisation, signal=lambda raw: raw / 8)
    assert torch.equal(scaled.pictured(x), standardisation.inverse(x) / 8)


def test_values_that_stay_give_batches_elsewhere(data):
    staying = Sequences(data.values, data.lengths, batch_device="cpu").to("meta")
    assert (staying.values.device.type, staying.device.type) == ("cpu", "meta")
    assert staying.batch(torch.arange(3)).x.device.type == "meta"
    assert torch.equal(staying.to("cpu").batch(torch.arange(3)).x, data.batch(torch.arange(3)).x)
    assert data.to("meta").values.device.type == "meta"
