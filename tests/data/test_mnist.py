"""MNIST: splits, binarisations, layouts, what is said when files are missing or damaged; the real data where given."""

from __future__ import annotations

import gzip
import hashlib
import inspect
import os
import socket
import struct
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from vrnn.data import mnist as module
from vrnn.data.mnist import FILES, mnist

TRAIN, VALID, TEST = 90, 30, 40  # train includes valid
CONF = Path(__file__).parents[2] / "conf" / "data" / "mnist.yaml"
BINARIZED = ["threshold", "stochastic", "static", "static_seeded"]


def write_idx(path: Path, values: np.ndarray) -> None:
    """Writes uint8 values as IDX: magic number, sizes, bytes."""
    path.write_bytes(struct.pack(f">{1 + values.ndim}I", 0x0800 + values.ndim, *values.shape) + values.tobytes())


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """A folder in the layout of the real one with images of its own, each one with its number in the first pixel."""
    root = tmp_path_factory.mktemp("data")
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for part, number in (("train", TRAIN), ("t10k", TEST)):
        images = rng.integers(0, 256, (number, 28, 28), dtype=np.uint8)
        images[:, 20:] = np.array([0, 255], dtype=np.uint8).repeat(14)  # pixels that no draw may change
        images[:, 0, 0] = np.arange(number)
        write_idx(raw / f"{part}-images-idx3-ubyte", images)
        write_idx(raw / f"{part}-labels-idx1-ubyte", rng.integers(0, 10, number, dtype=np.uint8))
    published = root / "mnist_static_binarized"
    published.mkdir()
    bits = {
        name: rng.integers(0, 2, (n, 784), dtype=np.uint8) for name, n in (("train", 60), ("valid", 30), ("test", 40))
    }
    np.savez(published / "binarized_mnist_packed.npz", **{k: np.packbits(v, axis=1) for k, v in bits.items()})
    np.savez(root / "bits.npz", **bits)
    return root


@pytest.fixture
def make(root):
    return partial(mnist, root=str(root), valid_size=VALID)


@pytest.fixture(scope="module")
def real() -> str:
    folder = os.environ.get("VRNN_DATA_DIR", "")
    if not Path(folder, "MNIST", "raw", FILES[0]).is_file():
        pytest.skip("needs the real MNIST: set VRNN_DATA_DIR to the folder that holds MNIST/raw")
    return folder


@pytest.fixture
def mirror(monkeypatch):
    """Makes torchvision fetch MNIST from a port of this machine, and from nowhere else."""
    from torchvision.datasets import MNIST

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return lambda port: monkeypatch.setattr(MNIST, "mirrors", [f"http://127.0.0.1:{port}/"])


def pixels(sequences) -> torch.Tensor:
    """All stored images, [N, 784]."""
    return sequences.values.reshape(len(sequences), 784)


def numbers(sequences) -> list[int]:
    """Which image of its file each sequence is: grey pixels only."""
    return (pixels(sequences)[:, 0] * 255).round().int().tolist()


# Splits


def test_grey_values_are_the_pixels_of_the_file_in_row_major_order(make, root):
    raw = np.fromfile(root / "MNIST" / "raw" / FILES[2], dtype=np.uint8)[16:].reshape(TEST, 28, 28)
    test = make(binarize="none").test
    x = test.batch(torch.arange(TEST)).x
    assert x.dtype == torch.float32
    torch.testing.assert_close(x, torch.from_numpy(raw).float() / 255)


def test_last_images_validate_and_test_is_the_test_file(make):
    splits = make(binarize="none")
    assert numbers(splits.train) == list(range(TRAIN - VALID))
    assert numbers(splits.valid) == list(range(TRAIN - VALID, TRAIN))
    assert numbers(splits.test) == list(range(TEST))


def test_random_validation_is_disjoint_complete_and_chosen_by_the_seed(make):
    one, same, other = (make(binarize="none", valid_split="random", seed=seed) for seed in (1, 1, 2))
    assert sorted(numbers(one.train) + numbers(one.valid)) == list(range(TRAIN))
    assert len(one.valid) == VALID
    assert numbers(one.valid) == numbers(same.valid)
    assert set(numbers(one.valid)) != set(numbers(other.valid)) != set(range(TRAIN - VALID, TRAIN))
    assert torch.equal(one.test.values, other.test.values)


@pytest.mark.parametrize("binarize", ["none", *BINARIZED])
def test_data_are_a_pure_function_of_their_arguments(make, binarize):
    torch.manual_seed(3)
    one = make(binarize=binarize)
    drawn = torch.rand(1)
    torch.manual_seed(3)
    assert torch.equal(torch.rand(1), drawn)  # the global generator was left alone
    two = make(binarize=binarize)
    for part in ("train", "valid", "test"):
        assert torch.equal(getattr(one, part).values, getattr(two, part).values)


@pytest.mark.parametrize("binarize", ["none", *BINARIZED])
def test_standardisation_is_the_identity(make, binarize):
    splits = make(binarize=binarize)
    assert splits.standardisation.log_det == 0.0
    assert torch.equal(splits.standardisation.inverse(splits.test.values), splits.test.values)


# Binarisations


@pytest.mark.parametrize("binarize", BINARIZED)
def test_binarized_values_are_zero_or_one(make, binarize):
    splits = make(binarize=binarize)
    train = splits.train.batch(torch.arange(len(splits.train)), torch.Generator().manual_seed(0)).x
    for x in (train, splits.valid.values, splits.test.values):
        assert set(x.unique().tolist()) == {0.0, 1.0}


def test_threshold_is_at_one_half(make):
    grey, binary = make(binarize="none"), make(binarize="threshold")
    assert torch.equal(binary.train.values, (grey.train.values * 255).round().ge(128).float())


def test_stochastic_train_is_drawn_anew_at_every_visit_and_its_mean_is_grey(make):
    grey, train = make(binarize="none").train, make(binarize="stochastic").train
    index, generator = torch.arange(len(train)), torch.Generator().manual_seed(0)
    draws = torch.stack([train.batch(index, generator).x for _ in range(200)])
    assert not torch.equal(draws[0], draws[1])
    expected = grey.batch(index).x
    deviation = (draws.mean(0) - expected) / (expected * (1 - expected) / 200).sqrt().clamp_min(1e-3)
    assert deviation.abs().max() < 6
    assert deviation.std() < 1.1
    certain = (expected == 0) | (expected == 1)
    assert torch.equal(draws.mean(0)[certain], expected[certain])


def test_stochastic_valid_and_test_are_drawn_once_from_the_seed(make):
    one, other = make(binarize="stochastic"), make(binarize="stochastic", seed=1)
    for part in ("valid", "test"):
        assert getattr(one, part).draw is None
        assert not torch.equal(getattr(one, part).values, getattr(other, part).values)


@pytest.mark.parametrize("valid_split", ["last", "random"])
def test_static_seeded_shares_valid_and_test_with_stochastic(make, valid_split):
    static, stochastic = (make(binarize=b, valid_split=valid_split) for b in ("static_seeded", "stochastic"))
    assert torch.equal(static.valid.values, stochastic.valid.values)
    assert torch.equal(static.test.values, stochastic.test.values)
    assert static.train.draw is None
    assert not torch.equal(static.train.values, make(binarize="static_seeded", seed=1).train.values)


def test_static_is_the_published_sample_in_its_own_split(make, root):
    splits = make(binarize="static")
    with np.load(root / "bits.npz") as bits:
        for part in ("train", "valid", "test"):
            assert np.array_equal(pixels(getattr(splits, part)).numpy(), bits[part])


def test_only_grey_pixels_have_an_entropy_floor_that_no_bernoulli_passes(make):
    grey = make(binarize="none")
    x = pixels(grey.test).double()
    best = max(
        float(torch.distributions.Bernoulli(p, validate_args=False).log_prob(x).sum(-1).mean())
        for p in (x.clamp(1e-9, 1 - 1e-9), x.clamp(0.01, 0.99), x.mean(0).expand_as(x).clamp(0.01, 0.99))
    )
    assert f"{best:.2f} nats per image on the test set" in grey.caution
    assert all(make(binarize=b).caution is None for b in BINARIZED)


# Layouts


@pytest.mark.parametrize("binarize", ["none", "static_seeded", "static"])
def test_layouts_hold_the_same_pixels_in_the_same_order(make, binarize):
    rows, single = make(binarize=binarize), make(binarize=binarize, layout="pixels", x_dim=1)
    index = torch.tensor([3, 0, 5])
    assert (rows.x_dim, single.x_dim) == (28, 1)
    assert rows.test.batch(index).x.shape == (3, 28, 28)
    assert single.test.batch(index).x.shape == (3, 784, 1)
    assert torch.equal(rows.test.batch(index).x.flatten(1), single.test.batch(index).x.flatten(1))


@pytest.mark.parametrize(("layout", "x_dim", "expected"), [("rows", 1, 28), ("pixels", 28, 1)])
def test_an_x_dim_that_does_not_follow_from_the_layout_is_refused(make, layout, x_dim, expected):
    with pytest.raises(ValueError, match=f"x_dim must be {expected} for layout={layout}, got {x_dim}"):
        make(layout=layout, x_dim=x_dim)


# Config


@pytest.mark.parametrize(("layout", "x_dim"), [("rows", 28), ("pixels", 1), ("foo", None)])
def test_config_lets_x_dim_follow_from_the_layout(layout, x_dim):
    config = OmegaConf.load(CONF)
    config.data.layout = layout
    config.model = {"x_dim": "${data.x_dim}"}
    resolved = OmegaConf.to_container(config, resolve=True)  # an unknown layout is left to the type check to name
    assert resolved["data"]["x_dim"] == resolved["model"]["x_dim"] == x_dim


@pytest.mark.parametrize("folder", [None, "/some/where"])
def test_config_gives_every_argument_and_takes_the_root_from_the_environment(monkeypatch, folder):
    monkeypatch.delenv("VRNN_DATA_DIR", raising=False)
    if folder:
        monkeypatch.setenv("VRNN_DATA_DIR", folder)
    data = OmegaConf.to_container(OmegaConf.load(CONF), resolve=True)["data"]
    assert data.pop("_target_") == "vrnn.data.mnist.mnist"
    assert data.pop("root") == folder
    assert data == {k: p.default for k, p in inspect.signature(mnist).parameters.items() if k != "root"}


# Errors


@pytest.mark.parametrize("valid_size", [0, -1, TRAIN])
def test_valid_size_out_of_range_is_named(make, valid_size):
    with pytest.raises(ValueError, match=f"valid_size must be from 1 to {TRAIN - 1}, got {valid_size}"):
        make(valid_size=valid_size)


@pytest.mark.parametrize("given", [{"valid_split": "random"}, {"valid_size": VALID - 1}])
def test_the_published_split_is_not_changed_in_silence(make, given):
    with pytest.raises(ValueError, match="valid_split and valid_size must be last and 30 with binarize=static"):
        make(binarize="static", **given)


def test_root_may_be_read_only_and_written_with_a_tilde(make, root, monkeypatch):
    monkeypatch.setenv("HOME", str(root.parent))
    modes = {path: path.stat().st_mode for path in (root, root / "MNIST", root / "MNIST" / "raw")}
    before = sorted(root.rglob("*"))
    try:
        for path in modes:
            path.chmod(0o555)
        assert len(make(root=f"~/{root.name}").test) == TEST
    finally:
        for path, mode in modes.items():
            path.chmod(mode)
    assert sorted(root.rglob("*")) == before


def test_root_defaults_to_data_in_the_working_directory(make, root, tmp_path, monkeypatch):
    (tmp_path / "data").symlink_to(root)
    monkeypatch.chdir(tmp_path)
    assert torch.equal(make(root=None, binarize="none").test.values, make(binarize="none").test.values)


def test_missing_files_are_named_and_nothing_is_left_behind(mirror, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        mirror(closed.getsockname()[1])
    root = tmp_path / "nowhere"
    with pytest.raises(FileNotFoundError) as caught:
        mnist(root=str(root))
    for part in (str(root / "MNIST" / "raw"), *FILES, "refused", "data.root=", "VRNN_DATA_DIR", "network"):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_never_answers_does_not_hang(mirror, monkeypatch, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and says nothing
        mirror(silent.getsockname()[1])
        monkeypatch.setattr(module, "SILENCE", 0.1)
        with pytest.raises(FileNotFoundError, match="timed out"):
            mnist(root=str(tmp_path))
    assert socket.getdefaulttimeout() is None
    assert list(tmp_path.iterdir()) == []


def test_missing_files_are_downloaded_once(make, root, mirror, monkeypatch, tmp_path):
    from torchvision.datasets import MNIST

    asked: list[str] = []

    class Server(SimpleHTTPRequestHandler):
        def log_message(self, *args) -> None:
            asked.append(self.path)

    served, target = tmp_path / "served", tmp_path / "target" / "deep"
    served.mkdir()
    checksums = []
    for name in FILES:
        packed = gzip.compress((root / "MNIST" / "raw" / name).read_bytes())
        (served / f"{name}.gz").write_bytes(packed)
        checksums.append((f"{name}.gz", hashlib.md5(packed).hexdigest()))
    monkeypatch.setattr(MNIST, "resources", checksums)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Server, directory=str(served))) as server:
        threading.Thread(target=server.serve_forever).start()
        mirror(server.server_port)
        try:
            downloaded = make(root=str(target), binarize="none")
            once = len(asked)
            make(root=str(target))
        finally:
            server.shutdown()
    assert once == len(asked) >= len(FILES)
    assert torch.equal(downloaded.train.values, make(binarize="none").train.values)
    assert sorted(path.name for path in (target / "MNIST" / "raw").iterdir()) == sorted(FILES)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["empty", "header", "short", "long", "other"])
def test_a_damaged_file_is_named(root, tmp_path, name, damage):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for file in FILES:
        (raw / file).write_bytes((root / "MNIST" / "raw" / file).read_bytes())
    whole = (raw / name).read_bytes()
    other = struct.pack(">4I", 0x0803, 1, 32, 32) + bytes(1024)  # images, of another size
    changed = {"empty": b"", "header": whole[:6], "short": whole[:-1], "long": whole + b"0", "other": other}
    (raw / name).write_bytes(changed[damage])
    with pytest.raises(ValueError, match="is damaged") as caught:
        mnist(root=str(tmp_path), valid_size=VALID)
    assert str(raw / name) in str(caught.value)
    assert f"{len(changed[damage])} bytes" in str(caught.value)


def test_a_missing_published_sample_says_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        mnist(root=str(tmp_path), binarize="static")
    file = tmp_path / "mnist_static_binarized" / "binarized_mnist_packed.npz"
    for part in (str(file), "data.root=", "VRNN_DATA_DIR", "static_seeded"):
        assert part in str(caught.value)


@pytest.mark.parametrize("damage", ["short", "text", "keys", "pickle", "width"])
def test_a_damaged_published_sample_is_named(root, tmp_path, damage):
    file = tmp_path / "mnist_static_binarized" / "binarized_mnist_packed.npz"
    file.parent.mkdir()
    whole = (root / "mnist_static_binarized" / file.name).read_bytes()
    bits = np.zeros((4, 98), dtype=np.uint8)
    if damage in ("short", "text"):
        file.write_bytes(whole[: len(whole) // 2] if damage == "short" else b"not an archive")
    elif damage == "keys":
        np.savez(file, train=bits)
    elif damage == "pickle":
        np.savez(file, train=np.array([{}], dtype=object), valid=bits, test=bits)
    else:
        np.savez(file, train=bits, valid=bits, test=bits[:, :50])
    with pytest.raises(ValueError, match=r"is damaged|must hold 784 pixels") as caught:
        mnist(root=str(tmp_path), binarize="static")
    assert str(file) in str(caught.value)


def test_a_torchvision_that_does_not_fit_torch_is_named_with_the_mend(make, monkeypatch, tmp_path):
    (tmp_path / "torchvision").mkdir()
    broken = "raise RuntimeError('operator torchvision::nms does not exist')"
    (tmp_path / "torchvision" / "__init__.py").write_text(broken)
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportError, match=r"nms does not exist.*pip install --force-reinstall torch torchvision"):
        make()
    assert len(make(binarize="static").test) == TEST  # which does not need it


# The real data


def test_real_counts_and_entropy_floor(real):
    splits = mnist(root=real, binarize="none")
    assert (len(splits.train), len(splits.valid), len(splits.test)) == (50_000, 10_000, 10_000)
    assert "-45.53 nats per image on the test set" in splits.caution
    assert pixels(splits.train).mean() == pytest.approx(0.1307, abs=1e-3)


def test_real_published_sample(real):
    if not Path(real, "mnist_static_binarized").is_dir():
        pytest.skip("needs mnist_static_binarized in VRNN_DATA_DIR")
    splits = mnist(root=real, binarize="static", layout="pixels", x_dim=1)
    assert [len(s) for s in (splits.train, splits.valid, splits.test)] == [50_000, 10_000, 10_000]
    for part in (splits.train, splits.valid, splits.test):
        assert ((part.values == 0) | (part.values == 1)).all()
        assert pixels(part).mean() == pytest.approx(0.1307, abs=3e-3)
