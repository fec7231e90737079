"""One update: precision, recomputed segments, compiling, graphs."""

from __future__ import annotations

import functools
import itertools
import math
import shutil
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from tests.training.conftest import ADAM, CONSTANT, SETTINGS
from vrnn.batch import Batch
from vrnn.likelihoods.gaussian import Gaussian
from vrnn.models.recurrence import GRU, LSTM, Recurrence
from vrnn.models.rnn import RNN
from vrnn.models.vrnn import VRNN
from vrnn.objectives.elbo import ELBO
from vrnn.objectives.iwae import IWAE
from vrnn.training.evaluation import evaluate
from vrnn.training.progress import Observer
from vrnn.training.trainer import Trainer
from vrnn.training.update import Update

D, Z, H = 3, 2, 16
PLAIN = ELBO(lambda _: 1.0, lambda _: 0.0)


def make(cell: type[Recurrence] = GRU) -> VRNN:
    torch.manual_seed(0)
    return VRNN(D, Z, Gaussian(D), functools.partial(cell, h_dim=H), [H], [H], [H], [H, H], [H])


def ragged(steps: int = 7) -> tuple[Batch, Tensor]:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(4, steps, D, generator=generator)
    return Batch.of(x, torch.tensor([steps, 3, 5, 1])), torch.randn(4, steps, Z, generator=generator)


class Notes(Observer):
    """Keeps every note."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def note(self, text: str) -> None:
        self.texts.append(text)


def updated(model: nn.Module, batch: Batch, noise: Tensor, objective=PLAIN, **settings: object):
    """The estimate, and the model's gradients after one update."""
    notes = Notes()
    made = Trainer(**{**SETTINGS, "max_grad_norm": None, **settings}).settings
    update = Update(made, model, objective, torch.optim.SGD(model.parameters(), lr=0.0), notes)
    estimate, norm = update.apply(batch, 0, noise, None, 1.0)
    return estimate, [parameter.grad.clone() for parameter in model.parameters()], norm, notes.texts


@pytest.mark.parametrize("cell", [GRU, LSTM])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("count", [1, 2, 3, 7, 50])
def test_segments_change_neither_bound_nor_gradient(cell, count: int, precision: str):
    batch, noise = ragged()
    near = {"rtol": 1e-4, "atol": 1e-5} if precision == "fp32" else {"rtol": 0.05, "atol": 0.02}
    whole, expected, norm, _ = updated(make(cell), batch, noise, precision=precision)
    cut, found, cut_norm, _ = updated(make(cell), batch, noise, precision=precision, checkpoint_segments=count)
    torch.testing.assert_close(cut.bound, whole.bound, **near)
    torch.testing.assert_close(cut.kl, whole.kl, **near)
    torch.testing.assert_close(cut_norm, norm, **near)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, **near)


def test_segments_take_importance_samples_and_models_without_latent_variables():
    batch, noise = ragged()
    rnn = RNN(D, Gaussian(D), functools.partial(GRU, h_dim=H), [H], [H])
    for model, objective, drawn in (
        (rnn, PLAIN, noise[..., :0]),
        (make(), IWAE(3), noise.repeat_interleave(3, 0) * torch.linspace(0.5, 1.5, 12)[:, None, None]),
    ):
        whole, expected, *_ = updated(model, batch, drawn, objective)
        cut, found, *_ = updated(model, batch, drawn, objective, checkpoint_segments=3)
        torch.testing.assert_close(cut.bound, whole.bound, rtol=1e-5, atol=1e-5)
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def kept_bytes(work: Callable[[], None]) -> int:
    """Memory that the products of `work` take at the most, from torch's own record of every allocation."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        work()
    changes = [event.nbytes() for event in recorded.profiler.kineto_results.events() if event.name() == "[memory]"]
    return max(itertools.accumulate(changes))


def test_with_segments_memory_grows_with_the_square_root_of_the_length():
    def peak(steps: int, segments: int | None) -> int:
        model = make()
        batch, noise = Batch.of(torch.randn(8, steps, D)), torch.randn(8, steps, Z)
        return kept_bytes(lambda: updated(model, batch, noise, checkpoint_segments=segments))

    whole = [peak(steps, None) for steps in (100, 400)]
    cut = [peak(steps, round(math.sqrt(steps))) for steps in (100, 400)]
    assert whole[1] / whole[0] == pytest.approx(4.0, rel=0.2)
    assert cut[1] / cut[0] < 3.0  # what is of one number a step stays: inputs, noise, terms
    assert cut[1] < whole[1] / 4


@pytest.mark.parametrize("cell", [GRU, LSTM])
@pytest.mark.parametrize("fused", [True, False])
def test_the_bound_in_bf16_agrees_within_two_per_cent(monkeypatch, cell, fused: bool):
    if not fused:
        monkeypatch.setattr(cell, "fused", None)
    batch, noise = ragged()
    exact, expected, *_ = updated(make(cell), batch, noise)
    model = make(cell)
    low, found, *_ = updated(model, batch, noise, precision="bf16")
    assert low.bound.dtype == low.loss.dtype == low.kl.dtype == torch.float32
    assert not torch.equal(low.bound, exact.bound)  # the products really were of another type
    torch.testing.assert_close(low.bound, exact.bound, rtol=0.02, atol=0.02)
    assert all(field.dtype == torch.float32 for field in low.state)
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == torch.float32
        assert (one - other).norm() <= 0.05 * other.norm() + 1e-3


def test_training_in_bf16_is_validated_in_full_precision_and_keeps_full_weights(run, make_splits):
    end = run(splits=make_splits(), precision="bf16", max_epochs=2)
    state = end.checkpoint("last.pt")
    tensors = [*state["model"].values(), *(v for s in state["optimizer"]["state"].values() for v in s.values())]
    assert {tensor.dtype for tensor in tensors} == {torch.float32}
    again = run("again", splits=make_splits(), max_epochs=2)
    found, exact = (x.metrics[-1]["valid/log_likelihood"] for x in (end, again))
    assert found != exact
    assert found == pytest.approx(exact, rel=0.02)
    measured = evaluate(end.model, PLAIN, make_splits().valid, batch_size=5, seed=0)  # without autocast
    assert float(measured.bounds.mean()) == found


def test_compiling_without_a_compiler_is_refused_by_name(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(ValueError, match=r"compile needs a C\+\+ compiler, and 'no-such-compiler' is not"):
        Trainer(**SETTINGS, compile=True)
    Trainer(**SETTINGS)  # and nobody asks for one where nothing is compiled


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler: apt install g++")
def test_compiled_training_finds_the_same_bound_and_says_how_long_compiling_took():
    batch, noise = ragged(3)
    plain, expected, *_ = updated(make(), batch, noise)
    with torch._inductor.config.patch({"cpp.simdlen": 1, "aot_inductor.debug_compile": True}):  # g++ takes less time
        compiled, found, _, notes = updated(make(), batch, noise, compile=True)
    torch.testing.assert_close(compiled.bound, plain.bound, rtol=1e-4, atol=1e-5)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)
    assert len(notes) == 1
    assert notes[0].startswith("torch.compile took ")


def test_a_graph_asked_for_without_a_gpu_is_refused_and_auto_goes_without():
    with pytest.raises(ValueError, match="cuda_graph can be true on a GPU"):
        Trainer(**SETTINGS, cuda_graph=True)
    assert not Trainer(**SETTINGS).settings.uses_cuda_graph


@pytest.mark.parametrize("value", [0, -1])
def test_no_segment_at_all_is_refused(value: int):
    with pytest.raises(ValueError, match="checkpoint_segments must be at least 1"):
        Trainer(**SETTINGS, checkpoint_segments=value)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("cell", [GRU, LSTM])
def test_a_replayed_graph_trains_as_the_step_itself_does(cell):
    ends = []
    for graph in (False, True):
        model = make(cell).cuda()
        made = Trainer(**{**SETTINGS, "device": "cuda", "cuda_graph": graph}).settings
        update = Update(made, model, PLAIN, ADAM(model.parameters()), Observer())
        generator = torch.Generator("cuda").manual_seed(0)
        for step in range(10):
            x = torch.randn(4, 6, D, generator=generator, device="cuda")
            noise = torch.randn(4, 6, Z, generator=generator, device="cuda")
            estimate, norm = update.apply(Batch.of(x), step, noise, None, CONSTANT(step, 10))
        assert not graph or len(update.gradient.captured) == 1
        ends.append([estimate.loss, norm, *(parameter.detach() for parameter in model.parameters())])
    for one, other in zip(*ends, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
