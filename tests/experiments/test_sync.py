"""Offline logs reach W&B's server once: the real client against a stand-in on loopback, read by run id."""

from __future__ import annotations

import gzip
import json
import os
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from experiments.disk.locks import locked
from experiments.sync import sync, unsynced
from experiments.tracking import WandbTracker
from experiments.tracking.tracked import TrackedRun
from tests.experiments.command_line import Apps


class Server(ThreadingHTTPServer):
    """Takes what the client uploads.

    Attributes:
      history: the logged lines of each run id.
      config: of each run id.
      calls: how many requests there were.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.history: dict[str, list[str]] = defaultdict(list)
        self.config: dict[str, str] = {}
        self.calls = 0
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_: Any) -> None:
        """The client drops its connections when it is done."""

    def answer(self, query: str, given: dict[str, Any]) -> dict[str, Any]:
        project = {"id": "p", "name": given.get("project"), "entity": {"id": "e", "name": "me"}}
        if "RunResumeStatus" in query:
            return {"model": {**project, "bucket": self.known(given["name"])}}
        if "UpsertBucket" in query:
            name = given["name"]
            self.config[name] = given.get("config") or self.config[name]
            return {"upsertBucket": {"bucket": {**self.known(name), "project": project}, "inserted": True}}
        if "CreateRunFiles" in query:
            files = [{"name": name, "uploadUrl": f"{self.url}/file"} for name in given["files"]]
            return {"createRunFiles": {"runID": given["run"], "uploadHeaders": [], "files": files}}
        return {}

    def known(self, run: str) -> dict[str, Any] | None:
        """What the server tells of a run, from which a client goes on."""
        if run not in self.config:
            return None
        lines = self.history[run]
        counts = {"historyLineCount": len(lines), "eventsLineCount": 0, "logLineCount": 0}
        texts = {"historyTail": json.dumps(lines[-1:]), "eventsTail": "[]", "summaryMetrics": "{}"}
        return {"id": run, "name": run, "displayName": run, "config": self.config[run], **counts, **texts}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        if self.headers["Content-Encoding"] == "gzip":
            body = gzip.decompress(body)
        answer: dict[str, Any] = {}
        if self.path == "/graphql":
            request = json.loads(body)
            answer = {"data": self.server.answer(request["query"], request["variables"])}
        elif self.path.endswith("/file_stream"):
            lines = json.loads(body).get("files", {}).get("wandb-history.jsonl")
            if lines is not None:
                self.server.history[self.path.split("/")[-2]][lines["offset"] :] = lines["content"]
        self.reply(answer)

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.reply({})

    def reply(self, answer: dict[str, Any]) -> None:
        self.server.calls += 1
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The stand-in, which the client takes for W&B."""
    with Server() as server:
        for name in [name for name in os.environ if name.startswith("WANDB_")]:
            monkeypatch.delenv(name)
        for name, value in {"HOME": tmp_path, "WANDB_BASE_URL": server.url, "WANDB_API_KEY": "k" * 40}.items():
            monkeypatch.setenv(name, str(value))
        yield server
        server.shutdown()


def log(run: Path, steps: range) -> Path:
    """Logs offline, as one start of a run does; returns the log."""
    import wandb

    begun = time.time()
    tracker = WandbTracker("offline", "vrnn", None, [])
    tracker.open(TrackedRun(run, run.name, {"model": run.name}, "group", "train", "a command"))
    for step in steps:
        tracker.log({"step": step, "valid/log_likelihood": -1.0 / (1 + step)})
    tracker.close(0)
    wandb.teardown()  # only then the log is whole
    while int(time.time()) == int(begun):  # W&B names the folders by the second
        time.sleep(0.01)
    return max(run.glob("wandb/offline-run-*/run-*.wandb"))


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Of a run that was killed, so that its log ends within a record; of another run; of the first one, resumed."""
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    outputs = tmp_path / "outputs"
    killed, other = log(outputs / "train" / "z", range(300)), log(outputs / "sweeps" / "s" / "a", range(5))
    os.truncate(killed, 2**15)
    return [killed, other, log(outputs / "train" / "z", range(100, 110))]


def test_every_log_is_uploaded_once_and_in_order(logs, server, tmp_path, capsys, monkeypatch):
    outputs = tmp_path / "outputs"
    killed, other, resumed = logs
    assert unsynced(outputs) == logs
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert sync(outputs) == 0
    assert "uploaded 3 logs of 2 runs" in capsys.readouterr().out
    steps = {run: [json.loads(line)["step"] for line in lines] for run, lines in server.history.items()}
    first, second = (log.stem.removeprefix("run-") for log in (killed, other))
    assert resumed.name == killed.name
    assert steps.keys() == {first, second}
    assert steps[second] == list(range(5))
    whole = steps[first][:-10]
    assert 50 < len(whole) < 300
    assert steps[first] == [*range(len(whole)), *range(100, 110)]
    calls = server.calls
    assert sync(outputs) == 0
    assert capsys.readouterr().out.startswith(f"nothing to upload in {outputs}")
    assert server.calls == calls
    log(outputs / "sweeps" / "s" / "a", range(5, 8))  # and what a run logs when it goes on later is added to it
    assert sync(outputs) == 0
    assert [json.loads(line)["step"] for line in server.history[second]] == list(range(8))
    assert list(Path().iterdir()) == []


def test_what_still_runs_and_what_is_empty_is_left_alone(tmp_path):
    def make(run: str, time: str, size: int) -> Path:
        folder = tmp_path / run / "wandb" / f"offline-run-{time}-id"
        folder.mkdir(parents=True)
        (folder / "run-id.wandb").write_bytes(b"." * size)
        return folder / "run-id.wandb"

    make("a/empty", "20260101_000000", 7)
    make("a/done", "20260101_000001", 99).with_suffix(".wandb.synced").touch()
    late, early, running = (make(run, f"2026010{day}_0", 99) for run, day in (("a/x", 3), ("b", 2), ("c", 1)))
    (tmp_path / "elsewhere.wandb").write_bytes(b"." * 99)
    folder = make("a/linked", "20260101_000002", 99).parent
    (folder / "run-id.wandb").unlink()
    (folder / "run-id.wandb").symlink_to(tmp_path / "elsewhere.wandb")
    make("a/marked", "20260101_000003", 99).with_suffix(".wandb.synced").symlink_to(tmp_path / "not there")
    with locked(running.parents[2]):
        assert unsynced(tmp_path) == [early, late]
    assert unsynced(tmp_path) == [running, early, late]
    assert unsynced(tmp_path / "a") == [late]


def test_without_a_key_and_without_logs_there_is_one_message(apps: Apps, tmp_path):
    ended = apps("sync", cwd=tmp_path)
    assert (ended.code, ended.out.startswith("nothing to upload in outputs"), ended.err) == (0, True, "")
    ended = apps("sync", "elsewhere", cwd=tmp_path)
    assert (ended.code, ended.out, ended.err.startswith("error: elsewhere: there is no such folder")) == (1, "", True)
    folder = tmp_path / "outputs" / "train" / "a" / "wandb" / "offline-run-20260101_000000-id"
    folder.mkdir(parents=True)
    (folder / "run-id.wandb").write_bytes(b"." * 99)
    ended = apps("sync", cwd=tmp_path)
    assert (ended.code, ended.out, ended.err.count("\n")) == (1, "", 1)
    assert "wandb login" in ended.err
