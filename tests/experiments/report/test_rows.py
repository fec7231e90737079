"""What the runs of one model say together, and which of them count."""

from __future__ import annotations

import math

import numpy as np
import pytest
from omegaconf import OmegaConf

from experiments.config.diff import data_settings, differing
from experiments.errors import UserError
from experiments.report.comparison.report import Comparison, differing_settings
from experiments.report.rows import Row, left_out
from experiments.report.sequences import read_sequences
from experiments.run.facts import BOUND
from experiments.run.state import read_job


def test_mean_and_standard_error_over_seeds(runs, bounds):
    found = [bounds(shift, seed=seed) for seed, shift in enumerate((0.0, 4.0, 11.0))]
    mean = Row("a", [runs.done(values, seed=seed) for seed, values in enumerate(found)]).mean(BOUND)
    values = [array.mean() for array in found]
    center = sum(values) / 3
    assert mean.value == pytest.approx(center)
    assert mean.error == pytest.approx(math.sqrt(sum((value - center) ** 2 for value in values) / 2 / 3))
    assert (mean.over, mean.kind, mean.unit) == ("seeds", "lower_bound", "nats per sequence")


def test_one_seed_has_the_standard_error_over_test_sequences(runs, bounds):
    values = bounds()
    mean = Row("a", [runs.done(values)]).mean(BOUND)
    assert (mean.error, mean.over) == (pytest.approx(values.std(ddof=1) / math.sqrt(len(values))), "sequences")


def test_only_what_is_done_and_measured_counts(runs, bounds):
    good = runs.done(bounds(), seed=0)
    stale = read_job(runs.done(bounds(9999.0), seed=1).run, "another hash")
    untested = runs.done(bounds(), seed=2)
    untested.result["figures"].pop(BOUND)
    infinite = runs.done(np.full(3, -np.inf), seed=3)
    jobs = [good, stale, untested, infinite, runs.interrupted(seed=4), runs.failed("data.x=0: no", seed=5)]
    jobs += [runs.failed("boom", kind="KeyError", seed=6), runs.failed("data.x=0: no", seed=7), runs.waiting()]
    row = Row("A", jobs)
    assert row.counted == [good]
    assert row.mean(BOUND).value == good.result["figures"][BOUND]["value"]
    assert row.bounds.shape[0] == 1
    assert [*map(str, left_out([row]))] == [
        "A, seed 1: stale: its result was made with another config, so it is not counted",
        "A, seed 2: not measured on test (trainer.test=false)",
        "A, seed 3: its bound on test is not finite",
        "A, seed 4: interrupted at update 7",
        "A, seed 5 and seed 7: failed: data.x=0: no",
        "A, seed 6: failed: KeyError: boom",
        "A, not-yet: not started",
    ]


def test_kl(runs, bounds):
    row = Row("a", [runs.done(bounds(seed=seed), seed=seed) for seed in (0, 1)])
    assert row.kl_by_step.shape == (2, 6)
    assert row.kl_per_step.value == pytest.approx(21.0 / row.lengths.mean())
    assert Row("exact", [runs.done(bounds(), kind="exact")]).kl_per_step is None


def test_the_effective_sample_size_is_that_of_every_seed_where_particles_were_followed(runs, bounds, tmp_path):
    ess = np.array([8.0, 6.5, 5.0, 7.0, 4.0, 3.0])
    with_particles, without = runs.done(bounds(), ess=ess), runs.done(bounds(seed=1), seed=1)
    np.testing.assert_array_equal(Row("a", [with_particles]).ess_by_step, [ess])
    assert Row("a", [with_particles, without]).ess_by_step is None
    found = Comparison({"a": [with_particles], "b": [runs.done(bounds(1.0))]})
    found.write(tmp_path, "t", "c")
    assert "ess_by_step.png" in [file.name for file in found.files]


def test_an_effective_sample_size_of_steps_that_no_sequence_has_is_refused(runs, bounds):
    job = runs.done(bounds(), ess=np.ones(7))
    with pytest.raises(UserError, match="ess_by_step: holds steps that no sequence has"):
        read_sequences(job.run.test_sequences)


def test_estimates_are_those_of_every_counted_run(runs, bounds):
    jobs = [runs.done(bounds(seed=seed), seed=seed) for seed in (0, 1)]
    runs.estimate(jobs[0], bounds(2.0))
    assert Row("a", jobs).evaluations == []
    runs.estimate(jobs[1], bounds(4.0))
    runs.estimate(jobs[0], bounds(4.0), checkpoint="last", name="iwae-5-test-last")
    row = Row("a", [*jobs, runs.failed("no")])
    assert row.evaluations == ["iwae-40"]
    assert row.mean(BOUND, "iwae-40").value == pytest.approx((bounds(2.0).mean() + bounds(4.0).mean()) / 2)
    assert row.mean(BOUND, "iwae-40").kind == "estimate"


def test_an_estimate_of_a_former_best_checkpoint_is_none_of_the_run(runs, bounds):
    job = runs.done(bounds())
    runs.estimate(job, bounds(4.0), step=10)
    assert Row("a", [job]).evaluations == []
    assert not any("iwae-40" in key for record in Comparison({"a": [job]}).records() for key in record)


def test_time_is_that_of_training_over_all_resumes(runs, bounds):
    assert Row("a", [runs.done(bounds(), seconds=3.0)]).seconds == 400.0


def test_the_run_that_is_shown_is_the_best_on_valid(runs, bounds):
    jobs = [runs.done(bounds(shift), seed=seed) for seed, shift in enumerate((0.0, 5.0, 2.0))]
    jobs[2].result["figures"]["valid/log_likelihood"]["value"] = 1e6
    assert Row("a", jobs).shown == jobs[2]


def test_settings_that_differ(runs, bounds):
    one = runs.done(bounds(), seed=0, config={"likelihood": {"k": 1}, "model": {"likelihood": {"k": 1}, "z": 2}})
    two = runs.done(bounds(), seed=1, config={"likelihood": {"k": 5}, "model": {"likelihood": {"k": 5}}})
    found = differing_settings([Row("a", [one]), Row("b", [two]), Row("c", [runs.failed("no")])])
    roots = found.pop("data.root")
    assert found == {"model.z": ["2", "–"], "likelihood.k": ["1", "5"]}  # not the seed
    assert len(set(roots)) == 2


def test_a_setting_of_the_initialisation_is_listed_once(runs, bounds):
    configs = [{"initialisation": {"bound": b}, "model": {"initialise": {"bound": b}}} for b in (0.1, 0.2)]
    rows = [Row(str(config), [runs.done(bounds(), config=config)]) for config in configs]
    assert set(differing_settings(rows)) == {"initialisation.bound", "data.root"}


def test_the_place_of_a_corpus_is_not_its_identity_but_that_of_a_folder_is(runs, bounds):
    corpus, folder = (
        Row("a", [runs.done(bounds(), config={"data": {"_target_": f"vrnn.data.{target}", "root": "there"}})])
        for target in ("mnist.mnist", "audio.audio")
    )
    assert "data.root" not in data_settings(corpus.config)
    assert data_settings(folder.config)["data.root"] == "there"


def test_a_key_that_was_added_tells_runs_made_before_it_apart_only_where_it_changes_something():
    def data(**values) -> dict[str, str]:
        return data_settings(OmegaConf.create({"data": {"_target_": "vrnn.data.omniglot.omniglot", **values}}))

    for key, same, other in (("verify", True, False), ("valid_fraction", None, 0.1), ("assignment", "order", "name")):
        assert differing([data(), data(**{key: same})]) == {}
        shown = "null" if same is None else str(same)
        assert differing([data(), data(**{key: other})]) == {f"data.{key}": [shown, str(other)]}
    simplified = [data(variant="simplified"), data(variant="simplified", assignment="name")]
    assert differing(simplified) == {}
