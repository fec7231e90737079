"""Batch: masks, and padding that is zero whatever stood there."""

from __future__ import annotations

import pytest
import torch

from vrnn.batch import Batch

SIZE, STEPS, X_DIM = 3, 5, 2
LENGTHS = torch.tensor([5, 1, 3])


@pytest.fixture
def x() -> torch.Tensor:
    return torch.randn(SIZE, STEPS, X_DIM, generator=torch.Generator().manual_seed(0))


def test_mask_is_true_on_as_many_first_steps_as_the_length(x):
    mask = Batch.of(x, LENGTHS).mask
    assert mask.dtype == torch.bool
    assert mask.tolist() == [[step < length for step in range(STEPS)] for length in LENGTHS.tolist()]


def test_real_steps_are_kept_and_padding_is_zero(x):
    batch = Batch.of(x, LENGTHS)
    for got, given, length in zip(batch.x, x, LENGTHS.tolist(), strict=True):
        assert torch.equal(got[:length], given[:length])
        assert not got[length:].any()


@pytest.mark.parametrize("rubbish", [float("nan"), float("inf")])
def test_rubbish_in_the_padding_reaches_neither_values_nor_gradients(x, rubbish):
    clean = Batch.of(x, LENGTHS)
    dirty = Batch.of(torch.where(clean.mask[..., None], x, rubbish), LENGTHS)
    assert torch.equal(clean.x, dirty.x)
    weight = torch.ones(X_DIM, requires_grad=True)
    torch.where(dirty.mask, dirty.x @ weight, 0.0).sum().backward()
    assert weight.grad.isfinite().all()


def test_the_given_tensor_is_left_as_it_was(x):
    before = x.clone()
    Batch.of(x, LENGTHS)
    assert torch.equal(x, before)


def test_by_default_all_steps_are_real_and_sequences_are_numbered(x):
    batch = Batch.of(x)
    assert (batch.size, batch.steps) == (SIZE, STEPS)
    assert torch.equal(batch.x, x)
    assert batch.mask.all()
    assert batch.lengths.tolist() == [STEPS] * SIZE
    assert batch.index.tolist() == list(range(SIZE))


def test_a_batch_does_not_change(x):
    with pytest.raises(AttributeError):
        Batch.of(x).x = x


@pytest.mark.parametrize("shape", [(SIZE, STEPS), (SIZE, STEPS, X_DIM, 1)])
def test_x_of_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match=r"x must have the shape \[B, T, D\]"):
        Batch(torch.zeros(shape), LENGTHS, torch.arange(SIZE))


@pytest.mark.parametrize("name", ["lengths", "index"])
def test_a_wrong_number_of_lengths_or_numbers_is_refused(x, name):
    parts = {"lengths": LENGTHS, "index": torch.arange(SIZE)}
    parts[name] = torch.ones(SIZE + 1, dtype=torch.int64)
    with pytest.raises(ValueError, match=rf"{name} must have the shape \[3\].*got \[4\]"):
        Batch(x, **parts)


def test_repeated_puts_each_sequences_copies_side_by_side(x):
    batch = Batch.of(x, LENGTHS, torch.tensor([7, 3, 5]))
    folded = batch.repeated(4)
    assert folded.size == 12
    for name in ("x", "lengths", "index", "mask"):
        rows = getattr(folded, name).unflatten(0, (SIZE, 4))
        for copy in rows.unbind(1):
            assert torch.equal(copy, getattr(batch, name))


@pytest.mark.parametrize("steps", [1, 2, 4, 5, 9])
def test_chunks_are_the_batch_cut_in_time(x, steps: int):
    batch = Batch.of(x, LENGTHS, torch.tensor([7, 3, 5]))
    chunks = list(batch.chunks(steps))
    assert [chunk.steps for chunk in chunks] == [min(steps, STEPS - start) for start in range(0, STEPS, steps)]
    assert torch.equal(torch.cat([chunk.x for chunk in chunks], 1), batch.x)
    assert torch.equal(torch.cat([chunk.mask for chunk in chunks], 1), batch.mask)
    assert torch.equal(sum(chunk.lengths for chunk in chunks), batch.lengths)
    assert all(torch.equal(chunk.index, batch.index) for chunk in chunks)


def test_one_chunk_without_a_limit_is_the_batch(x):
    batch = Batch.of(x, LENGTHS)
    (whole,) = batch.chunks(None)
    for name in ("x", "lengths", "index", "mask"):
        assert torch.equal(getattr(whole, name), getattr(batch, name))
