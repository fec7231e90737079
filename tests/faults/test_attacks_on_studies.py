"""The study of a stranger's search: CMA-ES keeps its state there as a pickle, which Optuna would load."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest

from experiments.errors import UserError
from experiments.sweep.cma_states import require_plain_states
from experiments.sweep.study import upgrade
from tests.experiments.command_line import Apps
from tests.faults.strangers import OLD
from tests.faults.test_attacks_on_apps import told
from tests.faults.test_old_directories import GMM, SMALL

pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("open('canary', 'w')",))


def states(text: str, key: str = "cma:optimizer:0") -> list[dict[str, Any]]:
    """System attributes of two trials, of which the second keeps a state."""
    return [{}, {key: text, "cma:n_restarts": 0}]


def own_state(**kind: Any) -> list[dict[str, Any]]:
    """The system attributes of a search by CMA-ES."""
    import optuna

    sampler = optuna.samplers.CmaEsSampler(seed=0, n_startup_trials=1, **kind)
    study = optuna.create_study(sampler=sampler)
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1) + trial.suggest_int("y", 1, 9), n_trials=8)
    return [trial.system_attrs for trial in study.trials]


@pytest.mark.parametrize("kind", [{}, {"use_separable_cma": True}, {"restart_strategy": "ipop"}])
def test_what_cma_es_keeps_is_taken(kind: dict[str, Any]):
    found = own_state(**kind)
    assert any(key.endswith("cma:optimizer:0") for attributes in found for key in attributes)
    require_plain_states(found, Path("study.db"))


EVIL = pickle.dumps(Evil()).hex()
ATTACKS = {
    "code": states(EVIL),
    "code under the key of older versions": states(EVIL, "cma:optimizer"),
    "code of the separable kind": states(EVIL, "sepcma:optimizer:0"),
    "code in parts": [{"cma:optimizer:0": EVIL[:20], "cma:optimizer:1": EVIL[20:]}],
    "code in parts in another order": [{"cma:optimizer:1": EVIL[20:], "cma:optimizer:0": EVIL[:20]}],
    "code beside another state": [{"cma:optimizer:0": pickle.dumps(1).hex(), "cma:optimizer": EVIL}],
    "no pickle": states("00"),
    "no digits": states("evil"),
    "no text": [{"cma:optimizer:0": 5}],
    "a number": states(pickle.dumps(5).hex()),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_what_is_something_else_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"study\.db: trial [01]: expected the state of CMA-ES"):
        require_plain_states(ATTACKS[name], tmp_path / "study.db")
    assert not Path("canary").exists()


def test_a_study_is_upgraded_beside_what_lies_there(tmp_path: Path):
    old = next((OLD / "outputs" / "sweeps").glob("search-*"))
    file = Path(shutil.copy(old / "study.db", tmp_path))
    victim = tmp_path / "victim"
    victim.write_text("mine")
    for name in ("study.tmp", "study.db.tmp"):
        (tmp_path / name).symlink_to(victim)
    before = file.read_bytes()
    upgrade(file)
    assert file.read_bytes() != before
    assert victim.read_text() == "mine"
    assert {path.name for path in tmp_path.iterdir()} == {"study.db", "victim", "study.tmp", "study.db.tmp"}


def test_a_search_by_cma_es_runs_nothing_of_a_strangers_study(
    apps: Apps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    import optuna

    monkeypatch.chdir(tmp_path)
    old = next((OLD / "outputs" / "sweeps").glob("search-*"))
    sweep = Path(shutil.copytree(old, "stranger"))
    (sweep / "study.db").unlink()
    made = optuna.create_study(study_name="stranger", storage=f"sqlite:///{sweep / 'study.db'}", direction="maximize")
    uniform = optuna.distributions.FloatDistribution(0, 1)
    trial = optuna.trial.create_trial(
        params={"x": 0.5, "y": 0.5},
        distributions={"x": uniform, "y": uniform},
        value=1.0,
        system_attrs=states(EVIL)[1],
    )
    made.add_trial(trial)
    call = ["train", "sweep=search", *SMALL, GMM, "hydra/sweeper/sampler=cmaes", "hydra.sweeper.n_trials=3"]
    ended = told(apps, *call, "hydra/launcher=basic", "hydra.sweep.dir=stranger")
    assert ended.code == 1
    assert "study.db: trial 0: expected the state of CMA-ES" in ended.err
