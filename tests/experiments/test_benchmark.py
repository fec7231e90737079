"""The benchmark through its command line."""

from __future__ import annotations

import json

import pytest

from tests.experiments.command_line import Apps

TINY = (
    "benchmark.shapes=[[3,2,4,5,2],[2,3,4,5,2]]",
    "benchmark.rounds=2",
    "benchmark.growth=false",
    "benchmark.jax=false",
)


def test_it_writes_a_table_a_picture_and_the_values_asked_for(apps: Apps, tmp_path):
    path = tmp_path / "found.json"
    done = apps("benchmark", *TINY, f"benchmark.save={path}", "output=out", cwd=tmp_path)
    assert done.code == 0, done.err
    found = json.loads(path.read_text())
    assert [[entry[key] for key in "TBxhz"] for entry in found["shapes"]] == [[3, 2, 4, 5, 2], [2, 3, 4, 5, 2]]
    names = {"per_step_loop", "hoisted", "fused", "fused_bf16", "gru", "lstm", "floor", "floor_best", "compiled"}
    for entry in found["shapes"]:
        assert set(entry["ms"]) == names | {"jax_naive", "jax_hoisted"}
        assert min(entry["ms"][name] for name in names) > 0.0
        assert entry["ms"]["jax_naive"] is entry["ms"]["jax_hoisted"] is None
    assert found["threads"] >= 1
    assert found["torch"]
    assert found["around"]["fetch_share_of_step"] > 0.0
    page = (tmp_path / "out" / "benchmark.md").read_text()
    assert "per_step_loop / fused" in page
    assert (tmp_path / "out" / "benchmark.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("benchmark.shapes=[[28,128]]", "expected a list of shapes, each T, B, x_dim, h_dim, z_dim"),
        ("benchmark.shapes=[[28,128,28,100,0]]", "expected a list of shapes"),
        ("benchmark.rounds=0", "benchmark.rounds=0: expected an integer of at least 1"),
        ("benchmark.cell=rnn", "benchmark.cell=rnn: expected gru or lstm"),
        ("benchmark.device=tpu", "benchmark.device=tpu: device 'tpu' is not available"),
        ("benchmark.threads=0", "benchmark.threads=0: expected an integer of at least 1"),
        ("benchmark.device=meta", "benchmark.device=meta: device 'meta' is not available"),
        ("benchmark.device=null", "benchmark.device=null: expected auto, cpu, cuda"),
        ("benchmark.jax=2", "benchmark.jax=2: expected true or false"),
        ("benchmark.growth=abc", "benchmark.growth=abc: expected true or false"),
        ("benchmark.save=3", "benchmark.save=3: expected a path, or null"),
        ("benchmark.save=/proc/no/times.json", "benchmark.save=/proc/no/times.json, output="),
    ],
)
def test_mistakes_are_answered_by_name(apps: Apps, tmp_path, override: str, message: str):
    done = apps("benchmark", override, cwd=tmp_path)
    assert done.code == 1
    assert message in done.err
    assert "Traceback" not in done.err
    assert not list(tmp_path.rglob("*.json"))
