"""What is made of finished runs takes the place of nothing: measurements, samples, comparisons, benchmarks."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from experiments.benchmark import benchmark
from experiments.compare import Compare
from experiments.config.paths import CONF
from experiments.config.resolvers import register_resolvers
from experiments.disk.ownership import mark
from experiments.errors import UserError
from experiments.evaluate import make_room
from experiments.report.rows import Row
from experiments.run.directory import RunDirectory
from experiments.run.state import Job
from experiments.sample import sample
from tests.conf import context
from tests.faults.trees import OLD, thesis, tree

__all__ = ["thesis"]


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., DictConfig]:
    """An app's config with some values of one's own, in a working directory of one's own."""
    register_resolvers()
    monkeypatch.chdir(tmp_path)

    def config(app: str, **values: Any) -> DictConfig:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            return OmegaConf.merge(compose(app), values)

    return config


# evaluate

FIGURES = {"test/log_likelihood": {"value": -100.0}, "test/kl": {"value": 3.0}}
MEASURED = {"step": 44, "seed": 3, "figures": FIGURES}


def shifted(factor: float) -> dict[str, Any]:
    return {name: {"value": factor * figure["value"]} for name, figure in FIGURES.items()}


@pytest.mark.parametrize(
    ("former", "name"),
    [
        ({}, None),
        ({"figures": shifted(1 + 1e-5)}, None),  # rounding
        ({"figures": {name: {"value": None} for name in FIGURES}}, None),  # what was not finite is worth nothing
        ({"step": 20}, "iwae-40-step20"),
        ({"seed": 8}, "iwae-40-seed8"),
        ({"step": 20, "seed": 8}, "iwae-40-step20"),
        ({"figures": shifted(1.1)}, "iwae-40-former"),
        ({"figures": {"valid/kl": {"value": 3.0}}}, "iwae-40-former"),
    ],
)
def test_another_measurement_makes_room_and_is_kept(tmp_path, former, name):
    file = tmp_path / "iwae-40.json"
    for number in (1, 2):
        content = json.dumps({**MEASURED, **former, "number": number})
        file.write_text(content)
        make_room(file, MEASURED)
        if name is None:
            assert file.read_text() == content  # to be replaced by the same
        else:
            assert (tmp_path / f"{name}{'-2' if number == 2 else ''}.json").read_text() == content
            assert not file.exists()
    assert len(list(tmp_path.iterdir())) == (1 if name is None else 2)


@pytest.mark.parametrize("text", ["mine", "[]", '{"figures": {}}', ""])
def test_what_is_no_measurement_is_not_replaced(tmp_path, text):
    (tmp_path / "iwae-40.json").write_text(text)
    with pytest.raises(UserError, match="this is not a measurement of this suite, so it is not replaced; take it away"):
        make_room(tmp_path / "iwae-40.json", MEASURED)
    assert (tmp_path / "iwae-40.json").read_text() == text


# sample


def test_samples_of_every_request_have_a_folder_of_their_own(config, copy):
    before = tree(copy.path)
    for seed in (4, 5, 4):
        assert sample(config("sample", run="copy", num=2, seed=seed, device="cpu"), context("sample")) == 0
    after = tree(copy.path)
    assert before.items() <= after.items()
    folders = sorted(path.name for path in (copy.path / "samples").iterdir())
    step = copy.result["best_step"]
    assert folders == [f"valid-best-{step}-seed4-num2", f"valid-best-{step}-seed5-num2"]
    first, second = (after[f"samples/{folder}/samples.png"] for folder in folders)
    assert first != second


def test_samples_elsewhere_take_the_place_of_nothing(config, copy, thesis):
    before = tree(thesis)
    asked = config("sample", run="copy", num=1, device="cpu")
    for output in (".", "notes", "thesis.tex"):
        with pytest.raises(UserError, match=r"give another output, an empty folder or a new one$"):
            sample(OmegaConf.merge(asked, {"output": output}), context("sample"))
    with pytest.raises(UserError, match=r"^prefix=500: "):
        sample(OmegaConf.merge(asked, {"output": "mine", "prefix": 500}), context("sample"))
    assert tree(thesis) == before
    mine = OmegaConf.merge(asked, {"output": "mine"})
    assert sample(mine, context("sample")) == 0
    drawn = tree(thesis)
    with pytest.raises(UserError, match=r"^output=mine: holds what was made for another request; give another output"):
        sample(OmegaConf.merge(mine, {"seed": 9}), context("sample"))
    assert tree(thesis) == drawn
    assert sample(mine, context("sample")) == 0
    assert tree(thesis) == drawn


# compare, benchmark


@pytest.mark.parametrize(
    ("runs", "output"), [(None, "."), *(("runs/*", name) for name in (".", "notes", "thesis.tex"))]
)
def test_a_comparison_takes_the_place_of_nothing(config, thesis, output, runs):
    shutil.copytree(OLD / "finished", thesis / "runs" / "one")
    before = tree(thesis)
    app, cfg = Compare(), config("compare", output=output, runs=runs, rows=["rnn_gauss"], seeds=1)
    app.shared = [] if runs else ["latent=tiny"]
    with (
        initialize_config_dir(str(CONF), version_base="1.3"),
        pytest.raises(UserError, match="give another output, an empty folder or a new one"),
    ):
        app(cfg, context("compare"))
    assert tree(thesis) == before


def test_a_run_that_was_taken_further_is_named_and_not_counted(tmp_path):
    run = RunDirectory(Path(shutil.copytree(OLD / "finished", tmp_path / "run")))
    result = run.read_result()
    row = Row("VRNN", [Job(run, "done", result), Job(run, "resumed", result)])
    assert [job.state for job in row.counted] == ["done"]
    assert row.left_out[1].startswith("resumed further than was asked for, to 4 updates: it is kept, and not counted")
    unfinished = Job(run, "resumed", result | {"status": "interrupted"})
    assert "to 4 updates, where it was interrupted: it is kept" in Row("VRNN", [unfinished]).left_out[0]
    assert (row.jobs[1].is_over, unfinished.is_over) == (True, False)


@pytest.mark.parametrize("values", [{"output": "."}, {"benchmark": {"save": "thesis.tex"}}])
def test_a_benchmark_takes_the_place_of_nothing(config, thesis, values):
    before = tree(thesis)
    with pytest.raises(UserError, match=r"nothing was changed; give another output|thesis.tex: holds something else"):
        benchmark(config("benchmark", **{"output": "new", **values}), context("benchmark"))
    assert tree(thesis) == before


@pytest.mark.parametrize("kind", ["run", "sweep"])
def test_a_folder_of_another_kind_is_no_place_for_samples(config, copy, tmp_path, kind):
    mark(tmp_path / "other", kind)
    with pytest.raises(UserError, match=f"other: holds a {kind} of this suite"):
        sample(config("sample", run="copy", num=1, device="cpu", output="other"), context("sample"))
