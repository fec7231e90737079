"""How much memory counts as free."""

from __future__ import annotations

from vrnn import memory


def test_a_container_counts_its_file_cache_as_free(tmp_path, monkeypatch):
    """A process that has read many files is told that it uses all it may have; their cache goes when it is needed."""
    for name, text in {
        "memory.max": "1000000\n",
        "memory.current": "990000\n",
        "memory.stat": "anon 90000\nfile 900000\nactive_file 300000\ninactive_file 500000\nshmem 100000\n",
    }.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    assert memory.free_memory() == 810_000


def test_a_container_without_a_limit_has_what_the_machine_has(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    free = memory.free_memory()
    (tmp_path / "memory.max").write_text("max\n")
    assert 0.5 * free < memory.free_memory() < 2 * free
