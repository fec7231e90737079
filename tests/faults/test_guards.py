"""Nothing that only shows a run can end it, nor keep it waiting."""

from __future__ import annotations

import inspect
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from experiments.errors import UserError
from experiments.tracking.background import Background
from experiments.tracking.guard import Guard, GuardedDrawing, GuardedObserver, GuardedTracker
from experiments.tracking.tracked import TrackedRun
from experiments.tracking.trackers import NoTracker
from experiments.warn import recorded_warnings
from vrnn.training.progress import Observer

CALLS: dict[str, tuple[Any, ...]] = {
    "start": (0, 10),
    "advance": (1,),
    "log": ({"step": 1},),
    "note": ("a note",),
    "notice": (),
    "write": ("a line",),
    "show": ({}, {}, []),
    "keep": (Path("best.pt"),),
    "publish": ([], [], []),
    "whereabouts": (),
    "close": (0,),
    "open": (TrackedRun(Path(), "name", {}, "group", "train", "a command"),),
}


@pytest.fixture
def warnings() -> list[str]:
    found: list[str] = []
    with recorded_warnings(found):
        yield found


def own_methods(contract: type) -> set[str]:
    return {name for name, _ in inspect.getmembers(contract, inspect.isfunction) if not name.startswith("_")}


def failing(name: str, error: Exception, calls: list[str]) -> NoTracker:
    """A tracker that raises in one of its methods."""

    class Failing(NoTracker):
        title, patience = "a tracker", 5.0

    for method in own_methods(NoTracker):

        def call(self: NoTracker, *arguments: Any, method: str = method) -> str:
            calls.append(method)
            if method == name:
                raise error
            return ""

        setattr(Failing, method, call)
    return Failing()


def test_every_method_of_the_contracts_is_guarded():
    assert own_methods(Observer) <= set(vars(GuardedObserver))
    assert own_methods(NoTracker) <= set(vars(GuardedTracker)) | set(vars(GuardedObserver))
    assert own_methods(NoTracker) == CALLS.keys() | {"abandon"}


@pytest.mark.parametrize("name", CALLS)
def test_a_tracker_that_fails_anywhere_costs_itself_and_one_warning(name, warnings, capsys):
    calls: list[str] = []
    tracker = GuardedTracker(failing(name, OSError(28, "No space left on device"), calls))
    for method, arguments in (*CALLS.items(), (name, CALLS[name])):
        getattr(tracker, method)(*arguments)
    tracker.show({}, {}, [])
    expected = "a tracker: No space left on device; the run goes on without it; metrics.jsonl has everything"
    assert warnings == [expected]
    assert capsys.readouterr().err == f"warning: {expected}\n"
    assert calls.count(name) == 1
    after = calls[calls.index(name) + 1 :]
    assert after.count("abandon") == (name not in ("notice", "whereabouts"))


def test_a_tracker_may_refuse_to_begin(warnings):
    tracker = GuardedTracker(failing("open", UserError("logger.mode=online: no key"), []))
    with pytest.raises(UserError, match="no key"):
        tracker.open(*CALLS["open"])
    assert warnings == []


@pytest.mark.parametrize("name", ["log", "show", "publish", "close"])
def test_a_tracker_that_does_not_answer_is_waited_for_once(name, warnings):
    release = threading.Event()

    class Hanging(NoTracker):
        title, patience = "a tracker", 0.2

    setattr(Hanging, name, lambda self, *arguments: release.wait(30.0))
    tracker = GuardedTracker(Hanging())
    started = time.monotonic()
    for method in ("log", "show", "publish", "log", "close"):
        getattr(tracker, method)(*CALLS[method])
    assert time.monotonic() - started < 2.0
    assert warnings == ["a tracker: no answer within 0.2 s; the run goes on without it; metrics.jsonl has everything"]
    release.set()


def test_calls_are_made_in_order_and_what_they_raise_is_found_later():
    background, found = Background(), []
    for number in range(50):
        background.submit(found.append, number)
    background.wait(10.0)
    assert found == list(range(50))
    background.submit([].pop)
    with pytest.raises(IndexError):
        background.wait(10.0)
    background.end()


def test_ctrl_c_is_for_the_run(warnings):
    with pytest.raises(KeyboardInterrupt), Guard("figures", "without them"):
        raise KeyboardInterrupt
    assert warnings == []


def test_a_defect_is_told_with_its_place(warnings):
    with Guard("figures", "the run is done without them"):
        _ = [][3]
    (warning,) = warnings
    assert warning.startswith("figures: IndexError: list index out of range (test_guards.py:")
    assert warning.endswith("); the run is done without them")


def test_one_picture_that_fails_keeps_no_other_from_being_drawn(tmp_path, warnings):
    class Figure:
        def draw(self, rows: dict[str, Any], path: Path, *, title: str) -> list[Path]:
            path.write_text(title)
            if path.name == "b.png":
                raise OSError(28, "No space left on device", str(path))
            return [path]

    guard = Guard("figures", "the run is done without them")
    drawing = GuardedDrawing(Figure(), guard)
    files = [drawing.draw({}, tmp_path / f"{name}.png", title="a title") for name in "abcb"]
    assert files == [[tmp_path / "a.png"], [], [tmp_path / "c.png"], []]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "c.png"]
    assert warnings == [f"figures: {tmp_path}/b.png: No space left on device; the run is done without them"]
