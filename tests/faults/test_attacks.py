"""A stranger's directory runs no code, writes nowhere, and is answered in one line: what lies in it is data.

Every attack is tried on what reads such a file. What it would run leaves a trace: an import of `outputs.evil`, or a
file called `pwned`.
"""

from __future__ import annotations

import os
import zipfile

import numpy as np
import pytest
import torch

from experiments.config.diff import measures
from experiments.config.identity import config_hash
from experiments.config.untrusted import check_overrides
from experiments.run.directory import RunDirectory
from tests.data.recording_files import clip, write_audio
from tests.faults.strangers import (
    EVIL,
    OF_CONFIGS,
    OLD,
    PASSWORD,
    answers,
    change_config,
    refusals,
)

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
    "model._target_": [EVIL, "torch.load", "experiments.tracking.weights_and_biases.os.remove"],
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
    assert PASSWORD not in said


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


def test_what_old_directories_hold_passes():
    for file in OLD.rglob("config.yaml"):
        if file.parent.name != ".hydra":
            cfg = RunDirectory(file.parent).read_config()
            assert len(config_hash(cfg)) == 16
            assert measures([cfg])
            check_overrides(RunDirectory(file.parent).read_overrides(), "old")
