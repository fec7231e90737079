"""A bound that is not finite is never a result: of training, of a later evaluation, of a comparison."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import pytest
import torch
from omegaconf import OmegaConf

from experiments.comparison.plan import has_estimate
from experiments.disk.files import write_json
from experiments.errors import UserError
from experiments.report.rows import Row
from experiments.run import parts
from experiments.run.directory import RunDirectory
from experiments.run.state import read_job
from tests.experiments.command_line import Run
from vrnn.data.splits import Sequences, Splits, Standardisation
from vrnn.likelihoods.base import Likelihood
from vrnn.likelihoods.bernoulli import Bernoulli
from vrnn.likelihoods.gaussian import Gaussian


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """How two sequences of six steps in each split are refused, one of whose values is another."""

    def refused(likelihood: Likelihood, split: str, value: float) -> str:
        data = [Sequences((torch.randn(12, 5) > 0).float(), torch.tensor([6, 6])) for _ in range(3)]
        splits = Splits(*data, Standardisation.identity(5))
        splits.parts[split].values[8, 3] = value
        monkeypatch.setattr(parts, "build", lambda cfg, key: splits)
        monkeypatch.setattr(parts, "_made", {})
        with pytest.raises(UserError) as caught:
            parts.build_data(OmegaConf.create({"data": {}}), likelihood)
        return str(caught.value)

    return refused


@pytest.mark.parametrize("split", ["train", "valid", "test"])
@pytest.mark.parametrize("value", [math.nan, -math.inf])
def test_data_that_are_not_finite_are_refused_before_training(refused, split, value):
    found = refused(Gaussian(5), split, value)
    assert found.startswith(f"data: {split}, sequence 1, step 2, dimension 3: the value is {value}; ")


@pytest.mark.parametrize("split", ["train", "valid", "test"])
def test_every_split_is_held_to_the_likelihood(refused, split):
    found = refused(Bernoulli(5), split, 255.0)
    assert found.startswith("these data and this likelihood do not go together: a Bernoulli likelihood needs values")
    assert found.endswith(f"choose a density instead: likelihood=gaussian ({split})")


@pytest.fixture
def poisoned(copy: Run) -> Run:
    """A finished run whose best weights give no finite bound."""
    best = copy.path / "checkpoints" / "best.pt"
    content = torch.load(best, weights_only=True)
    name = next(name for name in content["model"] if name.startswith("emission"))
    content["model"][name] = torch.full_like(content["model"][name], math.nan)
    torch.save(content, best)
    return copy


MESSAGE = "the test bound is not finite: 5 of 5 sequences have none (sequence 0 (writer 0): nan, "


def test_an_evaluation_is_marked_and_counts_nowhere(apps, poisoned):
    ended = apps("evaluate", "run=copy", "objective=iwae", "objective.num_samples=3", cwd=poisoned.path.parent)
    assert ended.code == 1
    assert ended.err.startswith(f"error: {MESSAGE}")
    file = poisoned.path / "evaluations" / "iwae-3.json"
    found = json.loads(file.read_text(), parse_constant=pytest.fail)
    assert found["not_finite"].startswith(MESSAGE)
    assert found["figures"]["test/log_likelihood"]["value"] is None

    job = read_job(RunDirectory(poisoned.path))
    assert Row("a", [job]).evaluations == []
    assert not has_estimate(job, 3)
    write_json(file, {**found, "not_finite": None})
    assert has_estimate(job, 3)
    assert Row("a", [job]).evaluations == ["iwae-3"]


def test_a_run_ends_as_failed_and_keeps_its_weights(apps, poisoned):
    file = poisoned.path / "result.json"  # of a finished run the result would stay
    write_json(file, {**json.loads(file.read_text()), "status": "interrupted"})
    ended = apps("train", "resume=copy", cwd=poisoned.path.parent)
    assert ended.code == 1
    assert "bound is not finite: 6 of 6 sequences have none" in ended.err
    assert (poisoned.result["status"], poisoned.result["figures"]) == ("failed", {})
    assert poisoned.result["error"]["message"].startswith("the valid bound is not finite")
    assert (poisoned.path / "checkpoints" / "best.pt").is_file()
    assert (poisoned.path / "checkpoints" / "last.pt").is_file()
