"""Frames of recordings: nothing is made up, nothing is lost but ends, and train alone sets the scale."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.data.recording_files import clip
from vrnn.data.recordings.clips import Clip
from vrnn.data.recordings.framing import PARTS, Framing, frame
from vrnn.data.splits import Splits

RATE, X_DIM = 8000, 20
LENGTHS = {"train": (1009, 19, 400, 731), "valid": (540,), "test": (20, 777)}  # 19 is shorter than a frame


def recording(number: int, num_samples: int, gain: float = 1.0) -> Clip:
    samples = np.rint(gain * clip(number, num_samples, RATE)).astype(np.float32)
    return Clip(str(number), Path(__file__), RATE, num_samples, lambda: samples)


@pytest.fixture
def parts() -> dict[str, list[Clip]]:
    numbers = iter(range(100))
    return {part: [recording(next(numbers), length) for length in LENGTHS[part]] for part in PARTS}


def whole_frames(clips: list[Clip], samples_of_a_sequence: int = X_DIM) -> np.ndarray:
    """What may remain of clips, end to end."""
    kept = (one.decode()[: one.num_samples // samples_of_a_sequence * samples_of_a_sequence] for one in clips)
    return np.concatenate([*kept])


def raw(splits: Splits, part: str) -> np.ndarray:
    return splits.standardisation.inverse(getattr(splits, part).values).numpy().ravel()


@pytest.mark.parametrize(("num_frames", "samples"), [(None, X_DIM), (3, 3 * X_DIM)])
def test_framing_loses_nothing_but_ends(parts, num_frames, samples):
    splits = frame(parts, Framing(X_DIM, RATE, 0, num_frames, quantize=65_536))
    for part in PARTS:
        np.testing.assert_allclose(raw(splits, part) - 32_768, whole_frames(parts[part], samples), atol=0.01)


def test_a_sequence_is_a_clip_or_num_frames_of_it(parts):
    whole, cut = (frame(parts, Framing(X_DIM, RATE, 0, num_frames)) for num_frames in (None, 3))
    assert whole.train.lengths.tolist() == [50, 20, 36]
    assert whole.test.lengths.tolist() == [1, 38]
    assert cut.train.lengths.tolist() == [3] * (16 + 6 + 12)
    assert cut.test.lengths.tolist() == [3] * 12


def test_the_noise_of_one_step_is_all_that_is_added(parts):
    splits = frame(parts, Framing(X_DIM, RATE, 0))
    for part in PARTS:
        expected = whole_frames(parts[part])
        np.testing.assert_allclose(raw(splits, part), expected, atol=0.51)
        assert np.mean(np.rint(raw(splits, part)) == expected) > 0.99
    assert (splits.sample_rate, splits.levels, splits.x_dim) == (RATE, 65_536, X_DIM)


def test_one_scalar_mean_and_std_of_train(parts):
    splits = frame(parts, Framing(X_DIM, RATE, 0))
    values = splits.train.values.double()
    assert float(values.mean()) == pytest.approx(0, abs=1e-6)
    assert float(values.std(correction=0)) == pytest.approx(1, abs=1e-6)
    assert len(splits.standardisation.mean.unique()) == len(splits.standardisation.std.unique()) == 1
    expected = whole_frames(parts["train"])
    assert float(splits.standardisation.std[0]) == pytest.approx(expected.std(), rel=1e-3)


@pytest.mark.parametrize("quantize", [None, 256])
def test_other_parts_do_not_change_a_part(parts, quantize):
    framing = Framing(X_DIM, RATE, 0, quantize=quantize)
    before = frame(parts, framing)
    after = frame(parts | {"test": [recording(7, 2000, gain=3.0)], "valid": [recording(8, 100)]}, framing)
    assert torch.equal(before.train.values, after.train.values)
    assert torch.equal(before.standardisation.std, after.standardisation.std)
    assert not torch.equal(before.test.values, after.test.values)
    more = frame(parts | {"train": [recording(9, 333), *parts["train"]]}, Framing(X_DIM, RATE, 0, quantize=256))
    assert torch.equal(more.valid.values, frame(parts, Framing(X_DIM, RATE, 0, quantize=256)).valid.values)


def test_the_seed_makes_the_noise(parts):
    one, same, other = (frame(parts, Framing(X_DIM, RATE, seed)).train.values for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(*(frame(parts, Framing(X_DIM, RATE, seed, quantize=256)).train.values for seed in (0, 1)))


@pytest.mark.parametrize("mu_law", [False, True])
@pytest.mark.parametrize("levels", [2, 256, 65_536])
def test_quantised_values_lie_on_a_grid_from_minus_1_to_1(parts, levels, mu_law):
    splits = frame(parts, Framing(X_DIM, RATE, 0, quantize=levels, mu_law=mu_law))
    assert splits.levels == levels
    assert float(splits.train.values.abs().max()) <= 1
    points = (splits.train.values.double() + 1) * (levels - 1) / 2
    torch.testing.assert_close(points, points.round(), atol=1e-2, rtol=0)
    assert len(points.round().unique()) >= min(levels, 60)
    assert splits.standardisation.log_det == pytest.approx(X_DIM * np.log((levels - 1) / 2), rel=1e-6)


@pytest.mark.parametrize(("quantize", "mu_law", "error"), [(None, False, 1), (4096, False, 9), (4096, True, 11)])
def test_what_is_drawn_is_the_waveform_itself(parts, quantize, mu_law, error):
    splits = frame(parts, Framing(X_DIM, RATE, 0, quantize=quantize, mu_law=mu_law))
    drawn = splits.pictured(splits.train.values).numpy().ravel()
    np.testing.assert_allclose(drawn * 32_768, whole_frames(parts["train"]), atol=error)


def test_resampled_clips_are_framed_at_the_new_rate(parts):
    splits = frame(parts, Framing(X_DIM, 2 * RATE, 0))
    assert splits.sample_rate == 2 * RATE
    assert splits.train.lengths.tolist() == [100, 1, 40, 73]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x_dim": 0}, "x_dim must be at least 1, got 0"),
        ({"sample_rate": 0}, "sample_rate must be at least 1, got 0"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"num_frames": 0}, "num_frames must be at least 1, got 0"),
        ({"quantize": 1}, "quantize must be at least 2, got 1"),
        ({"quantize": 65_537}, "quantize must be at most 65536"),
        ({"mu_law": True}, "mu_law needs quantize"),
    ],
)
def test_what_is_out_of_range_is_named(arguments, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        Framing(**({"x_dim": X_DIM, "sample_rate": RATE, "seed": 0} | arguments))


def test_a_part_without_a_sequence_is_named(parts):
    with pytest.raises(
        ValueError, match=r"^x_dim leaves valid without a sequence: none of its 1 clips has 600 samples"
    ):
        frame(parts, Framing(600, RATE, 0))
    with pytest.raises(ValueError, match="leaves test without a sequence: none of its 0 clips"):
        frame(parts | {"test": []}, Framing(X_DIM, RATE, 0))
