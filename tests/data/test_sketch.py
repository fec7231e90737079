"""Files of sketch-rnn: both layouts, pickles only by permission, damage."""

from __future__ import annotations

import pickle
import re

import numpy as np
import pytest
import torch

from tests.data.stroke_files import PARTS, drawings, write_packed, write_pickled
from vrnn.data.sketch import sketch


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
    with pytest.raises(ValueError, match=r"^allow_pickle must be true .* can run any code .* data.allow_pickle=true"):
        sketch(root=str(tmp_path))
    assert not Trap.sprung
    with pytest.raises(ValueError, match="no file of sketch-rnn"):
        sketch(root=str(tmp_path), allow_pickle=True)
    assert Trap.sprung  # the flag is what it says


def test_a_bare_pickle_is_damaged_and_never_run(tmp_path):
    Trap.sprung = False
    (tmp_path / "sketch.npz").write_bytes(pickle.dumps(Trap()))
    for allowed in (False, True):
        with pytest.raises(ValueError, match="is damaged: it is no npz file"):
            sketch(root=str(tmp_path), allow_pickle=allowed)
    assert not Trap.sprung


def test_a_missing_file_says_where_such_files_are(tmp_path):
    with pytest.raises(FileNotFoundError, match=re.escape(f"{tmp_path}/cat.npz")) as caught:
        sketch(root=str(tmp_path), path="cat.npz")
    assert "data.path=" in str(caught.value)
    assert "github.com" in str(caught.value)


def write(path, **changes) -> None:
    """The drawings as plain arrays, with some replaced or, where None, left out."""
    with np.load(write_packed(path)) as arrays:
        kept = {name: array for name, array in (dict(arrays) | changes).items() if array is not None}
    np.savez(path, **kept)


STEPS = np.array([[0, 0, 0], [3, 4, 0], [1, 1, 1]])


@pytest.mark.parametrize(
    "changes",
    [
        {"valid_offsets": None},
        {"valid_strokes": None},
        {"valid_strokes": STEPS, "valid_offsets": np.array([0, 2])},  # not to the end
        {"valid_strokes": STEPS, "valid_offsets": np.array([0, 2, 2, 3])},  # an empty drawing
        {"valid_strokes": STEPS, "valid_offsets": np.array([0])},  # no drawing
        {"valid_strokes": STEPS[:, :2], "valid_offsets": np.array([0, 3])},
        {"valid_strokes": STEPS * 2, "valid_offsets": np.array([0, 3])},  # pen-up of 2
        {"valid_strokes": np.where(STEPS == 4, np.inf, STEPS), "valid_offsets": np.array([0, 3])},
    ],
    ids=["no bounds", "no steps", "short bounds", "empty", "none", "no pen", "pen 2", "infinite"],
)
def test_a_file_of_another_kind_is_refused(tmp_path, changes):
    write(tmp_path / "sketch.npz", **changes)
    with pytest.raises(ValueError, match=r"sketch.npz is damaged or no file of sketch-rnn .*valid"):
        sketch(root=str(tmp_path))


def test_fractional_coordinates_are_not_dequantised(tmp_path):
    write(tmp_path / "sketch.npz", valid_strokes=STEPS / 2 * (1, 1, 2), valid_offsets=np.array([0, 3]))
    with pytest.raises(ValueError, match="dequantise must be false"):
        sketch(root=str(tmp_path))
    splits = sketch(root=str(tmp_path), dequantise=False)
    torch.testing.assert_close(
        splits.standardisation.inverse(splits.valid.values), torch.tensor([[1.5, -2.0, 0.0], [0.5, -0.5, 1.0]])
    )


@pytest.mark.parametrize(("argument", "value"), [("x_dim", 5), ("seed", -1)])
def test_values_out_of_range_are_named(argument, value):
    with pytest.raises(ValueError, match=f"{argument} must be"):
        sketch(**{argument: value})
