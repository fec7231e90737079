"""Datasets with recordings that are no good: refused in every split, or skipped; and what is told of all of them."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.data.bad_recordings import BAD, RATE, floats, sound
from tests.data.recording_files import clip, write_audio
from vrnn.data.audio import audio

PARTS = ("train", "valid", "test")


@pytest.fixture
def root(tmp_path) -> Path:
    """Files in train, valid and test; with some of every kind."""
    root = tmp_path / "root"
    for number in range(12):
        write_audio(root / PARTS[number % 3] / f"{number:02}.wav", clip(number, 900 + number, RATE), RATE)
    return root


@pytest.fixture
def make(root, tmp_path):
    return partial(audio, x_dim=50, num_frames=4, split="folders", root=str(root), cache=str(tmp_path / "cache"))


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("name", ["nan", "half", "integers"])
def test_every_split_is_checked_and_says_what_else_can_be_done(make, root, name, part):
    write, _, message = BAD[name]
    write(root / part / "bad.wav")
    with pytest.raises(ValueError, match=rf"root/{part}/bad\.wav .*{message}.*\(on_bad=skip leaves out"):
        make()


@pytest.mark.parametrize("max_memory_gb", [4.0, 0.0])
def test_skipping_is_as_if_the_bad_files_were_not_there(make, root, max_memory_gb):
    whole = make(max_memory_gb=max_memory_gb)
    for number, (write, _, _) in enumerate(BAD.values()):
        write(root / PARTS[number % 3] / f"{number:02}-bad.wav")
    for _ in range(2):  # written, then found again
        skipped = make(on_bad="skip", max_memory_gb=max_memory_gb)
        for one, other in zip(whole.parts.values(), skipped.parts.values(), strict=True):
            assert torch.equal(one.values, other.values)
            assert torch.equal(one.lengths, other.lengths)
            assert one.groups == other.groups
        assert torch.equal(whole.standardisation.std, skipped.standardisation.std)
        assert skipped.files == whole.files
        assert len(skipped.skipped) == len(BAD)
        messages = "\n".join(skipped.skipped)
        assert all(re.search(rf"-bad\.wav .*{message}", messages) for _, _, message in BAD.values())
        assert len(skipped.files) == 12
        kinds = [kind for _, kind, _ in BAD.values()]
        bad = {key: count for key, count in skipped.tally.items() if key.startswith("files bad")}
        assert bad == {f"files bad ({kind})": kinds.count(kind) for kind in sorted(set(kinds))}
        assert (skipped.tally["files found"], skipped.tally["files used"]) == (12 + len(BAD), 12)
    with pytest.raises(ValueError, match=r"on_bad=skip leaves out"):  # what was skipped once is no less an error
        make(max_memory_gb=max_memory_gb)


def test_skipping_everything_leaves_nothing(make, root):
    for path in (root / "valid").iterdir():
        sound(floats(at_0=np.nan))(path)
    with pytest.raises(ValueError, match=r"^on_bad=skip leaves valid without a sequence"):
        make(on_bad="skip")
    for path in (root / "valid").iterdir():
        path.write_bytes(b"")
    with pytest.raises(
        ValueError, match=r"x_dim leaves valid without a sequence: .* \(4 are no good, and were skipped\)"
    ):
        make(on_bad="skip")


# The tally


def test_the_tally_says_what_became_of_every_file_and_sample(make, root):
    write_audio(root / "train" / "short.wav", clip(20, 199, RATE), RATE)
    write_audio(root / "train" / "other.wav", clip(21, 8000, 2 * RATE), 2 * RATE)  # 4000 samples here
    write_audio(root / "valid" / "stereo.wav", np.stack([clip(22, 410, RATE)] * 2, 1), RATE)
    loud = clip(23, 650, RATE)
    loud[:5], loud[5:8], loud[-1] = 32_767, -32_768, 32_767  # the last one is cut off
    write_audio(root / "test" / "loud.wav", loud, RATE)
    (root / "test" / "._loud.wav").write_bytes(b"Mac OS X")
    (root / "test" / ".DS_Store").write_bytes(b"Bud1")
    sound(floats(at_0=np.nan))(root / "test" / "bad.wav")
    tally = make(on_bad="skip").tally
    assert dict(tally) == {
        "files found": 17,
        "files used": 15,
        "files too short": 1,
        "files bad (not finite)": 1,
        "files resampled": 1,
        "files of several channels, averaged": 1,
        "files hidden": 1,
        "samples cut at ends": sum((900 + number) % 200 for number in range(12)) + 10 + 50,
        "samples at full scale": 8,
    }
    assert list(tally)[:2] == ["files found", "files used"]


def test_files_are_told_with_their_sizes(make, root):
    for part in PARTS:  # the same name in three folders is three files
        write_audio(root / part / "same.wav", clip(30, 900, RATE), RATE)
    paths = [path for part in PARTS for path in (root / part).iterdir()]
    assert dict(make().files) == {path.relative_to(root).as_posix(): path.stat().st_size for path in paths}
    assert len(make().files) == 15
