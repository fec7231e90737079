"""A stranger's directory runs no code, writes nowhere, and is answered in one line: what lies in it is data.

Every attack is tried on what reads such a file. What it would run leaves a trace: an import of `outputs.evil`, or a
file called `pwned`.
"""

from __future__ import annotations

import json
import os
import sys
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from experiments.comparison.finished import finished_rows
from experiments.comparison.plan import has_estimate
from experiments.config.diff import measures
from experiments.config.identity import config_hash
from experiments.config.untrusted import check_overrides, command_to_show
from experiments.errors import UserError
from experiments.report.rows import Row
from experiments.run.directory import RunDirectory
from experiments.run.repeat import repeated_arguments
from experiments.run.restore import restore
from experiments.run.state import read_job
from experiments.sweep.overview import Standing
from experiments.sweep.plan import SweepJob, SweepPlan
from experiments.text import plain
from experiments.tracking.trackers import first_identity
from tests.data.recording_files import clip, write_audio
from tests.faults.strangers import EVIL, OLD, stranger

SECRET = "correct horse battery staple"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory in which a stranger's run, sweep and package of evil code lie."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("VRNN_SECRET", SECRET)
    stranger(tmp_path)
    yield tmp_path
    assert not list(tmp_path.rglob("pwned*")), "code was run"
    assert not [name for name in sys.modules if name.startswith("outputs")], "code was imported"


def asked(**changes: object) -> OmegaConf:
    about = {"split": "test", "checkpoint": "best", "device": "cpu", "root": None, "consent": []}
    return OmegaConf.create(about | changes)


# What reads a run's directory. Each either gives something, or raises UserError.
READERS: dict[str, Callable[[RunDirectory], object]] = {
    "restore": lambda run: restore(run, asked()),
    "run_from": lambda run: repeated_arguments([f"run_from={run.path}"]),
    "compare": lambda run: [
        Row(label, jobs).mean("test/log_likelihood") for label, jobs in finished_rows(str(run.path)).items()
    ],
    "status": lambda run: vars(Standing(SweepJob({}, read_job(run, "another", alive=False)))),
    "estimate": lambda run: has_estimate(read_job(run, alive=False), 3),
    "report": lambda run: [
        Row("a", [read_job(run, alive=False)]).evaluations,
        Row("a", [read_job(run, alive=False)]).bounds,
    ],
}


# Those that read result.json, and that are quick.
OF_RESULTS = ("compare", "status", "report")
OF_CONFIGS = ("restore", "compare", "run_from")


def answers(run: Path, names: Sequence[str] = tuple(READERS)) -> list[str]:
    """What readers say of a run: their refusal, or the text of what they give."""
    said = []
    for name in names:
        read = READERS[name]
        try:
            said.append(f"{name} gives {read(RunDirectory(run))}")
        except UserError as error:
            said.append(f"{name} refuses {error}")
    return said


def refusals(run: Path, names: Sequence[str] = tuple(READERS)) -> list[str]:
    return [text for text in answers(run, names) if " refuses " in text]


def change_config(run: Path, key: str, value: object) -> None:
    cfg = OmegaConf.load(run / "config.yaml")
    OmegaConf.update(cfg, key, value, merge=False, force_add=True)
    (run / "config.yaml").write_text(OmegaConf.to_yaml(cfg))


TARGETS = {
    "data._target_": [
        EVIL,
        "os.system",
        "vrnn.data.mnist.os.system",
        "vrnn.data.speech.np.load",
        "vrnn..os.system",
        "vrnn.__loader__.load_module",
        "torch.optim.optimizer.torch.hub.load",
        "hydra.utils.call",
        "builtins.exec",
        "subprocess.run",
        "",
        "vrnn",
        "vrnn.data.splits.Path.unlink",
    ],
    "model._target_": [EVIL, "torch.load", "experiments.tracking.trackers.os.remove"],
    "likelihood._target_": [EVIL, "numpy.load"],
    "figures._target_": [EVIL],
    "logger._target_": [EVIL, "wandb.init"],
    "optimizer._target_": [EVIL, "torch.optim.Adam.__init__"],
    "objective.beta._target_": [EVIL],
    "trainer._target_": [EVIL],
    "data.extra": [{"_target_": EVIL}, [{"_target_": EVIL}], [[{"deep": {"_target_": EVIL}}]]],
    "model._args_": [["a"]],
    "data._attach_": [True],
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in TARGETS.items() for value in values])
def test_nothing_is_built_but_the_suites_own(place, key, value):
    run = place / "run"
    change_config(run, key, value)
    refused = refusals(run, OF_CONFIGS)
    assert len(refused) == len(OF_CONFIGS)
    assert all("config.yaml" in text for text in refused)


@pytest.mark.parametrize("text", ["${oc.env:VRNN_SECRET}", "${oc.decode:'1'}", "${seed}", "a ${oc.env:HOME} b"])
@pytest.mark.parametrize("key", ["label", "data.style", "trainer.device"])
def test_no_reference_in_a_config_is_followed(place, key, text):
    change_config(place / "run", key, text)
    said = "\n".join(answers(place / "run", OF_CONFIGS))
    assert "expected a plain value, not a reference" in said
    assert SECRET not in said


YAML = {
    "a bomb of aliases": "a: &a [1,1,1,1,1,1,1,1]\n"
    + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(12)),
    "an object": "!!python/object/apply:os.system ['touch pwned']",
    "a name": "seed: !!python/name:os.system",
    "deep": "[" * 5_000,
    "deep mappings": "".join("  " * n + "a:\n" for n in range(80)),
    "not UTF-8": b"\xff\xfe\x00",
    "a number": "5",
    "a list": "[1, 2]",
    "nothing": "",
    "NUL": "a: \x00",
    "escapes": 'label: "\\e[31mred"',
    "no parts": "{model: 1, data: 2, likelihood: 3, objective: 4, optimizer: 5, trainer: 6, seed: 7}",
}


@pytest.mark.parametrize("name", YAML)
@pytest.mark.parametrize("file", ["config.yaml", "overrides.yaml"])
def test_yaml_is_plain_and_small(place, name, file):
    content = YAML[name]
    (place / "run" / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    refused = refusals(place / "run")
    assert refused or (name, file) in {("a list", "overrides.yaml")}
    assert all(f"run/{file}" in text and "\x1b" not in text and "\n" not in text for text in refused)


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
    assert SECRET not in str(refused.value)

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


RESULTS = {
    "a text for a number": (
        "figures",
        {"test/log_likelihood": {"value": "12", "count": 1, "unit": "", "space": "", "kind": "exact"}},
    ),
    "a list for a table": ("figures", [1, 2]),
    "a number for a table": ("figures", 3),
    "a figure that is none": ("figures", {"test/log_likelihood": [1]}),
    "a kind that is none": ("figures", {"a": {"value": 1.0, "count": 1, "unit": "", "space": "", "kind": "\x1b[31m"}}),
    "an unknown status": ("status", "\x1b[31mdone"),
    "a status that is a list": ("status", ["done"]),
    "a negative step": ("step", -1),
    "a huge step": ("step", 10**30),
    "a step of text": ("step", "4"),
    "an error of text": ("error", "boom"),
    "seconds of text": ("seconds", "long"),
    "parameters of text": ("parameters", "many"),
    "a newer format": ("format", 2),
}


@pytest.mark.parametrize("name", RESULTS)
def test_a_result_of_wrong_types_is_named(place, name):
    key, value = RESULTS[name]
    file = place / "run" / "result.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {key: value}))
    refused = refusals(place / "run", OF_RESULTS)
    assert len(refused) == len(OF_RESULTS)
    for text in refused:
        assert "run/result.json" in text
        assert "newer version" in text if key == "format" else key in text
        assert "\n" not in text
        assert "\x1b" not in text


TEXTS = ["\x1b[31mred", "\x1b]0;title\x07", "a\rb", "a\u202eb", "\x9b31m", "a\u2028b", "a\nrm -rf /"]


@pytest.mark.parametrize("text", TEXTS)
def test_text_of_files_moves_no_cursor(place, text):
    assert plain(text).isprintable()
    file = place / "run" / "result.json"
    result = json.loads(file.read_text())
    result |= {"commit": text, "cautions": [text], "stopped": text, "command": text, text: text, "status": "failed"}
    file.write_text(json.dumps(result | {"error": {"kind": text, "message": "x", "traceback": text}}))
    found = RunDirectory(place / "run").read_result()
    assert text not in found
    for value in (found["commit"], *found["cautions"], found["stopped"], found["command"], found["error"]["kind"]):
        assert value == plain(text)


METRICS = [
    "[1]",
    "5",
    '{"step": 1}',
    '{"step": "1", "epoch": 1}',
    '{"step": 1, "epoch": 1, "valid/kl": [1]}',
    "{",
    "[" * 9_999,
]


@pytest.mark.parametrize("line", METRICS)
def test_a_line_of_metrics_that_is_none_is_named(place, line):
    (place / "run" / "metrics.jsonl").write_text(line + "\n")
    with pytest.raises(UserError, match=r"metrics\.jsonl.*line 1"):
        list(RunDirectory(place / "run").metrics.read())


class Pickled:
    """Writes a file when it is unpickled."""

    def __reduce__(self):
        return os.system, ("touch pwned",)


def test_no_pickle_in_arrays_checkpoints_or_data_is_read(place):
    run = place / "run"
    np.savez(run / "test_sequences.npz", bounds=np.array([Pickled()], dtype=object), allow_pickle=True)
    assert any("test_sequences.npz: these are not the bounds" in text for text in refusals(run))
    torch.save({"model": Pickled(), "step": 1}, run / "checkpoints" / "best.pt")
    assert any("best.pt: this is not a whole checkpoint" in text for text in refusals(run))


def test_a_drawing_is_not_unpickled_by_a_strangers_consent(place):
    """The run's own config says that its pickles may be read; only today's command line can."""
    drawings = np.array([Pickled()], dtype=object)
    np.savez(place / "run" / "sketch.npz", train=drawings, valid=drawings, test=drawings, allow_pickle=True)
    data = {"_target_": "vrnn.data.sketch.sketch", "x_dim": 3, "seed": 0, "root": "run", "allow_pickle": True}
    change_config(place / "run", "data", data)
    refused = next(text for text in refusals(place / "run") if text.startswith("restore"))
    assert "allow_pickle must be true" in refused
    assert "consent=[data.allow_pickle]" in refused


def test_a_cache_is_not_made_where_a_stranger_says(place):
    for number in range(6):
        write_audio(place / "recordings" / f"{number}.wav", clip(number, 2000, 8000), 8000)
    data = {"_target_": "vrnn.data.audio.audio", "root": "recordings", "x_dim": 3, "num_frames": 10, "seed": 0}
    data |= {"sample_rate": 8000, "valid_fraction": 0.3, "test_fraction": 0.3, "max_memory_gb": 0.0}
    change_config(place / "run", "data", data | {"cache": str(place / "pwned")})
    assert refusals(place / "run", ["restore"])
    assert not (place / "pwned").exists()
    assert list((place / "outputs" / ".cache" / "audio").iterdir())  # it got as far as making one


def test_a_bomb_of_arrays_is_not_unpacked(place):
    with zipfile.ZipFile(place / "run" / "test_sequences.npz", "w") as archive:
        archive.writestr("bounds.npy", b"")
        archive.filelist[0].file_size = 2**40  # as the directory at its end says
    assert any("test_sequences.npz" in text for text in refusals(place / "run"))


@pytest.mark.parametrize("identity", [{"id": "../../pwned"}, {"id": 5}, [], {"id": "a" * 999}, {"name": "x"}])
def test_an_identity_that_is_none_is_named(place, identity):
    file = place / "run" / "wandb" / "identity.json"
    file.parent.mkdir()
    file.write_text(
        json.dumps(
            {"id": "a", "name": "b", "tags": []} | identity
            if isinstance(identity, dict) and "name" not in identity
            else identity
        )
    )
    with pytest.raises(UserError, match=r"identity\.json"):
        first_identity(place / "run", "name")


@pytest.mark.parametrize(
    "change",
    [
        {"points": "x"},
        {"points": [[1]]},
        {"keys": 5},
        {"trials": -1},
        {"trials": "2"},
        {"overrides": "seed=1"},
        {"format": 9},
        {"command": None},
    ],
    ids=str,
)
def test_a_plan_of_wrong_types_is_named(place, change):
    file = place / "sweep" / "sweep.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(UserError, match=rf"sweep\.json: .*{'newer' if 'format' in change else next(iter(change))}"):
        SweepPlan.read(place / "sweep")


def test_what_old_directories_hold_passes():
    for file in OLD.rglob("config.yaml"):
        if file.parent.name != ".hydra":
            cfg = RunDirectory(file.parent).read_config()
            assert len(config_hash(cfg)) == 16
            assert measures([cfg])
            check_overrides(RunDirectory(file.parent).read_overrides(), "old")
