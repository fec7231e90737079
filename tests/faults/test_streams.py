"""Whatever is said reaches every terminal and log, and no writing of it raises."""

from __future__ import annotations

import codecs
import os
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.cli import streams
from experiments.cli.streams import READABLE, Descriptor, protect_streams, spell, wrapped
from experiments.warn import recorded_warnings


@pytest.fixture(autouse=True)
def _handler(monkeypatch: pytest.MonkeyPatch) -> None:
    codecs.register_error(READABLE, spell)
    monkeypatch.setattr(streams, "_lost", [])


@pytest.mark.parametrize(
    ("text", "ascii_text", "latin_text"),
    [
        ("bound ≥ -1.5 ± 0.2", "bound >= -1.5 +- 0.2", "bound >= -1.5 ± 0.2"),
        ("≤ 3 × 4 – 5 … “a”", '<= 3 x 4 - 5 ... "a"', '<= 3 × 4 - 5 ... "a"'),
        ("é ö ª", "e o a", "é ö ª"),
        ("╭─┬━╮│┃└╸", "+-+-+||++", "+-+-+||++"),
        ("name\udce9", "name\\xe9", "name\\xe9"),
        ("日", "\\u65e5", "\\u65e5"),
    ],
)
def test_what_a_codec_lacks_is_spelled(text, ascii_text, latin_text):
    assert text.encode("ascii", READABLE).decode("ascii") == ascii_text
    assert text.encode("latin-1", READABLE).decode("latin-1") == latin_text


@given(st.text(st.characters(exclude_categories=())), st.sampled_from(["ascii", "latin-1", "utf-8", "koi8-r"]))
def test_every_text_can_be_written_in_every_encoding(text, encoding):
    written = iter(text.encode(encoding, READABLE).decode(encoding))
    assert all(sign in written for sign in text if sign.isascii())  # each, in order


def test_a_stream_whose_reader_is_gone_takes_everything_and_warns_once(capsys):
    reader, writer = os.pipe()
    os.close(reader)
    warnings: list[str] = []
    with recorded_warnings(warnings):
        stream = wrapped(Descriptor(writer, "stdout"), "utf-8", line_buffering=True)
        for _ in range(3):
            print("≥ " * 10_000, file=stream, flush=True)
    assert warnings == ["stdout: Broken pipe; the run goes on without it"]
    assert capsys.readouterr().err == "warning: stdout: Broken pipe; the run goes on without it\n"
    assert os.path.samestat(os.fstat(writer), os.stat(os.devnull))  # what this process starts is spared as well
    os.close(writer)


def test_a_full_disk_may_have_room_again(tmp_path):
    stream = wrapped(Descriptor(os.open("/dev/full", os.O_WRONLY), "stdout"), "utf-8", line_buffering=True)
    warnings: list[str] = []
    with recorded_warnings(warnings):
        print("lost", file=stream, flush=True)
        file = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
        os.dup2(file, stream.fileno())
        print("kept", file=stream, flush=True)
    assert (tmp_path / "log").read_text() == "kept\n"
    assert warnings == ["stdout: No space left on device; the run goes on without it"]
    os.close(file)


def test_a_pipe_that_somebody_has_made_non_blocking_gets_everything():
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    text = "a line\n" * 50_000  # more than a pipe holds
    found: list[bytes] = []

    def read() -> None:
        while part := os.read(reader, 65_536):
            found.append(part)

    thread = threading.Thread(target=read)
    thread.start()
    stream = wrapped(Descriptor(writer, "stdout"), "utf-8", line_buffering=False)
    print(text, end="", file=stream, flush=True)
    os.close(writer)
    thread.join()
    os.close(reader)
    assert b"".join(found).decode() == text


def test_only_the_standard_streams_are_replaced(capsys, monkeypatch):
    """Under a test, or in a notebook, stdout is something else."""
    before = sys.stdout, sys.stderr
    protect_streams()
    assert (sys.stdout, sys.stderr) == before
