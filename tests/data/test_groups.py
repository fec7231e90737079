"""Which sequences are not independent: the groups that every dataset knows of its own."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

from tests.data.recording_files import clip, write_archive, write_audio, write_timit
from tests.data.stroke_files import ALPHABETS, FORMS, LINES, write_iamondb, write_packed, write_raw
from vrnn.data.audio import audio
from vrnn.data.blizzard import blizzard
from vrnn.data.fsdd import fsdd
from vrnn.data.handwriting import handwriting
from vrnn.data.iamondb import iamondb
from vrnn.data.ljspeech import ljspeech
from vrnn.data.omniglot import SIMPLIFIED, omniglot
from vrnn.data.speech import draw_voices, speech
from vrnn.data.splits import Sequences
from vrnn.data.timit import timit

SMALL = {"train_sequences": 24, "valid_sequences": 4, "test_sequences": 7}


def test_digits_are_grouped_by_speaker(tmp_path):
    names = [f"{digit}_{who}_{take}" for digit in (3, 7) for who in ("anna", "ben_ab") for take in (0, 4, 5, 30)]
    write_archive(tmp_path / "speech" / "fsdd_8k_int16.npz", {name: clip(1, 900, 8000) for name in names}, 8000)
    splits = fsdd(50, root=str(tmp_path))
    assert splits.grouping == "speaker"
    assert splits.test.groups == ("anna", "anna", "ben_ab", "ben_ab") * 2
    assert Counter(splits.train.groups) == {"anna": 2, "ben_ab": 2}


def test_sentences_are_grouped_by_speaker(tmp_path):
    write_timit(tmp_path)
    splits = timit(50, root=str(tmp_path), valid_fraction=0.4)
    assert splits.grouping == "speaker"
    assert Counter(splits.test.groups) == {f"ftes{speaker}": 3 for speaker in range(3)}
    assert not set(splits.train.groups) & set(splits.valid.groups)


def test_clips_of_lj_speech_are_grouped_by_section(tmp_path):
    clips = {f"LJ00{1 + number % 3}-{number:04}": clip(number, 900, 22_050) for number in range(12)}
    write_archive(tmp_path / "speech" / "ljspeech32_22k_int16.npz", clips, 22_050)
    splits = ljspeech(50, root=str(tmp_path), num_frames=4, test_fraction=0.5)
    assert splits.grouping == "section"
    assert set(splits.test.groups) <= {"LJ001", "LJ002", "LJ003"}
    assert len(splits.test.groups) == len(splits.test)


@pytest.mark.parametrize("folders", [2, 4])
def test_recordings_are_grouped_by_folder_where_there_are_several_and_else_by_file(tmp_path, folders):
    for number in range(12):
        write_audio(tmp_path / f"who-{number % folders}" / f"{number}.wav", clip(number, 900, 8000), 8000)
    splits = audio(50, 8000, num_frames=4, root=str(tmp_path), test_fraction=0.7, valid_fraction=0.1)
    assert splits.grouping == {2: "file", 4: "folder"}[folders]
    groups, sizes = [*dict.fromkeys(splits.test.groups)], Counter(splits.test.groups).values()
    if folders == 2:  # 18 frames of each file: 4 sequences
        assert (set(sizes), len(groups)) == ({4}, 8)
        assert all(name.startswith("who-") and name.rpartition("/")[2].isdigit() for name in groups)
    else:
        assert sum(sizes) == 4 * 8
        assert set(groups) <= {"who-0", "who-1", "who-2", "who-3"}


def test_books_of_blizzard_are_groups(tmp_path):
    for number in range(12):
        path = tmp_path / "blizzard2013" / f"book-{number % 4}" / f"{number}.wav"
        write_audio(path, clip(number, 900, 16_000), 16_000)
    splits = blizzard(50, root=str(tmp_path), num_frames=4, test_fraction=0.7, valid_fraction=0.1)
    assert splits.grouping == "folder"
    assert set(splits.test.groups) <= {f"book-{number}" for number in range(4)}


def test_lines_are_grouped_by_form(tmp_path):
    write_iamondb(tmp_path)
    splits = iamondb(root=str(tmp_path))
    assert splits.grouping == "form"
    assert splits.test.groups == tuple(form for form in FORMS["testset_f.txt"] for _ in range(LINES))


def test_raw_drawings_are_grouped_by_drawer_and_simplified_ones_not_at_all(tmp_path):
    write_raw(tmp_path / "handwriting", archive=False)
    write_packed(tmp_path / "handwriting" / SIMPLIFIED)
    splits = omniglot(root=str(tmp_path), variant="raw")
    assert splits.grouping == "drawer"
    assert {group.partition(",")[0] for group in splits.test.groups} == set(ALPHABETS)
    assert len(set(splits.test.groups)) == len(splits.test)  # each drew one character of each alphabet
    simplified = omniglot(root=str(tmp_path))
    assert (simplified.grouping, simplified.test.groups) == (None, None)


def test_synthetic_words_are_grouped_by_writer():
    splits = handwriting(words_per_writer=3, **SMALL)
    assert splits.grouping == "writer"
    assert [*Counter(splits.test.groups).values()] == [3, 3, 1]


def test_synthetic_sequences_are_grouped_by_speaker():
    """The cuts of an utterance stand apart, but its speaker's level is the highest sample of all of them."""
    splits = speech(train_sequences=80, valid_sequences=16, test_sequences=48, num_speakers=6, seed=3)
    assert splits.grouping == "speaker"
    train, valid, test = (set(part.groups) for part in splits.parts.values())
    assert len(train | valid | test) == len(train) + len(valid) + len(test)
    levels = draw_voices(6, np.random.default_rng(3)).level
    peaks: dict[str, float] = {}
    for values, who in zip(splits.test.values.view(48, -1), splits.test.groups, strict=True):
        peaks[who] = max(peaks.get(who, 0.0), float(splits.standardisation.inverse(values.view(-1, 200)).abs().max()))
    assert len(peaks) == 2
    for who, peak in peaks.items():
        assert peak == pytest.approx(levels[int(who.removeprefix("speaker "))], rel=0.02)


def test_groups_stay_with_the_sequences():
    part = Sequences.of_equal_length(torch.zeros(2, 3, 1), groups=["a", "b"])
    assert part.to("cpu").groups == ("a", "b")
