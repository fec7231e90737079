"""Programs compute what torch computes, with the vectors of this CPU and with those of lesser ones."""

from __future__ import annotations

import itertools
import stat

import pytest
import torch
from llvmlite import binding as llvm

from vrnn.compiled import cache, machine
from vrnn.compiled.machine import Target
from vrnn.compiled.operations import DRAW, OF_RELU
from vrnn.compiled.program import Program

HOST = Target.of_host()
AVX2 = Target(HOST.triple, "haswell", "+avx,+avx2,+fma,+sse4.2")
TARGETS = [HOST] + [AVX2] * ("+avx2" in HOST.features)
TYPES = [torch.float32, torch.float64]


@pytest.fixture(params=TARGETS, ids=lambda target: target.cpu)
def on(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs run on code for that CPU."""
    kinds = {dtype: machine.machine(str(dtype)[6:], request.param) for dtype in TYPES}
    monkeypatch.setattr("vrnn.compiled.program.machine_of", kinds.__getitem__)


@pytest.mark.usefixtures("on")
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(("rows", "width"), list(itertools.product((1, 3, 8, 14, 21), (1, 16, 17, 50, 97))))
def test_a_product_of_any_size_is_the_product(dtype: torch.dtype, rows: int, width: int):
    steps, length = 3, 5 + rows
    a, first = torch.randn(steps, rows, length, dtype=dtype), torch.randn(steps, rows, width, dtype=dtype)
    weight, bias = torch.randn(width, length, dtype=dtype), torch.randn(width, dtype=dtype)
    wide = torch.full((steps, rows, width + 2), 7.0, dtype=dtype)
    added, out = wide[..., 1:-1], torch.empty(steps, rows, width, dtype=dtype)
    added.copy_(first)
    program = Program(a)
    program.product(a, weight.t(), added, added)
    program.product(a, weight.t().contiguous(), bias, out, relu=True)
    program.run(0, 2, 2)  # the steps 0 and 2
    done = torch.tensor([True, False, True])
    torch.testing.assert_close(added[done], (first + a @ weight.t())[done])
    assert added[1].equal(first[1])
    torch.testing.assert_close(out[done], (a @ weight.t() + bias).relu()[done])
    assert bool((wide[..., [0, -1]] == 7.0).all())  # nothing is written beside it


@pytest.mark.usefixtures("on")
@pytest.mark.parametrize("dtype", TYPES)
def test_softplus_is_exact_to_rounding_from_one_end_to_the_other(dtype: torch.dtype):
    raw = torch.cat([torch.linspace(-100, 100, 4001), torch.tensor([torch.inf, -torch.inf, torch.nan])]).to(dtype)
    raw = raw.view(1, 1, -1)
    mean, noise, least = torch.zeros_like(raw), torch.ones_like(raw), torch.zeros(raw.shape[-1], dtype=dtype)
    z = torch.empty_like(raw)
    program = Program(raw)
    program.add(DRAW, mean, raw, noise, least, z)
    program.run(0, 1, 1)
    expected = torch.nn.functional.softplus(raw.double(), threshold=1000.0).to(dtype)
    torch.testing.assert_close(z, expected, rtol=4 * torch.finfo(dtype).eps, atol=1e-37, equal_nan=True)


@pytest.mark.usefixtures("on")
def test_a_relu_lets_pass_what_is_positive_and_what_is_no_number():
    seen = torch.tensor([[[1.0, 0.0, -1.0, torch.nan]]])
    out = torch.empty_like(seen)
    program = Program(seen)
    program.add(OF_RELU, seen, seen, out)
    program.run(0, 1, 1)
    assert out[0, 0, :3].tolist() == [1.0, 0.0, 0.0]
    assert out[0, 0, 3].isnan()


def test_rows_whose_elements_lie_apart_are_refused():
    table = torch.zeros(2, 3, 4).transpose(1, 2)
    with pytest.raises(ValueError, match="must lie side by side"):
        Program(table).add(OF_RELU, table, table, table)


def test_code_can_be_made_for_arm():
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    target = Target("aarch64-unknown-linux-gnu", "generic", "+neon")
    assert target.tiling is machine.NARROW
    code = machine.object_code(machine.source("float32", target), target)
    assert code[:4] == b"\x7fELF"
    assert int.from_bytes(code[18:20], "little") == 183  # the machine: AArch64


def test_code_is_made_once_and_half_a_file_is_made_again(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = []

    def make() -> bytes:
        made.append(True)
        return b"code"

    assert cache.kept("name", make) == (b"code", False)
    assert cache.kept("name", make) == (b"code", True)
    (file,) = (tmp_path / "vrnn").iterdir()
    assert not stat.S_IMODE(file.stat().st_mode) & 0o077
    file.write_bytes(file.read_bytes()[:-1])
    assert cache.kept("name", make) == (b"code", False)
    file.chmod(0o666)  # where others can write, nothing is read
    assert cache.kept("name", make) == (b"code", False)
    assert cache.kept("name", make) == (b"code", True)
    assert len(made) == 3


def test_without_a_place_for_it_code_is_made_each_time(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    for _ in range(2):
        assert cache.kept("name", lambda: b"code") == (b"code", False)
