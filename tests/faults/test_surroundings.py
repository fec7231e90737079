"""Terminals, pipes, disks and sessions as people have them: none of them ends a run, which says what it has lost.

Each fault befalls a run of its own on the command line; what it measured is what the undisturbed run did.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from experiments.disk.files import write_json
from tests.experiments.command_line import WORDS, Apps, Ended, Run

SMALLEST = (
    *WORDS,
    "latent.z_dim=2",
    "latent.h_dim=6",
    "latent.width=6",
    "likelihood.num_components=2",
    "trainer=debug",
    "trainer.max_steps=6",
    "logger=none",
    "hydra.run.dir=run",
)
DECODED = "for name in ('stdout', 'stderr'): getattr(sys, name).reconfigure(encoding={!r}, errors='strict')\n"
BROKEN = "reader, writer = os.pipe(); os.dup2(writer, 1); os.close(reader); os.close(writer)\n"
FULL = "os.dup2(os.open('/dev/full', os.O_WRONLY), 1)\n"
CLOSED = "os.close(1); sys.stdout = sys.__stdout__ = None\n"
# A terminal whose other end is gone: what is written to it gives EIO.
HUNG_UP = "ours, theirs = os.openpty(); os.dup2(theirs, 1); os.dup2(theirs, 2); os.close(ours); os.close(theirs)\n"
# A picture fails as on a disk that has no room for it, half written.
NO_PICTURES = """
import matplotlib.figure
def savefig(self, path, **settings):
    open(path, "wb").write(b"half a picture")
    raise OSError(28, "No space left on device", str(path))
matplotlib.figure.Figure.savefig = savefig
"""


@pytest.fixture(scope="module")
def undisturbed(apps: Apps, tmp_path_factory: pytest.TempPathFactory) -> tuple[Ended, Run]:
    """The run that nothing befalls, and what it says; only to be looked at."""
    folder = tmp_path_factory.mktemp("undisturbed")
    ended = apps("train", *SMALLEST, cwd=folder)
    assert (ended.code, ended.err) == (0, "")
    run = Run(folder / "run")
    assert run.result["warnings"] == []
    return ended, run


def assert_whole(run: Run, undisturbed: Run) -> None:
    """It was done, and came to the same."""
    for key in ("status", "error", "step", "best_step", "figures"):
        assert run.result[key] == undisturbed.result[key], key
    assert run.result["status"] == "done"
    assert run.metrics == undisturbed.metrics


@pytest.mark.parametrize(
    ("before", "warning"),
    [
        (BROKEN, "stdout: Broken pipe; the run goes on without it"),
        (FULL, "stdout: No space left on device; the run goes on without it"),
        (CLOSED, "stdout: Bad file descriptor; the run goes on without it"),
    ],
    ids=["broken", "full", "closed"],
)
def test_a_run_outlives_its_stdout_and_warns_once(apps, undisturbed, tmp_path, before, warning):
    ended = apps("train", *SMALLEST, cwd=tmp_path, before=before)
    assert ended == Ended(0, "", f"warning: {warning}\n")
    run = Run(tmp_path / "run")
    assert run.result["warnings"] == [warning]
    assert_whole(run, undisturbed[1])


def test_a_run_outlives_its_terminal(apps, undisturbed, tmp_path):
    ended = apps("train", *SMALLEST, cwd=tmp_path, before=HUNG_UP)
    assert ended == Ended(0, "", "")
    run = Run(tmp_path / "run")
    assert run.result["warnings"] == ["stdout: Input/output error; the run goes on without it"]
    assert_whole(run, undisturbed[1])


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_log_that_is_not_utf_8_says_the_same_readably(apps, undisturbed, tmp_path, encoding):
    ended = apps("train", *SMALLEST, cwd=tmp_path, before=DECODED.format(encoding))
    assert (ended.code, ended.err) == (0, "")
    assert_whole(Run(tmp_path / "run"), undisturbed[1])
    bound = next(line for line in undisturbed[0].out.splitlines() if line.startswith("test bound"))
    assert "≥" in bound
    assert "±" in bound
    signs = {"≥": ">="} | ({"±": "+-"} if encoding == "ascii" else {})
    for sign, spelled in signs.items():
        bound = bound.replace(sign, spelled)
    assert bound in ended.out.encode(errors="surrogateescape").decode(encoding)


def test_help_is_readable_in_ascii(apps, tmp_path):
    ended = apps("train", "--help", cwd=tmp_path, before=DECODED.format("ascii"))
    assert (ended.code, ended.err) == (0, "")
    assert "  likelihood=gaussian " in ended.out
    assert ended.out.isascii()


@pytest.mark.parametrize("command", [("train", "--help"), ("status", "dir=sweep")], ids=["help", "status"])
@pytest.mark.parametrize(("before", "code"), [(BROKEN, 0), (FULL, 1)], ids=["head", "full"])
def test_words_that_nobody_reads_are_no_failure_but_lost_ones_are(apps, tmp_path, before, code, command):
    plan = {"format": 1, "command": "", "overrides": [], "keys": ["seed"], "points": [{"seed": "0"}], "trials": None}
    write_json(tmp_path / "sweep" / "sweep.json", plan)
    ended = apps(*command, cwd=tmp_path, before=before)
    lost = "warning: stdout: No space left on device; what was to be read there is lost\n"
    assert ended == Ended(code, "", lost if code else "")


@pytest.mark.soak
def test_jobs_in_processes_of_their_own_are_spared_as_well(apps, tmp_path):
    """An ASCII log and a broken pipe for the whole multirun; the second job begins, and is told of in the report."""
    environment = "os.environ['PYTHONIOENCODING'] = 'ascii'\n"
    jobs = ("--multirun", *SMALLEST[:-1], "seed=0,1", "hydra/launcher=joblib", "multirun.max_parallel=2")
    ended = apps("train", *jobs, cwd=tmp_path, before=environment + DECODED.format("ascii") + BROKEN)
    assert ended.code == 0, ended.err
    assert "Traceback" not in ended.err
    runs = Run.all(tmp_path / "outputs")
    assert [run.result["status"] for run in runs] == ["done", "done"]
    assert list(tmp_path.glob("outputs/sweeps/*/sweep.html"))


def test_pictures_that_cannot_be_written_cost_only_themselves(apps, undisturbed, tmp_path):
    ended = apps("train", *SMALLEST, cwd=tmp_path, before=NO_PICTURES)
    run = Run(tmp_path / "run")
    (warning,) = run.result["warnings"]
    assert warning == (
        f"figures: {run.path}/figures/samples.png: No space left on device; the run is done without them; "
        "they are drawn by experiments.sample run=run"
    )
    assert (ended.code, ended.err) == (0, f"warning: {warning}\n")
    assert_whole(run, undisturbed[1])
    assert list((run.path / "figures").iterdir()) == []  # not half a picture


@pytest.mark.slow
def test_a_lost_session_stops_a_run_as_termination_does(apps, long, whole, tmp_path):
    call = apps.start("train", *long, "hydra.run.dir=run", cwd=tmp_path)
    run = Run(tmp_path / "run")
    run.wait_for_lines(14, call)
    call.kill(signal.SIGHUP)
    call.kill(signal.SIGHUP)  # as a session's end may send it twice
    ended = call.ended()
    assert ended.code == 128 + signal.SIGHUP
    assert "Stopping after this update and saving." in ended.err
    assert "go on with: " in ended.out
    assert run.result["status"] == "interrupted"
    assert run.checkpoint("last")["progress"]["step"] == run.metrics[-1]["step"] < 44
    assert apps("train", "resume=run", cwd=tmp_path).code == 0
    assert run.metrics == whole.metrics


LAUNCHERS = ["basic", pytest.param("joblib", marks=pytest.mark.soak)]


@pytest.mark.slow
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_lost_session_stops_a_multirun(apps, tmp_path, launcher):
    """Every process of it is told, twice: jobs save, none begins any more, and nothing else is said."""
    jobs = ("--multirun", *SMALLEST[:-3], "trainer.max_steps=4000", "logger=none", "seed=0,1")
    call = apps.start("train", *jobs, f"hydra/launcher={launcher}", "multirun.max_parallel=2", cwd=tmp_path)
    number = 1 if launcher == "basic" else 2
    deadline = time.monotonic() + 120.0
    while len(list(tmp_path.glob("outputs/sweeps/*/*/metrics.jsonl"))) < number:
        assert time.monotonic() < deadline, call.err.read_text()
        time.sleep(0.01)
    call.kill(signal.SIGHUP)
    call.kill(signal.SIGHUP)
    ended = call.ended()
    assert ended.code == 128 + signal.SIGHUP
    assert ended.err == "\nstopping at the jobs' next step; once more stops at once\n"
    assert "stopped; go on with: python -m experiments.train --multirun " in ended.out
    assert [run.result["status"] for run in Run.all(tmp_path / "outputs")] == ["interrupted"] * number


@pytest.mark.slow
def test_nohup_is_respected(apps, undisturbed, tmp_path):
    before = f"import signal; signal.signal({int(signal.SIGHUP)}, signal.SIG_IGN)\n"
    call = apps.start("train", *SMALLEST, cwd=tmp_path, before=before)
    Run(tmp_path / "run").wait_for_lines(2, call)
    os.kill(call.pid, signal.SIGHUP)
    assert call.ended().code == 0
    assert_whole(Run(tmp_path / "run"), undisturbed[1])


# Places to write to


@pytest.mark.parametrize("arguments", [(), ("--multirun", "seed=0,1")], ids=["run", "multirun"])
@pytest.mark.parametrize("place", ["link", "file"])
def test_outputs_that_are_no_folder_are_named_in_one_line(apps, tmp_path: Path, place, arguments):
    outputs = tmp_path / "outputs"
    outputs.symlink_to("/nowhere/at/all") if place == "link" else outputs.write_text("mine")
    ended = apps("train", *arguments, *SMALLEST[:-1], cwd=tmp_path)
    assert (ended.code, ended.out) == (1, "")
    expected = {"link": "outputs is a link to /nowhere/at/all, which is not there", "file": "Not a directory"}[place]
    assert ended.err.startswith("error: outputs")
    assert expected in ended.err
    assert ended.err.count("\n") == 1
    assert os.readlink(outputs) == "/nowhere/at/all" if place == "link" else outputs.read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["outputs"]


ODD_NAMES = ["a=b,c;d q'u\"o $b {x} ~#\\ [red] per%(cent)s\nnew line", os.fsdecode(b"lat\xe9")]


@pytest.mark.parametrize("name", ODD_NAMES, ids=["signs", "bytes"])
def test_a_working_directory_of_any_name_will_do(apps, undisturbed, tmp_path: Path, name):
    folder = tmp_path / name
    folder.mkdir()
    ended = apps("train", *SMALLEST, cwd=folder)
    assert (ended.code, ended.err) == (0, "")
    assert_whole(Run(folder / "run"), undisturbed[1])


def test_a_working_directory_that_reads_as_a_reference_is_refused(apps, tmp_path: Path):
    folder = tmp_path / "a${b}"
    folder.mkdir()
    ended = apps("train", *SMALLEST, cwd=folder)
    assert ended.code == 1
    assert ended.err.startswith(f"error: {folder}: the name of the working directory holds '${{'")
    assert ended.err.count("\n") == 1
    assert list(folder.iterdir()) == []


def test_a_working_directory_that_is_gone_is_told(apps, tmp_path: Path):
    ended = apps("train", *SMALLEST, cwd=tmp_path, before="os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone')\n")
    assert ended.code == 1
    assert ended.err.startswith("error: the working directory is not there any more")
    assert ended.err.count("\n") == 1
