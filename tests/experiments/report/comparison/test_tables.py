"""The main table of a comparison: what is bold, what is marked, and which numbers stand beside it."""

from __future__ import annotations

import pytest

from experiments.report.blocks.latex import latex
from experiments.report.comparison.published import literature
from experiments.report.comparison.report import Comparison
from tests.experiments.report.conftest import bold, column


def test_models_that_are_alike_are_all_bold(runs, bounds):
    again = {name: [runs.done(bounds(seed=s), seed=s) for s in (0, 1)] for name in ("a", "b")}
    again["c"] = [runs.done(bounds(-300.0, seed=s), seed=s) for s in (0, 1)]
    found = Comparison(again)
    assert bold(found) == ["a", "b"]
    assert "not significantly worse" in found.summary[0]


def test_other_test_sequences_are_not_tested(runs, bounds):
    found = Comparison({"a": [runs.done(bounds())], "b": [runs.done(bounds(-1.0)[:-4])]})
    assert bold(found) == ["a"]
    lines = found.against.rows
    assert [str(line[-1]) for line in lines] == ["not tested: other test sequences"]


def test_other_data_are_not_tested_though_the_lengths_agree(runs, bounds):
    found = Comparison({"a": [runs.done(bounds())], "b": [runs.done(bounds(-1.0), config={"data": {"seed": 1}})]})
    assert bold(found) == ["a"]
    assert "Not tested against a: b, other data (data.seed)." in found.table.notes
    assert found.cautions == ["The rows differ in their data (data.seed), so their numbers may not compare."]


def test_one_seed_says_so(runs, bounds):
    alone = {"a": [runs.done(bounds())], "b": [runs.done(bounds(-9.0))]}
    assert "One seed of each" in Comparison(alone).table.notes[0]
    mixed = Comparison({**alone, "b": [runs.done(bounds(-9.0, seed=s), seed=s) for s in (0, 1)]})
    assert column(mixed, "log-likelihood")["a"].endswith("†")
    assert not column(mixed, "log-likelihood")["b"].endswith("†")
    assert "†" in mixed.table.notes[0]


def test_an_estimate_per_step_is_marked_and_the_kl_is_not(runs, bounds):
    found = Comparison({"a": [runs.done(bounds(), kind="estimate")]})
    assert column(found, "log-likelihood", "nats per step")["a"].startswith("~ ")
    assert column(found, "KL", "nats per step")["a"][0].isdigit()


def test_published_numbers_stand_beside_comparable_runs_only(runs, bounds):
    done = {"Z-forcing": [runs.done(bounds())]}
    found = Comparison(done, literature()["mnist"], negate=True)
    assert column(found, "published")["Z-forcing"] == "≤ 80.09"
    assert column(found, "negative log-likelihood")["DRAW"] == "≤ 80.97"
    grey = {**done, "b": [runs.done(bounds(), config={"data": {"binarize": "none"}})]}
    found = Comparison(grey, literature()["mnist"])
    assert "published" not in [each.title for each in found.table.columns]
    assert "DRAW" not in column(found, "log-likelihood")
    assert "do not compare with these runs: data.binarize=none, not static" in " ".join(found.table.notes)


def test_numbers_of_fewer_steps_stand_beside_ours_of_as_many(runs, bounds):
    published = literature()["blizzard"]
    data = {key.removeprefix("data."): value for key, value in published.requires.items() if key.startswith("data.")}
    config = {"data": data, "trainer": {"tbptt": 40}}
    job = runs.done(bounds(), config=config, ragged=False)
    runs.estimate(job, bounds(3.0))
    found = Comparison({"VRNN-GMM": [job]}, published)
    ours = column(found, "log-likelihood", "nats per 0.5 s")
    per_step = job.result["figures"]["test/log_likelihood_per_step"]["value"]
    assert float(ours["VRNN-GMM"].split()[1]) == pytest.approx(40 * per_step, abs=0.51)
    assert column(found, "IWAE-40", "nats per 0.5 s")["VRNN-GMM"].startswith("~ -")
    assert ours["RNN-GMM"] == "7,413"
    assert column(found, "log-likelihood")["RNN-GMM"] == ""
    assert column(found, "published", "nats per 0.5 s")["VRNN-GMM"] == "≥ 9,107"
    assert ours["linear predictor"].startswith("-")
    assert "in nats per 0.5 s, where ours is 40 x nats per step" in " ".join(found.table.notes)


def test_what_is_not_verified_says_so(runs, bounds):
    data = {key.removeprefix("data."): value for key, value in literature()["timit"].requires.items()}
    done = {name: [runs.done(bounds(), config={"data": data})] for name in ("RNN-Gauss", "VRNN-GMM")}
    found = Comparison(done, literature()["timit"])
    assert column(found, "published") | {} == {
        **dict.fromkeys(column(found, "published"), ""), "RNN-Gauss": "-1,900", "VRNN-GMM": "≥ 28,982 unverified"
    }  # fmt: skip
    assert column(found, "published estimate")["VRNN-GMM"] == "~ 29,604 unverified"
    assert "unverified" in found.table.markdown()
    assert "unverified" in latex(found.table, "l")
