"""Groups of test sequences: kept with the run, and told wherever differences and errors are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from experiments.cli.terminal import measurements_table
from experiments.report.blocks.latex import latex
from experiments.report.comparison.report import Comparison
from experiments.report.sequences import read_groups
from experiments.run.measuring import saved_groups
from tests.experiments.report.conftest import COUNT, bold, column
from vrnn.training.metrics import Measurement

EIGHT = [f"s{number % 8}" for number in range(COUNT)]


def text(found) -> str:
    return " ".join([*found.table.notes, found.against.markdown(), *found.summary])


def by_speaker(runs, bounds, groups=EIGHT, grouping="speaker", seeds=(0, 1)):
    """Model b is better than a for one group only."""
    shift = 20.0 * (np.array([*groups]) == groups[0])
    known = {"groups": groups if grouping else None, "grouping": grouping, "ragged": False}
    return {
        name: [runs.done(bounds(seed=s) + more, seed=s, **known) for s in seeds]
        for name, more in {"a": 0.0, "b": shift}.items()
    }


def test_groups_with_names_that_are_not_utf_8_are_kept(tmp_path):
    file = tmp_path / "test_sequences.npz"
    np.savez(file, **saved_groups(("h\udce9l\udce8ne/1", "b", "b"), "file"))
    assert read_groups(file, 3).numbers.tolist() == [1, 0, 0]
    with np.load(file) as arrays:
        assert arrays["group_names"].tolist() == ["b", "h\udce9l\udce8ne/1"]


def test_groups_are_read_as_they_were_kept(tmp_path):
    file = tmp_path / "test_sequences.npz"
    for names, word in ((("ann", "bo", "ann"), "speaker"), (None, None)):
        np.savez(file, bounds=np.zeros(3), **saved_groups(names, word))
        groups = read_groups(file, 3)
        assert (groups.size, groups.word) == ((2, "speaker") if word else (3, ""))
        assert groups.numbers is None if names is None else groups.numbers.tolist() == [0, 1, 0]
        assert str(groups) == ("2 speakers" if word else "3 sequences")
        assert read_groups(file, 4).word == (None if names else "")


@pytest.mark.parametrize(
    "kept",
    [
        {},
        {"groups": np.array(["a", "b", "c"])},
        {"groups": np.array([0.0, 1.0, 1.0]), "grouping": np.array("speaker")},
        {"groups": np.array([0, 1, 2], dtype=object), "grouping": np.array("speaker")},
        {"groups": np.array([[0, 1, 2]]), "grouping": np.array("speaker")},
        {"groups": np.array([0, 1, 2]), "grouping": np.array("\x1b[31mspeaker")},
        {"grouping": np.array("speaker")},
        {"grouping": np.array(["speaker", "form"])},
    ],
)
def test_what_says_nothing_of_its_groups_or_is_damaged_has_unknown_ones(tmp_path, kept):
    np.savez(tmp_path / "test_sequences.npz", bounds=np.zeros(3), **kept)
    assert read_groups(tmp_path / "test_sequences.npz", 3) == (3, None, None)
    assert read_groups(tmp_path / "not there.npz", 3) == (3, None, None)


def test_a_difference_of_one_speaker_is_not_significant(runs, bounds):
    found = Comparison(by_speaker(runs, bounds))
    assert bold(found) == ["a", "b"]
    assert "a is not significantly worse" in found.summary[0]
    for words in ("± its standard error over 8 speakers and seeds", "Groups: 8 speakers.", "that between the speakers"):
        assert words in text(found)
    for page in (found.table.markdown(), latex(found.table, "l")):
        assert "8 speakers" in page


def test_the_same_runs_without_groups_are_told_apart_by_the_sequences_alone(runs, bounds):
    found = Comparison(by_speaker(runs, bounds, grouping=""))
    assert found.ranking.groups.size == COUNT
    assert found.summary[0].endswith("The other model is significantly worse.")
    assert "The data name no groups of sequences, so each of the 40 sequences counts as independent." in text(found)


def test_runs_of_earlier_versions_say_that_their_groups_are_unknown(runs, bounds):
    found = Comparison({name: [runs.done(bounds(shift))] for name, shift in {"a": 0.0, "b": -300.0}.items()})
    assert bold(found) == ["a"]
    assert "do not say which of the 40 sequences belong together" in text(found)
    assert "differences look surer than they are" in text(found)


def test_groups_that_one_model_knows_hold_for_all(runs, bounds):
    jobs = by_speaker(runs, bounds)
    jobs["a"] = [runs.done(bounds(seed=s), seed=s, ragged=False) for s in (0, 1)]
    assert str(Comparison(jobs).ranking.groups) == "8 speakers"


def test_two_speakers_are_too_few(runs, bounds):
    found = Comparison(by_speaker(runs, bounds, groups=["x", "y"] * (COUNT // 2)))
    assert bold(found) == ["b"]
    assert found.ranking.untested == {"a": "2 speakers in the test set, too few to tell differences from chance"}
    assert "Not tested against b: a, 2 speakers in the test set" in text(found)
    assert "worse" not in found.summary


@pytest.mark.parametrize(
    ("seeds", "words"),
    [
        ({"a": (0,), "b": (0,)}, "these trained models differ on data like these"),
        ({"a": (0, 1), "b": (0, 1)}, "neither other test data of the same kind nor training again"),
        ({"a": (0, 1), "b": (0,)}, "b: one seed, whose spread is not known"),
    ],
)
def test_what_worse_means_depends_on_the_seeds(runs, bounds, seeds, words):
    jobs = {name: [runs.done(bounds(seed=s), seed=s) for s in numbers] for name, numbers in seeds.items()}
    assert words in text(Comparison(jobs))


def test_one_seed_has_the_error_over_groups_and_says_so(runs, bounds):
    jobs = by_speaker(runs, bounds, seeds=(0,))
    found = Comparison(jobs)
    assert "± is the standard error over the 8 speakers of the test set" in text(found)
    assert "their ± is over the 8 speakers of the test set" in text(found)
    error = jobs["b"][0].result["figures"]["test/log_likelihood"]["standard_error"]
    means = (bounds() + 20.0 * (np.array(EIGHT) == "s0")).reshape(5, 8).mean(0)
    assert error == pytest.approx(means.std(ddof=1) / np.sqrt(8))
    assert column(found, "log-likelihood")["b"].endswith(f"± {error:.1f}")


def test_the_screen_says_what_errors_are_over():
    by_speaker = Measurement(-3.0, 0.5, 40, "nats per sequence", "normalized", "exact", over="8 speakers")
    assert measurements_table("bound", {"test": by_speaker}).caption.endswith(" sequences, ± s.e. over 8 speakers")
    assert measurements_table("bound", {"test": replace(by_speaker, over="sequences")}).caption.endswith("40 sequences")
