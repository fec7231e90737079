"""A run's standardisation and fingerprint are its own: what comes later uses them, and tells where the data changed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from experiments.config.resolvers import register_resolvers
from experiments.errors import UserError
from experiments.run.directory import RunDirectory
from experiments.run.restore import Restored, restore
from tests.data.recording_files import clip, write_audio
from tests.experiments.command_line import Run
from vrnn.data.audio import audio
from vrnn.data.splits import Sequences
from vrnn.objectives.elbo import ELBO
from vrnn.objectives.schedules import Linear
from vrnn.training.evaluation import evaluate
from vrnn.training.space import Space

RATE = 8000
ELBO_PLAIN = ELBO(Linear(1.0, 1.0, 1), Linear(0.0, 0.0, 0))


def record(root: Path, numbers: range, scale: float = 1.0) -> None:
    """Recordings of a kind, `scale` times as loud."""
    for number in numbers:
        samples = np.rint(clip(number, 900 + 70 * number, RATE) * scale).astype(np.int16)
        write_audio(root / f"{number:02}.wav", samples, RATE)


@pytest.fixture(scope="module")
def trained(apps, tmp_path_factory) -> Path:
    """A folder with recordings, others that are ten times quieter, and a run on the former; only to be looked at."""
    folder = tmp_path_factory.mktemp("trained")
    record(folder / "loud", range(12))
    record(folder / "quiet", range(12), 0.1)
    arguments = [
        "data=audio",
        "data.root=loud",
        f"data.sample_rate={RATE}",
        "data.x_dim=20",
        "data.num_frames=10",
        "data.valid_fraction=0.25",
        "data.test_fraction=0.25",
        "latent=tiny",
        "trainer=debug",
        "logger=none",
        "figures.num_examples=1",
    ]
    ended = apps("train", *arguments, "hydra.run.dir=run", cwd=folder)
    assert ended.code == 0, ended.err
    return folder


@pytest.fixture
def place(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, to be changed, as the working directory."""
    register_resolvers()
    folder = Path(shutil.copytree(trained, tmp_path / "place"))
    monkeypatch.chdir(folder)
    monkeypatch.setattr("experiments.run.parts._made", {})
    return folder


def look(root: str | None = None) -> Restored:
    asked = {"split": "test", "checkpoint": "best", "device": "cpu", "root": root, "consent": []}
    return restore(RunDirectory(Path("run")), OmegaConf.create(asked))


def measured(place: Path, pattern: str) -> dict:
    (file,) = (place / "run" / "evaluations").glob(pattern)
    return json.loads(file.read_text(), parse_constant=pytest.fail)


def value(content: dict, name: str = "log_likelihood") -> float:
    return content["figures"][f"test/{name}"]["value"]


# Measuring on other data


def test_other_data_are_standardised_as_the_runs_own(apps, place):
    """The right value is that of raw values which are standardised by hand, with the mean and std of loud train."""
    own = (place / "run" / "result.json").read_bytes()
    for arguments in ([], ["root=loud"], ["root=quiet"]):
        ended = apps("evaluate", "run=run", *arguments, cwd=place)
        assert ended.code == 0, ended.err
    assert "caution: on the data of quiet, which are not those of the run's training (" in ended.out
    assert "trained on" not in ended.out
    assert (place / "run" / "result.json").read_bytes() == own

    result = Run(place / "run").result
    on_own, on_quiet = measured(place, "elbo-1.json"), measured(place, "elbo-1-on-quiet-*.json")
    assert value(on_own) == pytest.approx(value(result), rel=1e-6)
    assert on_own["on"] is None
    digest = on_quiet["on"]["fingerprint"]
    assert (place / "run" / "evaluations" / f"elbo-1-on-quiet-{digest[:8]}.json").is_file()
    assert (on_quiet["on"]["root"], on_quiet["on"]["standardised"]) == ("quiet", "as the run's data")
    assert on_quiet["on"]["differs"]
    assert any(text.startswith("on the data of quiet, ") for text in on_quiet["cautions"])

    cfg = OmegaConf.load(place / "run" / "config.yaml")
    arguments = {key: item for key, item in OmegaConf.to_container(cfg.data).items() if key != "_target_"}
    loud, quiet = (audio(**{**arguments, "root": str(place / name)}) for name in ("loud", "quiet"))
    assert quiet.standardisation.std[0] < 0.2 * loud.standardisation.std[0]
    raw = quiet.standardisation.inverse(quiet.test.values.double())
    by_hand = Sequences(loud.standardisation.forward(raw).float(), quiet.test.lengths)
    found = evaluate(look().model, ELBO_PLAIN, by_hand, batch_size=100, seed=cfg.seed)
    figures = found.measurements("test", Space(loud.standardisation.log_det))
    for name in ("log_likelihood", "log_likelihood_per_step", "raw_log_likelihood"):
        assert value(on_quiet, name) == pytest.approx(figures[f"test/{name}"].value, rel=1e-4)
    as_its_own = evaluate(look().model, ELBO_PLAIN, quiet.test, batch_size=100, seed=cfg.seed).bounds.mean()
    assert abs(value(on_quiet) - float(as_its_own)) > 50.0, "quiet recordings are as likely as if they were loud"


def test_mapped_values_get_the_same_bound(place):
    wanted = look("quiet")
    config = place / "run" / "config.yaml"
    config.write_text(config.read_text().replace("max_memory_gb: 4.0", "max_memory_gb: 0.0"))
    found = look("quiet")
    assert found.sequences.values_stay
    assert not wanted.sequences.values_stay
    bounds = [
        evaluate(each.model, ELBO_PLAIN, each.sequences, batch_size=50, seed=1).bounds for each in (wanted, found)
    ]
    torch.testing.assert_close(*bounds, rtol=1e-5, atol=1e-3)
    index = torch.arange(2)
    pictures = [each.splits.pictured(each.sequences.batch(index).x) for each in (wanted, found)]
    torch.testing.assert_close(*pictures, rtol=1e-4, atol=1e-6)


def test_samples_on_other_data_lie_apart(apps, place):
    own = {path: path.read_bytes() for path in (place / "run" / "figures").iterdir()}
    ended = apps("sample", "run=run", "root=quiet", "num=2", cwd=place)
    assert ended.code == 0, ended.err
    assert "caution: on the data of quiet, " in ended.out
    assert {path: path.read_bytes() for path in own} == own
    (made,) = (place / "run").rglob("samples/*-on-quiet-*/samples.png")
    assert str(made.relative_to(place)) in ended.out


def test_the_same_data_from_another_folder_are_the_runs_own(place):
    shutil.move("loud", "moved")
    with pytest.raises(UserError, match=r": give root=<a folder of wav or flac files>") as refused:
        look()
    assert "data.root=" not in str(refused.value)
    found = look("moved")
    assert (found.other, found.notes) == (None, [])
    assert (
        float(found.splits.standardisation.std[0])
        == json.loads((place / "run" / "data.json").read_text())["standardisation"]["std"][0]
    )


# The run's own data have changed


def test_changed_data_are_refused_by_name_and_nothing_is_touched(apps, place):
    record(place / "loud", range(12, 14))
    files = [path for path in (place / "run").rglob("*") if path.is_file() and path.parent.name != ".hydra"]
    before = {path: path.read_bytes() for path in files}
    told = "run: data.root=loud holds other data than this run was trained on: 2 files are new: 12.wav, 13.wav; "
    for app, arguments in (("train", ["resume=run", "trainer.max_steps=9"]), ("evaluate", ["run=run"])):
        ended = apps(app, *arguments, cwd=place)
        assert ended.code == 1
        assert ended.err.startswith(f"error: {told}")
    assert {path: path.read_bytes() for path in before} == before
    with pytest.raises(UserError, match="ask for those that lie there by root="):
        look()
    assert look("loud").other.caution.endswith("; some of them may have been trained on")


def test_a_file_that_is_gone_and_one_of_another_size_are_named(place):
    (place / "loud" / "03.wav").unlink()
    record(place / "loud", range(5, 6), scale=0.5)
    write_audio(place / "loud" / "07.wav", clip(7, 3000, RATE), RATE)
    with pytest.raises(UserError, match=r"trained on: 1 file is gone: 03\.wav; 1 file has another size: 07\.wav; "):
        look()


def test_rounding_of_another_machine_is_a_note(place):
    file = place / "run" / "data.json"
    content = json.loads(file.read_text())
    for part in ("train", "valid", "test"):
        content[part]["values"] = "0"
        content[part]["projections"] = [found + 1e-6 for found in content[part]["projections"]]
    content["standardisation"]["std"] = [std * (1 + 1e-6) for std in content["standardisation"]["std"]]
    file.write_text(json.dumps(content))
    for name in ("best", "last"):
        checkpoint = place / "run" / "checkpoints" / f"{name}.pt"
        weights = torch.load(checkpoint, weights_only=True)
        scale = content["standardisation"]
        weights["standardisation"] = {key: torch.tensor(scale[key], dtype=torch.float64) for key in ("mean", "std")}
        torch.save(weights, checkpoint)
    found = look()
    assert found.other is None
    assert found.notes == ["the data are those of training but for the rounding of another machine"]
    assert found.splits.standardisation.std.tolist() == content["standardisation"]["std"]


# What does not belong together, and what is damaged


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda content: content["settings"].update(seed=7),
            r"was made with data\.seed=7, but run/config\.yaml says 0",
        ),
        (lambda content: content["standardisation"]["std"].__setitem__(0, 3.0), "holds another standardisation than"),
        (lambda content: content["standardisation"]["std"].__setitem__(0, 0.0), "not what a run keeps of its data"),
        (lambda content: content["standardisation"].update(mean="x"), r"standardisation\.mean: .*got 'x'"),
        (lambda content: content["test"].pop("values"), "not what a run keeps of its data"),
        (lambda content: content.pop("test"), "test: Field required"),
        (lambda content: content.pop("settings"), "settings: Field required"),
        (lambda content: content.update(settings=3), "settings: .*got 3"),
        (lambda content: content.update(format=2), "a newer version of this suite wrote it"),
    ],
)
def test_what_does_not_fit_is_told(place, damage, message):
    file = place / "run" / "data.json"
    content = json.loads(file.read_text())
    damage(content)
    file.write_text(json.dumps(content))
    with pytest.raises(UserError, match=rf"^run/data\.json: .*{message}"):
        look()


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize(
    ("scale", "message"),
    [
        (3, "this is not a whole checkpoint"),
        ({"mean": "x", "std": "y"}, "this is not a whole checkpoint"),
        ({"mean": torch.zeros(20), "std": torch.zeros(20)}, "this is not a whole checkpoint"),
        ({"mean": torch.zeros(2), "std": torch.ones(2)}, "holds another standardisation than|must be of 20 dimensions"),
    ],
)
def test_a_checkpoint_of_something_else_is_told(place, scale, message, kept):
    file = place / "run" / "checkpoints" / "best.pt"
    torch.save({**torch.load(file, weights_only=True), "standardisation": scale}, file)
    if not kept:
        (place / "run" / "data.json").unlink()
    with pytest.raises(UserError, match=f"^run/(checkpoints|data.json).*({message})"):
        look()


def test_a_run_of_an_earlier_version_is_looked_at_with_a_note(place):
    (place / "run" / "data.json").unlink()
    for name in ("best", "last"):
        checkpoint = place / "run" / "checkpoints" / f"{name}.pt"
        weights = torch.load(checkpoint, weights_only=True)
        del weights["standardisation"]
        torch.save(weights, checkpoint)
    own, quiet = look(), look("quiet")
    assert (own.other, len(own.notes)) == (None, 1)
    assert "nothing could be checked" in own.notes[0]
    assert quiet.other.name.startswith("on-quiet-")
    assert "nothing could be checked" in quiet.other.caution


def test_where_it_is_lost_the_checkpoint_knows_the_standardisation(place):
    wanted = look("quiet").splits.standardisation
    (place / "run" / "data.json").unlink()
    assert look("quiet").splits.standardisation.equals(wanted)
