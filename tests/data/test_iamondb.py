"""IAM-OnDB: lines, lists and what is said when one is missing or damaged; all files are written here."""

from __future__ import annotations

import re
from functools import partial

import numpy as np
import pytest
import torch

from tests.data.stroke_files import FORMS, LINES, line_strokes, line_xml, write_iamondb
from vrnn.data.iamondb import iamondb, read_line
from vrnn.data.ink.strokes import fit_joint_scalar

LISTS = {"train": "trainset.txt", "valid": "testset_v.txt", "test": "testset_f.txt"}
PAPER = {
    "train_lists": ["trainset.txt", "testset_t.txt", "testset_f.txt"],
    "valid_lists": ["testset_v.txt"],
    "test_lists": ["testset_v.txt"],
}


@pytest.fixture
def root(tmp_path):
    write_iamondb(tmp_path)
    return tmp_path


@pytest.fixture
def make(root):
    return partial(iamondb, root=str(root))


def points(*names: str) -> list[np.ndarray]:
    """Points (x, y up) [N, 2] of every line of the lists."""
    lines = [line_strokes(form, line) for name in names for form in FORMS[name] for line in range(1, LINES + 1)]
    return [np.concatenate(strokes) * (1, -1) for strokes in lines]


@pytest.mark.parametrize("part", LISTS)
def test_sums_of_offsets_are_the_points_of_the_listed_forms(make, part):
    splits = make()
    sequences, expected = getattr(splits, part), points(LISTS[part])
    raw = splits.standardisation.inverse(sequences.values.double())
    for steps, line in zip(raw.split(sequences.lengths.tolist()), expected, strict=True):
        np.testing.assert_allclose(line[0] + steps[:, :2].cumsum(0).numpy(), line[1:], atol=0.05)


def test_pen_is_up_on_the_last_point_of_each_stroke(make):
    splits = make()
    pens = splits.test.values[:, 2].split(splits.test.lengths.tolist())
    for number, pen in enumerate(pens):
        line = 1 + number % LINES  # strokes of 5, 1 and 4 + line points, less the first point
        assert pen.tolist() == [0, 0, 0, 1, 1] + (3 + line) * [0] + [1]


def test_statistics_are_of_train_alone(make):
    fitted = make().standardisation
    offsets = np.concatenate([np.diff(line, axis=0) for line in points("trainset.txt")])
    expected = fit_joint_scalar(torch.from_numpy(offsets))
    torch.testing.assert_close(fitted.mean, expected.mean)
    torch.testing.assert_close(fitted.std, expected.std)
    assert not torch.allclose(make(**PAPER).standardisation.std, expected.std)


def test_lists_make_the_parts_and_shared_forms_are_told(make):
    assert make().caution is None
    splits = make(**PAPER)
    assert [len(splits.train), len(splits.valid), len(splits.test)] == [12, 2, 2]
    assert "1 of the 1 forms of test are in valid" in splits.caution


@pytest.mark.parametrize("key", ["valid_lists", "test_lists"])
def test_a_form_of_train_in_another_part_is_refused(make, root, key):
    (root / "mixed.txt").write_text("d04-002\na01-000x\n")
    with pytest.raises(ValueError, match=rf"^{key} must share no form with train_lists.*a01-000x"):
        make(**{key: ["mixed.txt"]})


def test_noise_only_on_request_and_it_rounds_back(make):
    exact, noisy = make(), make(dequantise=True)
    whole, raw = (splits.standardisation.inverse(splits.valid.values.double()) for splits in (exact, noisy))
    np.testing.assert_allclose(whole[:, :2], whole[:, :2].round(), atol=1e-2)
    noise = (raw - whole)[:, :2].split(exact.valid.lengths.tolist())
    assert all(0.1 < float(part.cumsum(0).abs().max()) < 0.51 for part in noise)


def test_a_form_without_a_letter_is_not_its_lettered_sister(make, root):
    (root / "lineStrokes" / "b02" / "b02-013" / "b02-013x-01.xml").write_text("not listed, so never read")
    (root / "lineStrokes" / "a01" / "a01-000" / "a01-000u-03.xml.part").write_text("no line")
    assert len(make().train) == LINES * len(FORMS["trainset.txt"])


# What is missing or damaged


def test_absent_data_say_layout_and_source(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        iamondb(root=str(tmp_path))
    for part in (
        str(tmp_path),
        "lineStrokes/a01/a01-000/a01-000u-01.xml",
        "trainset.txt",
        "registration",
        "give root=",
    ):
        assert part in str(caught.value)


def test_an_absent_list_and_an_absent_form_are_named(make, root):
    with pytest.raises(FileNotFoundError, match=re.escape(f"valid_lists names {root}/graves.txt")):
        make(valid_lists=["graves.txt"])
    with (root / "testset_f.txt").open("a") as file:
        file.write("e05-999z\n")
    with pytest.raises(FileNotFoundError, match=r"form e05-999z is listed, and .*e05/e05-999, which is not there: exp"):
        make()


def test_an_empty_list_is_refused(make, root):
    (root / "empty.txt").write_text("\n\n")
    for lists in (["empty.txt"], []):
        with pytest.raises(ValueError, match=r"^test_lists must name at least one form"):
            make(test_lists=lists)


@pytest.mark.parametrize("damage", ["cut", "empty", "no number", "no y", "external entity"])
def test_a_damaged_line_is_named(make, root, damage):
    path = root / "lineStrokes" / "b02" / "b02-013" / "b02-013-02.xml"
    text = path.read_text()
    (root / "secret").write_text("7")
    declared = f'?>\n<!DOCTYPE a [<!ENTITY e SYSTEM "file://{root}/secret">]>'
    damaged = {
        "cut": text[: len(text) // 2],
        "empty": "",
        "no number": text.replace('<Point x="', '<Point x="?', 1),
        "no y": re.sub(r' y="\d+" time', " time", text, count=1),
        "external entity": text.replace("?>", declared, 1).replace("<StrokeSet>", "<StrokeSet>&e;", 1),
    }
    path.write_text(damaged[damage])
    with pytest.raises(ValueError, match=r"b02-013-02.xml is damaged"):
        make()


@pytest.mark.parametrize("strokes", [[], [np.zeros((0, 2))]], ids=["no stroke", "no point"])
def test_a_line_without_points_is_named(tmp_path, strokes):
    path = tmp_path / "line.xml"
    path.write_text(line_xml(strokes))
    with pytest.raises(ValueError, match=r"line.xml must hold StrokeSet/Stroke/Point elements, but has no point"):
        read_line(path)


def test_an_empty_stroke_beside_others_is_passed_over(tmp_path):
    path = tmp_path / "line.xml"
    strokes = [np.array([[1, 2], [3, 4]]), np.zeros((0, 2)), np.array([[5, 6]])]
    path.write_text(line_xml(strokes))
    ink = read_line(path)
    assert ink.points.tolist() == [[1, -2], [3, -4], [5, -6]]
    assert ink.pen_up.tolist() == [0, 1, 1]


@pytest.mark.parametrize(("argument", "value"), [("x_dim", 2), ("seed", -1)])
def test_values_out_of_range_are_named(make, argument, value):
    with pytest.raises(ValueError, match=f"{argument} must be"):
        make(**{argument: value})
