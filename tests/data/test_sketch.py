"""Files of sketch-rnn: both layouts, pickles only by permission, damage."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from tests.data.stroke_files import PARTS, drawings, drawn_steps, write_packed, write_pickled
from vrnn.data.sketch import sketch

CONF = Path(__file__).parents[2] / "conf" / "data" / "sketch.yaml"


def same(one, two) -> bool:
    return all(torch.equal(getattr(one, part).values, getattr(two, part).values) for part in PARTS)


def test_both_layouts_hold_the_same_drawings(tmp_path):
    write_packed(tmp_path / "packed.npz")
    write_pickled(tmp_path / "pickled.npz")
    packed = sketch(root=str(tmp_path), path="packed.npz")
    assert same(packed, sketch(root=str(tmp_path), path="pickled.npz", allow_pickle=True))
    assert same(packed, sketch(root="elsewhere", path=str(tmp_path / "packed.npz")))
    assert [len(getattr(packed, part)) for part in PARTS] == list(PARTS.values())


def test_sums_of_offsets_are_the_points_and_y_is_up(tmp_path):
    write_packed(tmp_path / "sketch.npz")
    splits = sketch(root=str(tmp_path), dequantise=False)
    raw = splits.standardisation.inverse(splits.valid.values)
    for steps, drawing in zip(raw.split(splits.valid.lengths.tolist()), drawings("valid"), strict=True):
        np.testing.assert_allclose(steps[:, :2].cumsum(0), drawing[1:, :2].cumsum(0) * (1, -1), atol=1e-3)
        assert steps[:, 2].tolist() == drawing[1:, 2].tolist()


class Trap:
    """Runs code when it is unpickled."""

    sprung = False

    def __reduce__(self):
        return spring, ()


def spring() -> list[np.ndarray]:
    Trap.sprung = True
    return drawings("train")


def test_pickled_files_are_refused_without_running_them_and_read_on_request(tmp_path):
    trap = np.empty(1, dtype=object)
    trap[0] = Trap()
    np.savez(tmp_path / "sketch.npz", train=trap, valid=trap, test=trap)
    with pytest.raises(ValueError, match=r"^allow_pickle must be true .* can run any code .* allow_pickle=true"):
        sketch(root=str(tmp_path))
    assert not Trap.sprung
    with pytest.raises(ValueError, match=r"has a damaged drawing \(train, drawing 0: it is no array of numbers"):
        sketch(root=str(tmp_path), allow_pickle=True)
    assert Trap.sprung  # the flag is what it says


def test_a_bare_pickle_is_damaged_and_never_run(tmp_path):
    Trap.sprung = False
    (tmp_path / "sketch.npz").write_bytes(pickle.dumps(Trap()))
    for allowed in (False, True):
        with pytest.raises(
            ValueError, match=r"is damaged or no file of sketch-rnn .*it is no zip archive, or cut short"
        ):
            sketch(root=str(tmp_path), allow_pickle=allowed)
    assert not Trap.sprung


def test_a_missing_file_says_where_such_files_are(tmp_path):
    with pytest.raises(FileNotFoundError, match=re.escape(f"{tmp_path}/cat.npz")) as caught:
        sketch(root=str(tmp_path), path="cat.npz")
    assert "give path=" in str(caught.value)
    assert "github.com" in str(caught.value)


def write(path, **changes) -> None:
    """The drawings as plain arrays, with some replaced or, where None, left out."""
    with np.load(write_packed(path)) as arrays:
        kept = {name: array for name, array in (dict(arrays) | changes).items() if array is not None}
    np.savez(path, **kept)


def test_a_missing_valid_is_taken_from_train_on_request_by_each_drawings_own_number(tmp_path):
    def make(number: int, **arguments):
        steps = [drawn_steps(4, seed) for seed in range(number)]  # of three steps each
        packed = {"train_strokes": np.concatenate(steps), "train_offsets": np.arange(number + 1) * 4}
        packed |= {"test_strokes": steps[0], "test_offsets": np.array([0, 4])}
        np.savez(tmp_path / "sketch.npz", **packed)
        splits = sketch(root=str(tmp_path), dequantise=False, **arguments)
        raw = {part: splits.standardisation.inverse(getattr(splits, part).values).round() for part in PARTS}
        drawn = {tuple(steps[n][1:].flatten().tolist()): n for n in range(number)}
        turn = torch.tensor([1.0, -1.0, 1.0])
        return {part: [drawn[tuple((v * turn).int().flatten().tolist())] for v in raw[part].split(3)] for part in raw}

    with pytest.raises(
        ValueError, match=r"^valid_fraction must be given, such as 0.05, for .*train and test but no valid"
    ):
        make(50)
    few, more, other = (
        make(200, valid_fraction=0.3),
        make(260, valid_fraction=0.3),
        make(200, valid_fraction=0.3, seed=1),
    )
    assert sorted(few["train"] + few["valid"]) == list(range(200))
    assert 40 <= len(few["valid"]) <= 80
    assert [n for n in more["valid"] if n < 200] == few["valid"] != other["valid"]


@pytest.mark.parametrize(("missing", "found"), [("test", "train and valid"), ("train", "valid and test")])
def test_a_missing_train_or_test_is_named(tmp_path, missing, found):
    write(tmp_path / "sketch.npz", **{f"{missing}_strokes": None, f"{missing}_offsets": None})
    with pytest.raises(ValueError, match=rf"has no {missing}, only {found}.*numpy.savez"):
        sketch(root=str(tmp_path))


def test_a_fraction_is_no_answer_where_there_is_a_valid(tmp_path):
    write_packed(tmp_path / "sketch.npz")
    with pytest.raises(ValueError, match=r"^valid_fraction must be null for .*has a part valid of its own"):
        sketch(root=str(tmp_path), valid_fraction=0.1)


def test_offsets_at_the_ends_of_int16_are_cut_as_sketch_rnn_cuts_them_and_counted(tmp_path):
    steps = np.array([[0, 0, 0], [32767, -32768, 0], [1000, -1001, 1], [999, 5, 1]], dtype=np.int16)
    write(tmp_path / "sketch.npz", valid_strokes=steps, valid_offsets=np.array([0, 4]))
    cut = sketch(root=str(tmp_path), dequantise=False, max_offset=1000)
    raw = cut.standardisation.inverse(cut.valid.values)
    torch.testing.assert_close(raw, torch.tensor([[1000.0, 1000, 0], [1000, 1000, 1], [999, -5, 1]]), atol=1e-3, rtol=0)
    assert cut.tally == {"drawings found": 16, "drawings used": 16, "offsets cut to 1000": 3}
    whole = sketch(root=str(tmp_path), dequantise=False)
    assert float(whole.standardisation.inverse(whole.valid.values)[0, 1]) == pytest.approx(32768)
    assert whole.tally == {"drawings found": 16, "drawings used": 16}


def test_the_config_cuts_as_sketch_rnn_does():
    config = OmegaConf.load(CONF)
    assert (config.max_offset, config.valid_fraction, config.allow_pickle) == (1000, None, False)


def test_drawings_without_a_step_are_dropped_and_counted(tmp_path):
    write(tmp_path / "sketch.npz", valid_strokes=STEPS, valid_offsets=np.array([0, 0, 2, 2, 2, 3]))
    splits = sketch(root=str(tmp_path), dequantise=False)
    assert splits.valid.lengths.tolist() == [1]
    counts = {"drawings empty": 3, "drawings of a single point": 1}
    assert splits.tally == {"drawings found": 20, **counts, "drawings used": 16}
    assert splits.files == [("sketch.npz", (tmp_path / "sketch.npz").stat().st_size)]


STEPS = np.array([[0, 0, 0], [3, 4, 0], [1, 1, 1]])


@pytest.mark.parametrize(
    "changes",
    [
        {"valid_offsets": None},
        {"valid_strokes": None},
        {"valid_strokes": STEPS, "valid_offsets": np.array([0, 2])},  # not to the end
        {"valid_strokes": STEPS, "valid_offsets": np.array([0])},  # no drawing
    ],
    ids=["no bounds", "no steps", "short bounds", "none"],
)
def test_a_file_of_another_kind_is_refused(tmp_path, changes):
    write(tmp_path / "sketch.npz", **changes)
    with pytest.raises(ValueError, match=r"sketch.npz is damaged or no file of sketch-rnn .*valid"):
        sketch(root=str(tmp_path))


def test_fractional_coordinates_are_not_dequantised(tmp_path):
    write(tmp_path / "sketch.npz", valid_strokes=STEPS / 2 * (1, 1, 2), valid_offsets=np.array([0, 3]))
    with pytest.raises(ValueError, match=r"^dequantise must be false for .*: valid, drawing 0, has 1.5$"):
        sketch(root=str(tmp_path))
    splits = sketch(root=str(tmp_path), dequantise=False)
    torch.testing.assert_close(
        splits.standardisation.inverse(splits.valid.values), torch.tensor([[1.5, -2.0, 0.0], [0.5, -0.5, 1.0]])
    )


@pytest.mark.parametrize(
    ("argument", "value"), [("x_dim", 5), ("seed", -1), ("max_offset", 0), ("max_offset", 12.5), ("valid_fraction", 1)]
)
def test_values_out_of_range_are_named(argument, value):
    with pytest.raises(ValueError, match=f"{argument} must be"):
        sketch(**{argument: value})
