"""Weights & Biases as people's surroundings have it: switched off, out of reach, killed, with names too long for it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from experiments.errors import UserError
from experiments.tracking.environment import MAX_TAG, cut, encodable, find_mode, refused_variable, valid_tags
from tests.experiments.command_line import Run
from tests.faults.test_surroundings import SMALLEST

TRACKED = (*(argument for argument in SMALLEST if argument != "logger=none"), "logger=wandb")
# Its service process is killed while the run writes its third line of metrics.
KILLED = """
import signal, subprocess
from vrnn.training.metrics import MetricsFile
write, lines = MetricsFile.write, []
def killing(self, metrics):
    lines.append(metrics)
    if len(lines) == 3:
        children = subprocess.run(["pgrep", "-P", str(os.getpid())], capture_output=True, text=True).stdout.split()
        [os.kill(int(child), signal.SIGKILL) for child in children if "wandb" in open(f"/proc/{child}/cmdline").read()]
    write(self, metrics)
MetricsFile.write = killing
"""


def environment(**variables: str) -> str:
    return f"os.environ.update({variables!r})\n"


@pytest.mark.parametrize(
    ("asked", "variables", "mode", "notice"),
    [
        ("offline", {}, "offline", ""),
        ("online", {}, "online", ""),
        ("offline", {"WANDB_MODE": "offline"}, "offline", ""),
        ("online", {"WANDB_MODE": "run"}, "online", ""),
        ("offline", {"WANDB_MODE": "dryrun"}, "offline", ""),
        ("online", {"WANDB_MODE": "dryrun"}, "offline", "offline, since WANDB_MODE=dryrun"),
        ("online", {"WANDB_MODE": "offline"}, "offline", "offline, since WANDB_MODE=offline"),
        ("online", {"WANDB_MODE": "shared"}, "shared", "shared, since WANDB_MODE=shared"),
        ("online", {"WANDB_MODE": "disabled"}, "disabled", "off, since WANDB_MODE=disabled"),
        ("offline", {"WANDB_MODE": "disabled"}, "disabled", "off, since WANDB_MODE=disabled"),
        (
            "offline",
            {"WANDB_MODE": "online"},
            "offline",
            "offline, as logger.mode says; WANDB_MODE=online uploads with logger=wandb_online only",
        ),
        ("online", {"WANDB_DISABLED": "true"}, "disabled", "off, since WANDB_DISABLED=true"),
        ("online", {"WANDB_DISABLED": "1", "WANDB_MODE": "online"}, "disabled", "off, since WANDB_DISABLED=1"),
        ("offline", {"WANDB_DISABLED": "false"}, "offline", ""),
        ("offline", {"WANDB_DISABLED": ""}, "offline", ""),
    ],
)
def test_of_config_and_environment_the_one_that_sends_less_wins(asked, variables, mode, notice):
    assert find_mode(asked, variables) == (mode, notice)


@pytest.mark.parametrize("value", ["off", "", "OFFLINE", "true"])
def test_a_mode_that_wandb_does_not_know_is_named(value):
    with pytest.raises(UserError, match=f"^WANDB_MODE={value}: expected one of disabled, offline, "):
        find_mode("offline", {"WANDB_MODE": value})


def test_tags_fit_and_stay_apart():
    long = [f"paper/{'x' * 90}{end}" for end in "ab"]
    tags = valid_tags([*long, "short", "", "short", "y" * MAX_TAG])
    assert tags[2:] == ["short", "y" * MAX_TAG]
    assert [len(tag) for tag in tags[:2]] == [MAX_TAG, MAX_TAG]
    assert tags[0] != tags[1]
    assert all(tag.startswith("paper/xxx") for tag in tags[:2])
    assert cut("short", MAX_TAG) == "short"


def test_names_that_are_not_utf_8_can_be_sent():
    found = encodable({"root": "lat\udce9", "list": ["\udcff", 1, None], 3: {"ok": "é"}})
    assert found == {"root": "lat\\udce9", "list": ["\\udcff", 1, None], 3: {"ok": "é"}}


@pytest.mark.parametrize(
    ("setting", "variable"),
    [("silent", "WANDB_SILENT"), ("run_tags", "WANDB_TAGS"), ("run_id", "WANDB_RUN_ID"), ("x_stats", "WANDB__STATS")],
)
def test_a_setting_is_named_as_the_variable_that_it_comes_from(setting, variable):
    assert refused_variable(setting, {variable: "value", "WANDB_OTHER": "1"}) == f"{variable}=value"
    assert refused_variable(setting, {}) == setting


# On the command line


@pytest.mark.parametrize(
    ("variables", "arguments", "expected"),
    [
        ({"WANDB_MODE": "off"}, (), "WANDB_MODE=off: expected one of disabled, "),
        ({"WANDB_SILENT": "maybe"}, (), "WANDB_SILENT=maybe: Weights & Biases could not start (Input should be a "),
        ({}, ("logger.project=a/b",), "logger.project=a/b: Weights & Biases refuses it (Invalid project name 'a/b'"),
    ],
    ids=["mode", "variable", "project"],
)
def test_what_wandb_refuses_is_named_before_training(apps, tmp_path: Path, variables, arguments, expected):
    ended = apps("train", *TRACKED, *arguments, cwd=tmp_path, before=environment(**variables))
    assert ended.code == 1
    assert ended.err.startswith(f"error: {expected}")
    assert ended.err.count("\n") == 1
    # Nothing of the run is left; what W&B's client has written by then is its own.
    assert [path.name for path in tmp_path.glob("run/*") if path.name != "wandb"] == []


def test_the_environment_switches_it_off(apps, tmp_path: Path):
    ended = apps("train", *TRACKED, cwd=tmp_path, before=environment(WANDB_MODE="disabled"))
    assert (ended.code, ended.err) == (0, "")
    assert "tracking    off, since WANDB_MODE=disabled\n" in ended.out
    assert not (tmp_path / "run" / "wandb").exists()


@pytest.mark.slow
def test_killed_in_the_midst_it_costs_one_warning(apps, tmp_path: Path):
    tags = f"logger.tags=[{'x' * 80},'']"
    ended = apps("train", *TRACKED, tags, cwd=tmp_path, before=KILLED)
    run = Run(tmp_path / "run")
    (warning,) = run.result["warnings"]
    assert re.match("Weights & Biases: (ConnectionResetError: |Connection reset by peer)", warning)
    assert warning.endswith("; the run goes on without it; metrics.jsonl has everything")
    assert (ended.code, ended.err) == (0, f"warning: {warning}\n")
    assert run.result["status"] == "done"
    assert [line["step"] for line in run.metrics if "train/loss" in line] == [1, 2, 3, 4, 5, 6]
    assert "tracking    Weights" not in ended.out


@pytest.mark.slow
def test_without_a_network_it_logs_offline_instead(apps, tmp_path: Path):
    key = environment(WANDB_API_KEY="0" * 40, WANDB_INIT_TIMEOUT="1", WANDB_BASE_URL="http://127.0.0.1:9")
    ended = apps("train", *TRACKED[:-1], "logger=wandb_online", cwd=tmp_path, before=key)
    run = Run(tmp_path / "run")
    (warning,) = run.result["warnings"]
    assert warning.startswith("Weights & Biases: CommError: ")
    assert "; this run is logged offline instead; " in warning
    assert "upload with: wandb sync run/wandb/offline-run-" in warning
    assert ended.code == 0
    assert f"warning: {warning}\n" in ended.err
    assert run.result["status"] == "done"
    (folder,) = run.wandb()
    assert folder["exit_code"] == 0
    assert folder["summary"]["test/log_likelihood"] == run.result["figures"]["test/log_likelihood"]["value"]
