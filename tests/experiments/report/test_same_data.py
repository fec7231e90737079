"""Runs whose configs say the same of their data are compared only where the data were the same."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import torch

from experiments.comparison.finished import finished_rows
from experiments.errors import UserError
from experiments.report.comparison.report import Comparison
from experiments.report.sweep.report import Sweep
from experiments.run.data import DataSettings, write_run_data
from experiments.run.parts import InspectedData
from experiments.run.same_data import other_data
from experiments.run.state import Job, read_job
from experiments.sweep.plan import SweepJob, SweepPlan
from vrnn.data.checks.inspection import inspect
from vrnn.data.splits import Sequences, Splits, Standardisation

VALUES = torch.randn(12, 2, generator=torch.Generator().manual_seed(0))
SAME, ROUNDED, OTHER = VALUES, VALUES * (1 + 1e-6), VALUES + 1.0
FILES = (("a.wav", 8),)
WORDS = "1 file is new: b.wav; " + "; ".join(f"the values of {part} are others" for part in ("train", "valid", "test"))


@pytest.fixture
def on() -> Callable[..., Job]:
    """A run as it would be had it been trained on these values; None: by an earlier version."""

    def on(job: Job, values: torch.Tensor | None) -> Job:
        if values is None:
            return job
        part = Sequences(values, torch.tensor([6, 6]))
        files = FILES if values is not OTHER else (*FILES, ("b.wav", 9))
        splits = Splits(part, part, part, Standardisation.identity(2), files=files)
        data = InspectedData(splits, inspect(splits))
        write_run_data(job.run, DataSettings.of(job.run.read_config()), data)
        job.run.write_result({**job.result, "data": data.fingerprint.digest})
        return read_job(job.run)

    return on


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ((SAME, SAME), None),
        ((SAME, ROUNDED), None),
        ((SAME, None), None),
        ((None, None), None),
        ((SAME, None, OTHER), WORDS),
        ((SAME, ROUNDED, OTHER), WORDS),
    ],
)
def test_what_differs_is_named(runs, bounds, on, values, words):
    assert other_data([on(runs.done(bounds()), each) for each in values]) == words


def test_a_fingerprint_that_is_lost_is_no_proof(runs, bounds, on):
    jobs = [on(runs.done(bounds()), values) for values in (SAME, ROUNDED)]
    jobs[0].run.data_file.unlink()
    assert other_data(jobs) == "other values"


@pytest.mark.parametrize(("values", "told"), [(OTHER, True), (ROUNDED, False), (None, False)])
def test_models_on_other_data_are_not_tested(runs, bounds, on, values, told):
    found = Comparison({"a": [on(runs.done(bounds()), SAME)], "b": [on(runs.done(bounds(-0.001)), values)]})
    assert (list(found.ranking.verdicts) == []) == told
    note = f"Not tested against a: b, other data, though the configs say the same ({WORDS})."
    assert (note in found.table.notes) == told
    caution = f"The runs were trained on different data, though their configs say the same ({WORDS}), so"
    assert any(text.startswith(caution) for text in found.cautions) == told


def test_a_sweep_on_other_data_has_no_best(runs, bounds, on, tmp_path):
    jobs = [
        SweepJob({"latent.z_dim": str(number)}, on(runs.done(bounds(-number)), values))
        for number, values in enumerate((SAME, OTHER))
    ]
    found = Sweep(SweepPlan(tmp_path, "c", [], ["latent.z_dim"], [job.settings for job in jobs], None), jobs)
    assert not found.are_comparable
    assert found.summary[0].startswith("These configurations do not compare (see the caution), so none is the best")
    assert any("trained on different data" in text for text in found.cautions)


def test_finished_runs_on_other_data_are_refused(runs, bounds, on):
    for seed, values in enumerate((SAME, OTHER)):
        on(runs.done(bounds(), seed=seed, config={"data": {"root": "same"}}), values)
    with pytest.raises(UserError) as caught:
        finished_rows(str(runs.folder / "*"))
    assert f"trained on different data, though their configs say the same ({WORDS}); compare" in str(caught.value)


def test_an_evaluation_on_other_data_is_none_of_the_runs_own(runs, bounds):
    job = runs.done(bounds())
    runs.estimate(job, bounds(5.0))
    runs.estimate(job, bounds(9.0), name="iwae-40-on-other-0123abcd")
    file = job.run.evaluations / "iwae-40-on-other-0123abcd.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "on": {"root": "other"}}))
    assert Comparison({"a": [job]}).rows[0].evaluations == ["iwae-40"]
