"""Pruners of a search: those of Optuna, decided as Optuna decides them, whoever runs the jobs."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import optuna
import pytest
from omegaconf import OmegaConf

from experiments.config.paths import CONF
from experiments.config.slugs import job_slug
from experiments.disk.ownership import STUDY
from experiments.sweep.pruning import VALIDATED, trial_pruning
from tests.experiments.command_line import Apps, Run
from tests.experiments.sweep.test_search import SEARCH, states

BOUND = "valid/log_likelihood"
# Pruners that need an argument, or more trials than there are here.
ARGUMENTS = {
    "median": {"n_startup_trials": 2},
    "percentile": {"n_startup_trials": 2, "percentile": 50.0},
    "threshold": {"lower": -0.5},
    "hyperband": {"max_resource": 8, "reduction_factor": 2},
}


def sweeper(pruner: str) -> OmegaConf:
    """The config of a search with the pruner that a YAML names."""
    node = OmegaConf.load(CONF / "hydra" / "sweeper" / "pruner" / f"{pruner}.yaml")
    node = OmegaConf.merge(node, ARGUMENTS.get(pruner, {}))
    return OmegaConf.create({"pruner": node, "metric": BOUND, "study_name": None, "storage": None})


def follow(search: Path, number: int, bounds: list[float], pruner: str, *, resumed: int | None) -> int | None:
    """The epoch after which a job is pruned that has these bounds, and is interrupted before one of them."""
    job = search / job_slug([f"number={number}"])
    job.mkdir()
    rule = trial_pruning(sweeper(pruner), search, job)
    rule.start(0, 10)
    for epoch, bound in enumerate(bounds, start=1):
        if epoch == resumed:
            rule = trial_pruning(sweeper(pruner), search, job)
            rule.start(2 * epoch - 2, 10)
            assert not rule(), "it was not pruned before it was interrupted"
        line = {"step": 2 * epoch, "epoch": epoch, BOUND: bound}
        rule.log({"step": 2 * epoch - 1, "epoch": epoch - 1, "train/loss": 1.0})
        rule.log(line)
        with (job / "metrics.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
        if rule():
            assert f"pruned after epoch {epoch} by Optuna's " in rule.reason
            return epoch
    return None


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study without trials: making its tables takes a second."""
    file = tmp_path_factory.mktemp("studies") / STUDY
    optuna.create_study(study_name="search", direction="maximize", storage=f"sqlite:///{file}")
    return file


@pytest.mark.parametrize(
    "pruner", sorted({path.stem for path in (CONF / "hydra" / "sweeper" / "pruner").glob("*.yaml")} - {"none"})
)
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_a_job_is_pruned_where_optunas_own_loop_prunes_its_trial(tmp_path: Path, empty: Path, pruner: str):
    search = tmp_path / "search"
    search.mkdir()
    shutil.copy(empty, search)
    draw = random.Random(3)
    bounds = [[draw.gauss(0, 1) for _ in range(3)] for _ in range(4)]
    numbers = optuna.distributions.IntDistribution(0, 99)
    node = OmegaConf.to_container(sweeper(pruner).pruner)
    settings = {key: value for key, value in node.items() if key != "_target_"}
    made = getattr(optuna.pruners, node["_target_"].rpartition(".")[2])(**settings)
    own = optuna.create_study(study_name="search", direction="maximize", pruner=made)
    ours = optuna.load_study(study_name="search", storage=f"sqlite:///{search / STUDY}")
    ends = {}
    for number, each in enumerate(bounds):
        own.enqueue_trial({"number": number}), ours.enqueue_trial({"number": number})
        trial, running = own.ask({"number": numbers}), ours.ask({"number": numbers})
        expected = None
        for epoch, bound in enumerate(each, start=1):
            trial.report(bound, epoch)
            if trial.should_prune():
                expected = epoch
                break
        assert follow(search, number, each, pruner, resumed=2 if number == 2 else None) == expected
        for study, which in ((own, trial), (ours, running)):
            if expected is None:
                study.tell(which, each[-1])
            else:
                study.tell(which, state=optuna.trial.TrialState.PRUNED)
        ends[number] = expected
    assert [trial.intermediate_values for trial in ours.trials] == [trial.intermediate_values for trial in own.trials]
    assert set(ends.values()) != {None} or pruner == "patient", "none was pruned, so nothing was shown"


def test_without_a_pruner_or_a_trial_there_is_no_rule(tmp_path: Path, empty: Path):
    assert trial_pruning(OmegaConf.create({"params": {}}), tmp_path, tmp_path / "job") is None
    assert trial_pruning(sweeper("none"), tmp_path, tmp_path / "job") is None
    search = tmp_path / "search"
    search.mkdir()
    shutil.copy(empty, search)
    assert trial_pruning(sweeper("median"), search, search / "job") is None


def test_a_job_that_has_come_to_its_end_is_not_pruned(tmp_path: Path, empty: Path):
    search = tmp_path / "search"
    search.mkdir()
    shutil.copy(empty, search)
    study = optuna.load_study(study_name="search", storage=f"sqlite:///{search / STUDY}")
    study.ask({"number": optuna.distributions.IntDistribution(7, 7)})
    rule = trial_pruning(sweeper("threshold"), search, search / job_slug(["number=7"]))
    rule.start(0, 10)
    rule.log({"step": 10, "epoch": 1, BOUND: -9.0})
    assert not rule()
    assert study.trials[0].intermediate_values == {1: -9.0}
    rule.log({"step": 9, "epoch": 2, BOUND: -9.0})
    assert rule()


# On the command line

THRESHOLD = ("hydra/sweeper/pruner=threshold", "hydra.sweeper.pruner.lower=1e9")


def test_a_pruned_trial_is_told_as_one_and_its_job_is_done(apps: Apps, tmp_path: Path):
    """Every trial of a search with an absurd threshold; one epoch is five updates."""
    command = (*SEARCH, *THRESHOLD, "trainer.max_steps=20")
    ended = apps("train", *command, "hydra.sweeper.n_trials=2", cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert states(tmp_path) == ["PRUNED", "PRUNED"]
    runs = Run.all(tmp_path)
    for run in runs:
        assert (run.result["status"], run.result["step"], run.result["pruned"]) == ("done", 5, True)
        assert run.result["stopped"].startswith("pruned after epoch 1 by Optuna's ThresholdPruner: its valid/log_like")
    made = {run.path: (run.path / "result.json").stat().st_mtime_ns for run in runs}
    longer = apps("train", *command, "hydra.sweeper.n_trials=3", cwd=tmp_path)
    assert (longer.code, longer.err) == (0, "")
    assert states(tmp_path) == ["PRUNED", "PRUNED", "PRUNED"]
    assert "3 jobs, 2 done already" in longer.out
    assert {path: (path / "result.json").stat().st_mtime_ns for path in made} == made


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            (*THRESHOLD, "hydra.sweeper.metric=test/log_likelihood"),
            f"hydra.sweeper.metric=test/log_likelihood: a pruner needs one that is measured after every epoch "
            f"({', '.join(VALIDATED)}); choose one, or leave hydra.sweeper.pruner out",
        ),
        (THRESHOLD[:1], "hydra.sweeper.pruner: optuna.pruners.ThresholdPruner cannot be made of these arguments "),
        (("hydra.sweeper.pruner._target_=os.system",), "hydra.sweeper.pruner._target_=os.system: expected one of "),
        (("hydra/sweeper/pruner=mean",), "hydra/sweeper/pruner=mean: hydra/sweeper/pruner has no option mean; "),
    ],
)
def test_a_pruner_that_cannot_be_is_one_message_before_any_job(
    apps: Apps, tmp_path: Path, words: tuple[str, ...], expected: str
):
    ended = apps("train", *SEARCH, *words, cwd=tmp_path)
    assert ended.code == 1
    assert ended.err.startswith(f"error: {expected}")
    assert ended.err.count("\n") == 1
    assert not list(tmp_path.iterdir())
