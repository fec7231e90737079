"""Models are judged in evaluation mode, and are left in the mode that they had."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from experiments.run.gallery import draw_gallery
from vrnn.data.splits import Splits
from vrnn.models.base import SequenceModel
from vrnn.training.evaluation import evaluate


class Capricious(nn.Module):
    """Dropout, and running statistics that training moves: what evaluation mode is for.

    Args:
      inner: what is done before.
      width: of its output.
    """

    def __init__(self, inner: nn.Module, width: int):
        super().__init__()
        self.inner, self.norm, self.drop = inner, nn.BatchNorm1d(width), nn.Dropout(0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.inner(x)
        return self.drop(self.norm(y.flatten(0, -2)).view_as(y))


def capricious(model: SequenceModel) -> SequenceModel:
    model.phi_x = Capricious(model.phi_x, model.phi_x[-2].out_features)
    return model


@pytest.fixture
def model(make_vrnn) -> SequenceModel:
    return capricious(make_vrnn()).double()


@pytest.fixture
def splits(make_splits) -> Splits:
    return make_splits()


def modes(model: SequenceModel) -> list[bool]:
    return [module.training for module in model.modules()]


def test_the_bound_does_not_depend_on_the_mode_that_the_model_is_in(model, elbo, splits):
    valid = splits.valid
    valid.values = valid.values.double()
    wanted = evaluate(model.eval(), elbo, valid, batch_size=4, seed=5).bounds
    model.train()
    model.phi_z.eval()  # frozen by its owner
    former, norm = modes(model), model.phi_x.norm.running_mean.clone()
    found = evaluate(model, elbo, valid, batch_size=9, seed=5)
    torch.testing.assert_close(found.bounds, wanted, rtol=1e-10, atol=1e-10)
    assert modes(model) == former
    assert torch.equal(model.phi_x.norm.running_mean, norm), "judging has moved what only training moves"


def test_a_failure_leaves_the_mode_as_well(model, elbo, splits):
    with pytest.raises(RuntimeError):
        evaluate(model.train(), elbo, splits.valid, batch_size=4, seed=5)  # float32 to a float64 model
    assert all(modes(model))


def test_training_goes_on_in_training_mode_after_a_validation(run, make_vrnn):
    seen: list[bool] = []

    def build(**arguments) -> SequenceModel:
        model = capricious(make_vrnn(**arguments))
        model.phi_x.register_forward_pre_hook(lambda module, _: seen.append(module.training))
        return model

    done = run(build=build, max_epochs=2, batch_size=23, eval_batch_size=9)
    assert seen == [True, False, True, False]  # update, validation, and again
    assert all(modes(done.model))


def test_pictures_do_not_depend_on_it(model, splits, tmp_path):
    drawn: list[np.ndarray] = []

    class Figure:
        def draw(self, rows: dict[str, list[np.ndarray]], path: Path, **_) -> list[Path]:
            drawn.append(np.concatenate([values for row in rows.values() for values in row]))
            return [path]

    for mode in (True, False):
        model.float().train(mode)
        draw_gallery(model, splits, Figure(), tmp_path, split="valid", num=3, seed=1)
        assert all(found is mode for found in modes(model))
    for training, judged in zip(drawn[:3], drawn[3:], strict=True):
        np.testing.assert_array_equal(training, judged)
