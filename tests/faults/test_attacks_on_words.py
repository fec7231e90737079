"""Overrides and commands from a stranger's directory choose the suite's options and values, and do nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from experiments.config.untrusted import check_overrides, command_to_show
from experiments.errors import UserError
from experiments.sweep.plan import SweepPlan
from experiments.text import plain
from tests.faults.strangers import PASSWORD

OVERRIDES = [
    "hydra.searchpath=[file:///tmp]",
    "hydra/launcher=evil",
    "hydra.callbacks.x._target_=outputs.evil.boom",
    "+hydra.callbacks={x: {_target_: outputs.evil.boom}}",
    "hydra.sweeper._target_=outputs.evil.boom",
    "hydra.run.dir=/tmp/pwned",
    "hydra.job.chdir=true",
    "data._target_=outputs.evil.boom",
    "++data={_target_: outputs.evil.boom}",
    "+data.extra={a: {_target_: outputs.evil.boom}}",
    "+data.extra=[{_target_: outputs.evil.boom}]",
    "model.phi_x=[{_args_: [1]}]",
    "experiment=../../run/evil",
    "experiment=/tmp/evil",
    "model='../../run/evil'",
    "+experiment@hydra=paper/timit",
    "figures@hydra.launcher=digits",
    "label=${oc.env:VRNN_SECRET}",
    "label='a ${oc.env:VRNN_SECRET} b'",
    "label=${oc.${latent.z_dim}:X}",
    "label=${oc.create:{a: 1}}",
    "label=${suite_help:}",
    "label=${job_name:a}",
    "net_width=${matched_width:../../run/evil,gaussian}",
    "data.allow_pickle=true",
    "+data.allow_pickle=true",
    "++data.allow_pickle=true",
    "data.verify=false",
    "data.cache=/etc",
    "logger.mode=online",
    "resume=/tmp/x",
    "run_from=/tmp/x",
    "seed=1,2",
    "label='\x1b[31mred'",
    "new.key=1",
    "latent=(",
    "",
]


@pytest.mark.parametrize("override", OVERRIDES)
def test_no_override_from_a_directory_does_more_than_choose(place, override):
    with pytest.raises(UserError) as refused:
        check_overrides([override], "run/overrides.yaml")
    assert str(refused.value).startswith("run/overrides.yaml: ")
    assert "\x1b" not in str(refused.value)
    assert PASSWORD not in str(refused.value)

    if plain(override) == override:  # else it is harmless by the time that it has been read
        file = place / "sweep" / "sweep.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"overrides": [override]}))
        with pytest.raises(UserError):
            SweepPlan.read(place / "sweep").compose({})
    assert command_to_show(f"python -m experiments.train {override}".strip(" ") + " a", Path("x")).startswith(
        "the command in"
    )


@pytest.mark.parametrize(
    "override",
    [
        "data=handwriting",
        "data.style=cursive",
        "latent.z_dim=3",
        "net_width=${matched_width:vrnn,gaussian}",
        "net_width=${latent.width}",
        "experiment=paper/timit",
        "experiment=null",
        "~label",
        "label='a, b'",
        "model.phi_x=[8,8]",
        "+trainer.tbptt=3",
        "multirun.stop_below={quantile: 0.5, after: 3, jobs: 4}",
        "objective.beta.steps=100",
        "optimizer.lr=1e-3",
        "seed=3",
    ],
)
def test_what_people_type_passes(override):
    check_overrides([override], "overrides.yaml")


COMMANDS = [
    "rm -rf /",
    "python -m experiments.train; rm -rf /",
    "python -m experiments.train seed=1\nrm -rf ~",
    "python -m experiments.train $(rm -rf ~)",
    "python -m experiments.train `id`",
    "python -m experiments.train seed=1 && id",
    "python -m experiments.train --config-dir evil",
    "python -m experiments.train hydra.searchpath=[file://evil]",
    "python -m experiments.evil",
    "python -m os",
    "python evil.py",
    "\x1b]0;title\x07python -m experiments.train",
    "python -m experiments.train 'seed=1",
    "",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_no_other_command_is_shown_to_be_typed(place, command):
    plan = json.loads((place / "sweep" / "sweep.json").read_text())
    (place / "sweep" / "sweep.json").write_text(json.dumps(plan | {"command": command}))
    shown = SweepPlan.read(place / "sweep").command_to_show
    assert shown == "the command in sweep/sweep.json, if it is yours: look at it first".replace(
        "sweep/", f"{place}/sweep/"
    )


def test_the_suites_own_command_is_shown(place):
    plan = SweepPlan.read(place / "sweep")
    assert plan.command_to_show == plan.command != ""
