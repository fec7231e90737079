"""Data files that a stranger has made: read as numbers, or refused in a line; nothing runs or leads elsewhere."""

from __future__ import annotations

import io
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.data.recording_files import clip, write_audio
from tests.data.stroke_files import FORMS, drawings, write_iamondb
from vrnn.data.audio import audio
from vrnn.data.iamondb import iamondb, read_line
from vrnn.data.ink.omniglot_raw import read_raw
from vrnn.data.mnist import mnist
from vrnn.data.recordings.clips import archived_clips
from vrnn.data.recordings.storage import Storage
from vrnn.data.sketch import sketch

SECRET = "hunter2"


class Canary:
    """Unpickled, it makes a file."""

    def __reduce__(self):
        return (Path.touch, (Path("canary"),))


PICKLED = np.array([Canary()], dtype=object)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: a folder of data, and a secret beside it."""
    (tmp_path / "secret.txt").write_text(SECRET)
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path / "data"


def drawn(folder: Path, **changes: np.ndarray) -> None:
    """A file of sketch-rnn with other arrays; it is read without consent."""
    parts = {part: drawings(part) for part in ("train", "valid", "test")}
    arrays = {f"{part}_strokes": np.concatenate(each) for part, each in parts.items()}
    arrays |= {f"{part}_offsets": np.cumsum([0, *map(len, each)]) for part, each in parts.items()}
    np.savez(folder / "x.npz", **arrays | changes)
    sketch(path=str(folder / "x.npz"))


def digits(folder: Path, **changes: np.ndarray) -> None:
    """A binarised MNIST with other arrays."""
    file = folder / "mnist_static_binarized" / "binarized_mnist_packed.npz"
    file.parent.mkdir()
    np.savez(file, **{part: np.zeros((3, 98), np.uint8) for part in ("train", "valid", "test")} | changes)
    mnist(root=str(folder), binarize="static", valid_size=3, verify=False)


def spoken(folder: Path, **changes: np.ndarray) -> None:
    """An archive of clips with other arrays."""
    arrays = {
        "samples": np.arange(9, dtype=np.int16),
        "offsets": np.array([0, 9]),
        "names": np.array(["a"]),
        "rate": 8000,
    }
    np.savez(folder / "x.npz", **arrays | changes)
    archived_clips(folder / "x.npz")


def zipped(folder: Path, *names: str) -> None:
    """An archive of Omniglot with a drawing of each of these names."""
    with zipfile.ZipFile(folder / "x.zip", "w") as archive:
        for name in names:
            archive.writestr(name, "START\n1.0,-1.0,0\n2.0,-2.0,9\nBREAK\n")
    read_raw(folder / "x.zip", None)


def line(folder: Path, text: str | bytes) -> None:
    """A line of IAM-OnDB."""
    (folder / "line.xml").write_bytes(text.encode() if isinstance(text, str) else text)
    read_line(folder / "line.xml")


def doctype(declared: str, used: str = "&e;") -> str:
    points = '<Stroke><Point x="1" y="2"/><Point x="3" y="4"/></Stroke>'
    return f'<?xml version="1.0"?><!DOCTYPE a [{declared}]><a>{used}<StrokeSet>{points}</StrokeSet></a>'


def forms(folder: Path, entry: str) -> None:
    """A list of IAM-OnDB with another entry."""
    write_iamondb(folder)
    with (folder / "trainset.txt").open("a") as file:
        file.write(f"{entry}\n")
    iamondb(root=str(folder))


def recorded(folder: Path, *, listed: str | None = None, attack: Callable[[Path], None] = Path.exists) -> None:
    """A folder of recordings, one of which is attacked, or a list of which has another entry."""
    for number in range(9):
        write_audio(folder / f"{number}.wav", clip(number, 900, 8000), 8000)
    attack(folder / "4.wav")
    if listed is None:
        audio(x_dim=20, sample_rate=8000, num_frames=5, root=str(folder))
        return
    for number, part in enumerate(("train", "valid", "test")):
        (folder / f"{part}.txt").write_text(f"{number}.wav\n" + f"{listed}\n" * (part == "train"))
    lists = {part: f"{part}.txt" for part in ("train", "valid", "test")}
    audio(x_dim=20, sample_rate=8000, num_frames=5, root=str(folder), split="lists", lists=lists)


def link_to(target: str) -> Callable[[Path], None]:
    def attack(file: Path) -> None:
        file.unlink()
        file.symlink_to(target)

    return attack


def header(**changes: int) -> Callable[[Path], None]:
    """Changes 32-bit numbers in the header of a wav file."""
    places = {"size": 4, "channels": 22, "rate": 24, "bytes": 40}

    def attack(file: Path) -> None:
        content = bytearray(file.read_bytes())
        for name, value in changes.items():
            struct.pack_into("<H" if name == "channels" else "<I", content, places[name], value)
        file.write_bytes(content)

    return attack


def mapped(folder: Path, name: str, content: bytes) -> None:
    """Values in a cache, one of whose files is another."""
    from vrnn.data.recordings.storage import Filled
    from vrnn.data.standardisation import Standardisation

    storage = Storage(0.0, str(folder))
    filled = Filled(Standardisation.identity(3), {"train": [True]}, {}, [])
    found = storage.stored((4, 3), "x", lambda values: filled)
    (found.folder / name).write_bytes(content)
    storage.stored((4, 3), "x", lambda values: filled)


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def shaped(shape: bytes) -> bytes:
    """The file of an array that says that it has this shape."""
    head = b"{'descr': '<f4', 'fortran_order': False, 'shape': " + shape + b", }"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + head.ljust(117) + b"\n" + bytes(48)


LAUGHS = '<!ENTITY e "x">' + "".join(
    f'<!ENTITY {new} "{f"&{old};" * 10}">' for old, new in zip("eabcdefgh", "abcdefghi", strict=True)
)

ATTACKS: dict[str, Callable[[Path], None]] = {
    # Pickles.
    "pickled drawings": lambda folder: drawn(folder, train=PICKLED, train_strokes=PICKLED),
    "pickled offsets": lambda folder: drawn(folder, train_offsets=PICKLED),
    "pickled digits": lambda folder: digits(folder, train=PICKLED),
    "pickled samples": lambda folder: spoken(folder, samples=PICKLED),
    "pickled names": lambda folder: spoken(folder, names=PICKLED),
    "a pickled rate": lambda folder: spoken(folder, rate=PICKLED),
    "pickled values in the cache": lambda folder: mapped(folder, "values.npy", npy(PICKLED)),
    "a pickle as the cache's values": lambda folder: mapped(folder, "values.npy", pickle.dumps(Canary())),
    "a pickle about the cache": lambda folder: mapped(folder, "about.json", pickle.dumps(Canary())),
    # Sizes.
    "values in the cache of 2^62 rows": lambda folder: mapped(
        folder, "values.npy", shaped(b"(4611686018427387904, 3)")
    ),
    "values in the cache of -1 rows": lambda folder: mapped(folder, "values.npy", shaped(b"(-1, 3)")),
    "values in the cache of a shape that is code": lambda folder: mapped(folder, "values.npy", shaped(b"evil.boom()")),
    "values in the cache of half a shape": lambda folder: mapped(folder, "values.npy", shaped(b"(4")),
    "offsets of 2^62": lambda folder: drawn(folder, train_offsets=np.array([0, 2**62])),
    "negative offsets": lambda folder: drawn(folder, train_offsets=np.array([0, -5, 9])),
    "samples from offsets of 2^62": lambda folder: spoken(folder, offsets=np.array([0, 2**62])),
    "samples from negative offsets": lambda folder: spoken(folder, offsets=np.array([9, -9])),
    "a rate of nothing": lambda folder: spoken(folder, rate=np.array(0)),
    # Zip archives.
    "a member above the archive": lambda folder: zipped(folder, "a/b/0001_01.txt", "../../../a/b/0002_01.txt"),
    "a member at an absolute path": lambda folder: zipped(folder, "a/b/0001_01.txt", "/tmp/evil/a/b/0002_01.txt"),
    "a member with both": lambda folder: zipped(folder, "/../a/b/0001_01.txt"),
    # XML.
    "a billion laughs": lambda folder: line(folder, doctype(LAUGHS, "&i;")),
    "an entity that is a file": lambda folder: line(folder, doctype('<!ENTITY e SYSTEM "secret.txt">')),
    "an entity that is an address": lambda folder: line(folder, doctype('<!ENTITY e SYSTEM "http://evil.org/x">')),
    "an entity of parameters": lambda folder: line(folder, doctype('<!ENTITY % e SYSTEM "secret.txt"> %e;', "")),
    "an entity of half a megabyte, often": lambda folder: line(
        folder, doctype(f'<!ENTITY e "{"x" * 500_000}">', "&e;" * 9_999)
    ),
    "a document type elsewhere": lambda folder: line(
        folder, '<!DOCTYPE a SYSTEM "http://evil.org/x.dtd"><a><StrokeSet><Stroke/></StrokeSet></a>'
    ),
    "elements within each other": lambda folder: line(folder, "<a>" * 50_000),
    "coordinates without end": lambda folder: line(
        folder, '<a><StrokeSet><Stroke><Point x="1e999" y="1"/></Stroke></StrokeSet></a>'
    ),
    # Lists.
    "a form above the folder": lambda folder: forms(folder, "../../secret-1"),
    "a form with a pattern": lambda folder: forms(folder, "a01-.*"),
    "a recording above the folder": lambda folder: recorded(folder, listed="../secret.txt"),
    "a recording at an absolute path": lambda folder: recorded(folder, listed="/etc/passwd"),
    "a recording by a detour": lambda folder: recorded(folder, listed="a/../../secret.txt"),
    "a recording with backslashes": lambda folder: recorded(folder, listed="..\\secret.txt"),
    # Recordings.
    "a recording that is a device": lambda folder: recorded(folder, listed="4.wav", attack=link_to("/dev/zero")),
    "a recording that is a secret": lambda folder: recorded(folder, attack=link_to("../secret.txt")),
    "a recording that is a link to itself": lambda folder: recorded(folder, listed="4.wav", attack=link_to("4.wav")),
    "a recording of 2^32 bytes": lambda folder: recorded(folder, attack=header(size=2**32 - 1, bytes=2**32 - 1)),
    "a recording of 65,535 channels": lambda folder: recorded(folder, attack=header(channels=65_535)),
    "a recording of no channel": lambda folder: recorded(folder, attack=header(channels=0)),
    "a recording at 2^31 Hz": lambda folder: recorded(folder, attack=header(rate=2**31)),
    "a recording at 0 Hz": lambda folder: recorded(folder, attack=header(rate=0)),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks(folder: Path, name: str):
    with pytest.raises((ValueError, OSError)) as caught:
        ATTACKS[name](folder)
    answer = str(caught.value)
    assert answer.isprintable()
    assert SECRET not in answer
    assert str(folder) in answer or answer.startswith(("train_lists", "lists", "max_memory", "cache"))
    beside = {path.name for path in Path.cwd().iterdir()}
    assert beside <= {"data", "secret.txt", "outputs"}
    assert not Path("/tmp/evil").exists()


def test_a_pipe_is_not_waited_for(folder: Path):
    def attack(file: Path) -> None:
        file.unlink()
        os.mkfifo(file)

    recorded(folder, attack=attack)  # it is no file, and so none of the recordings


def test_the_same_files_without_an_attack_are_read(folder: Path):
    drawn(folder)
    spoken(folder)
    zipped(folder, "a/b/0001_01.txt", "a/b/0002_01.txt")
    line(folder, doctype("", "").replace("<!DOCTYPE a []>", ""))
    digits(folder)
    for path in folder.iterdir():
        if path.is_file():
            path.unlink()
    recorded(folder)
    recorded(folder, listed="3.wav")
    forms(folder, FORMS["trainset.txt"][0])
