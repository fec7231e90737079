"""Mistakes: each is answered by the name of the thing, what was expected and what to do, and never by a traceback."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hydra import compose, initialize_config_dir

from experiments.cli.app import CONF
from experiments.config.resolvers import register_resolvers
from experiments.errors import UserError
from experiments.run.parts import build_parts
from tests.experiments.command_line import SMALL, SPEECH, WORDS, Run


def answered(ended, *expected: str) -> None:
    """The call failed with a message and nothing else."""
    assert ended.code == 1
    assert "Traceback" not in ended.out + ended.err
    assert ended.err.strip()
    for text in expected:
        assert text in ended.err


# By Hydra, while composing


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["trainer.epochs=3"], ["error: trainer.epochs=3: there is no key", "did you mean trainer.max_epochs?"]),
        (["data=speach"], ["error: data=speach: ", "did you mean speech?", "it has audio, ", "handwriting"]),
        (["foo=bar"], ["error: foo=bar: there is no key or group foo; "]),
        (["experiment=null"], ["error: experiment=null: expected one of its options", "mnist_rows", "~experiment"]),
    ],
)
def test_an_unknown_key_or_option_is_named_beside_what_there_is(apps, tmp_path, arguments, expected):
    answered(apps("train", *arguments, cwd=tmp_path), *expected)
    assert list(tmp_path.iterdir()) == []


def test_an_interpreter_of_its_own_says_the_same(apps, tmp_path):
    """The other calls here are forks of one that has its libraries loaded."""
    arguments = ("latent.z_dim=0", "hydra.run.dir=run")
    assert apps.fresh("train", *arguments, cwd=tmp_path) == apps("train", *arguments, cwd=tmp_path)


# By the suite, before anything slow


@pytest.fixture
def refused(tmp_path, monkeypatch) -> Callable[..., str]:
    """How overrides are refused, without a process and without network."""
    register_resolvers()
    monkeypatch.chdir(tmp_path)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("VRNN_DATA_DIR", raising=False)

    def refused(*overrides: str) -> str:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            cfg = compose("train", [*SMALL, *overrides])
        with pytest.raises(UserError) as caught:
            build_parts(cfg)
        return str(caught.value)

    return refused


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["optimizer.lr=abc"], "optimizer.lr=abc: expected float or Tensor, got 'abc' (str)"),
        (["optimizer.lr=-1"], "optimizer: Invalid learning rate: -1"),
        (
            ["objective.free_nats=2"],
            "objective.free_nats=2: expected keys below it, which --cfg job shows, got 2 (int)",
        ),
        (["optimizer.betas=[0.9]"], "optimizer.betas=[0.9]: expected tuple[float"),
        (["optimizer.betas=[0.9,2]"], "optimizer: Invalid beta parameter at index 1: 2"),
        (["optimizer.fused=maybe"], "optimizer.fused=maybe: expected bool or null"),
        (["seed=-1"], "seed=-1: expected an integer of at least 0"),
        (["seed=1.5"], "seed=1.5: expected an integer of at least 0"),
        (["seed=true"], "seed=True: expected an integer of at least 0"),
        (["latent.z_dim=0"], "latent.z_dim=0: expected an integer of at least 1"),
        (["latent.h_dim=true"], "latent.h_dim=True: expected an integer of at least 1"),
        (["latent.width=null"], "latent.width=null: expected an integer of at least 1"),
        (["trainer.batch_size=2.5"], "trainer.batch_size=2.5: expected int, got 2.5 (float)"),
        (["trainer.batch_size=0"], "trainer.batch_size=0: batch_size must be at least 1, got 0"),
        (
            ["trainer.max_steps=null"],
            "trainer.max_epochs=null: max_epochs and max_steps are both null: give at least one",
        ),
        (["trainer.device=tpu"], "trainer.device=tpu: device 'tpu' is not available"),
        (["trainer.max_grad_norm=0"], "trainer.max_grad_norm=0: max_grad_norm must be positive, or null"),
        (["trainer.test=yes please"], "trainer.test=yes please: expected bool"),
        (["schedule.warmup=2"], "schedule.warmup=2: warmup must be between 0 and 1, got 2"),
        (["objective.beta.steps=-1"], "objective.beta.steps=-1: steps must be at least 0, got -1"),
        (["likelihood.min_std=0"], "likelihood.min_std=0: min_std must be positive, got 0"),
        (["model.min_std=-1"], "model.min_std=-1: min_std must be positive, got -1"),
        (["model.prior=normal"], "model.prior=normal: expected Sequence[int] or 'standard'"),
        (["model.phi_x=[8,0]"], "model: the widths of the layers must be at least 1, got [8, 0]"),
        (["+model.depth=3"], "model.depth: vrnn.models.vrnn.VRNN takes no argument 'depth'; it takes "),
        (["data.num_frames=0"], "data.num_frames=0: num_frames must be at least 1, got 0"),
        (["data.seed=-1"], "data.seed=-1: seed must be at least 0"),
        (["data=handwriting", "data.style=bold"], "data.style=bold: expected "),
        (["data=handwriting", "likelihood=gaussian", "data.x_dim=2"], "data.x_dim=2: x_dim must be 3"),
        (["likelihood=bivariate_gmm"], "likelihood: a bivariate mixture with a pen needs x_dim = 3"),
        (
            [*SPEECH, "likelihood=bernoulli"],
            "these data and this likelihood do not go together: a Bernoulli likelihood needs",
        ),
        (
            [*WORDS, "likelihood=bernoulli"],
            "these data and this likelihood do not go together: a Bernoulli likelihood needs",
        ),
        (
            ["model._target_=os.system"],
            "model._target_=os.system: only vrnn, torch.optim, experiments.tracking may be built",
        ),
        (["data=mnist", "data.binarize=static"], "binarize=static needs "),
    ],
)
def test_a_wrong_value_is_named_with_what_was_expected(refused, overrides, expected):
    found = refused(*overrides)
    assert expected in found
    assert found.index(expected) <= len("data.binarize=static: ")


@pytest.mark.slow
def test_missing_data_are_named_with_the_folder_and_what_to_do(refused, tmp_path):
    found = refused("data=mnist", "data.root=nowhere")
    for part in (str(tmp_path / "nowhere" / "MNIST" / "raw"), "train-images-idx3-ubyte", "data.root=", "VRNN_DATA_DIR"):
        assert part in found
    assert list(tmp_path.iterdir()) == []


# On the command line: that such an answer arrives, and that nothing is left of the run


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["optimizer.lr=abc"], "error: optimizer.lr=abc: expected float or Tensor, got 'abc' (str)\n"),
        ([*SPEECH, "likelihood=bernoulli"], "error: these data and this likelihood do not go together: "),
        (["label=${nope}"], "error: label=${nope}: label: Interpolation key 'nope' not found\n"),
        (["latent.z_dim=${latent.h_dim}", "latent.h_dim=${latent.z_dim}"], "error: latent.h_dim=${latent.z_dim}: "),
        (["seed=-1", "hydra.run.dir=a/b"], "error: seed=-1: expected an integer of at least 0, got -1\n"),
    ],
)
def test_the_answer_arrives_and_nothing_is_left_of_the_run(apps, tmp_path, overrides, expected):
    ended = apps("train", *SMALL, *overrides, cwd=tmp_path)
    answered(ended)
    assert ended.err.startswith(expected)
    assert ended.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_run_that_diverges_says_so_and_keeps_what_it_had(apps, tmp_path):
    """The first update has a rate of 0 and is saved; the second one has a rate at which weights overflow."""
    rates = ("optimizer=sgd", "optimizer.lr=3e38", "schedule=one_cycle", "schedule.start=0.0", "schedule.warmup=0.025")
    limits = ("trainer.max_steps=40", "trainer.checkpoint_every=1")
    ended = apps("train", *WORDS, *SMALL, *rates, *limits, "logger=wandb", "hydra.run.dir=run", cwd=tmp_path)
    answered(ended, "checkpoints from before are kept", "a smaller optimizer.lr, a smaller trainer.max_grad_norm")
    assert ended.err.startswith("error: training diverged: ")
    run = Run(tmp_path / "run")
    assert (run.result["status"], run.result["error"]["kind"]) == ("failed", "Diverged")
    assert f"at step {run.result['step']} " in ended.err
    last = run.checkpoint("last")
    assert last["progress"]["step"] == 1 < run.result["step"]
    assert all(value.abs().max() < 10.0 for value in last["model"].values())
    assert "NaN" not in (run.path / "metrics.jsonl").read_text()
    (folder,) = run.wandb()
    assert folder["exit_code"] == 1


@pytest.mark.slow
def test_wandb_online_without_a_key_is_one_message_at_once(apps, tmp_path):
    ended = apps("train", *WORDS, *SMALL, "logger=wandb_online", "hydra.run.dir=run", cwd=tmp_path)
    answered(ended, "Weights & Biases could not start", "wandb login", "logger=wandb", "logger=none")
    assert ended.err.startswith("error: logger")
    assert not (tmp_path / "run" / "result.json").exists()
