"""Piano rolls as a dataset: corpora, own files, folders of MIDI files."""

from __future__ import annotations

import builtins
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from experiments.run.parts import build_parts
from tests.conf import composed, hydra_ready
from tests.data.makers.pianoroll import COUNTS, rolls, write_mat
from tests.data.music.test_midi import write_midi
from tests.data.music.test_rolls import write_npz
from tests.datasets import SmallDataset
from vrnn.data.pianoroll import FILES, pianoroll

PARTS = {part: rolls(part) for part in COUNTS}
SHARED = os.environ.get("VRNN_DATA_DIR", "")


@pytest.fixture
def midi(tmp_path: Path) -> Path:
    """Nine files in two folders."""
    for number in range(9):
        path = tmp_path / ("one", "two")[number % 2] / f"{number}.{'mid' if number else 'MIDI'}"
        path.parent.mkdir(exist_ok=True)
        write_midi(path, [(60 + number, 0, 1 + number)])
    return tmp_path


@pytest.mark.parametrize("corpus", FILES)
def test_a_corpus_is_found_in_its_folder_or_alone(tmp_path: Path, corpus: str):
    (tmp_path / "music").mkdir()
    for path in (tmp_path / "music" / FILES[corpus], tmp_path / FILES[corpus]):
        write_mat(path, PARTS)
        splits = pianoroll(root=str(tmp_path), corpus=corpus)
        for part, pieces in PARTS.items():
            assert splits.parts[part].lengths.tolist() == [len(piece) for piece in pieces]
            assert torch.equal(splits.parts[part].values, torch.from_numpy(np.concatenate(pieces)).float())
        assert splits.files == [(path.relative_to(tmp_path).as_posix(), path.stat().st_size)]
        assert (splits.levels, splits.caution) == (2, None)


def test_an_own_file_is_read_and_pieces_of_no_step_are_counted(tmp_path: Path):
    empty = np.empty((0, 88), np.uint8)
    write_npz(tmp_path / "a.npz", {**PARTS, "train": [empty, *PARTS["train"]]})
    splits = pianoroll(root=str(tmp_path), corpus="own", path="a.npz")
    assert splits.tally == {"pieces found": 14, "pieces used": 13}
    assert len(splits.train) == 7


def test_pieces_that_parts_share_are_told(tmp_path: Path):
    write_npz(tmp_path / "a.npz", {**PARTS, "test": [PARTS["test"][0], *PARTS["train"][:2]]})
    caution = pianoroll(root=str(tmp_path), corpus="own", path="a.npz").caution
    assert caution == "2 of the 3 pieces of test are in train as well"


def test_midi_files_are_split_by_their_names(midi: Path):
    splits = pianoroll(root=str(midi), corpus="own", steps_per_beat=1)
    assert sum(map(len, splits.parts.values())) == 9
    assert splits.tally == {"files found": 9, "files used": 9}
    assert sorted(int(n) for part in splits.parts.values() for n in part.lengths) == list(range(1, 10))
    before = {name: set(part.lengths.tolist()) for name, part in splits.parts.items()}
    write_midi(midi / "new.mid", [(60, 0, 30)])
    after = pianoroll(root=str(midi), corpus="own", steps_per_beat=1)
    assert {name: set(part.lengths.tolist()) - {30} for name, part in after.parts.items()} == before


def test_midi_files_in_folders_of_parts(midi: Path):
    for part in ("train", "valid", "test"):
        (midi / part).mkdir()
        write_midi(midi / part / "a.mid", [(60, 0, len(part))])
    splits = pianoroll(root=str(midi), corpus="own", split="folders", steps_per_beat=1)
    assert {name: part.lengths.tolist() for name, part in splits.parts.items()} == {
        "train": [5],
        "valid": [5],
        "test": [4],
    }


def test_bad_midi_files_end_all_or_are_counted(midi: Path):
    (midi / "bad.mid").write_bytes(b"nothing")
    write_midi(midi / "drums.mid", [(40, 0, 1)], channel=9)
    with pytest.raises(ValueError, match=r"bad\.mid is no MIDI file that could be read .*on_bad=skip"):
        pianoroll(root=str(midi), corpus="own")
    splits = pianoroll(root=str(midi), corpus="own", on_bad="skip")
    assert splits.tally == {"files found": 11, "files used": 9}
    assert [("bad.mid" in fault, "drums.mid" in fault) for fault in splits.skipped] == [(True, False), (False, True)]


def test_wrong_arguments_and_missing_files_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ValueError, match="x_dim must be 88"):
        pianoroll(x_dim=3, root=str(tmp_path))
    with pytest.raises(ValueError, match="steps_per_beat must be at least 1"):
        pianoroll(steps_per_beat=0, root=str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"corpus=nottingham needs .*Nottingham\.mat, which is not there: "):
        pianoroll(root=str(tmp_path), corpus="nottingham")
    with pytest.raises(FileNotFoundError, match=r"path must lead to music.*x\.npz, which is not there"):
        pianoroll(root=str(tmp_path), corpus="own", path="x.npz")
    (tmp_path / "x.pickle").write_bytes(b"")
    with pytest.raises(ValueError, match=r"path=x.pickle: expected a \.mat or \.npz file"):
        pianoroll(root=str(tmp_path), corpus="own", path="x.pickle")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ValueError, match="there is no MIDI file"):
        pianoroll(root=str(tmp_path), corpus="own", path="folder")
    import_module = builtins.__import__

    def without_mido(name: str, *rest):
        if name == "mido":
            raise ImportError(name)
        return import_module(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_mido)
    with pytest.raises(ImportError, match="mido, which is not installed: pip install mido"):
        pianoroll(root=str(tmp_path), corpus="own", path="folder")


def test_the_emission_starts_at_the_logit_of_the_training_mean(small_dataset: Callable[[str], SmallDataset]):
    with hydra_ready():
        small = ("trainer=debug", "trainer.device=cpu", "latent=tiny", "logger=none")
        parts = build_parts(composed(*small_dataset("pianoroll").overrides, *small))
        bias = parts.model.emission_net.head.bias.detach()
        mean = parts.splits.train.values.mean(0).clamp(1e-4, 1.0 - 1e-4)
        torch.testing.assert_close(bias, mean.logit())
        other = build_parts(composed(*small_dataset("pianoroll").overrides, *small, "emission_bias=initial"))
        assert not other.model.emission_net.head.bias.any()


@pytest.mark.skipif(not (Path(SHARED) / "music" / "JSB_Chorales.mat").is_file(), reason="VRNN_DATA_DIR has no chorales")
def test_the_published_chorales():
    splits = pianoroll(root=SHARED)
    assert [len(part) for part in splits.parts.values()] == [229, 76, 77]
    assert [int(part.lengths.sum()) for part in splits.parts.values()] == [13807, 4602, 4725]
    probability = splits.train.values.double().mean(0).clamp(1e-4, 1.0 - 1e-4)
    x = splits.test.values.double()
    nats = torch.special.xlogy(x, probability) + torch.special.xlogy(1.0 - x, 1.0 - probability)
    assert float(nats.sum(1).mean()) == pytest.approx(-11.06, abs=0.01)  # published as about -11.1
