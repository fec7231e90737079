"""How much memory there is, asked before something is made that could never fit."""

from __future__ import annotations

import contextlib
import os
import resource
from pathlib import Path

import torch

CGROUP = Path("/sys/fs/cgroup")


def free_memory(device: torch.device | None = None) -> int:
    """Bytes that can still be had: of a GPU all that it has, of the machine what is free, within this process's limits.

    A system that does not say how much is free counts as one with all of its memory free.
    """
    if device is not None and device.type == "cuda":
        return torch.cuda.mem_get_info(device)[1]
    found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    with contextlib.suppress(OSError, ValueError, KeyError):
        lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
        kilobytes = {line[0]: int(line[1]) for line in lines}
        found = [1024 * (kilobytes["MemAvailable:"] + kilobytes["SwapFree:"])]
    with contextlib.suppress(OSError, ValueError):  # "max" is no number
        found.append(int((CGROUP / "memory.max").read_text()) - _used_by_container())
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return min([*found, *([limit] if limit != resource.RLIM_INFINITY else [])])


def _used_by_container() -> int:
    """Bytes that a container holds, without the cache of files that it has read, which goes when it is needed."""
    stat = dict(line.split() for line in (CGROUP / "memory.stat").read_text().splitlines())
    cached = sum(int(stat.get(name, 0)) for name in ("active_file", "inactive_file"))
    return int((CGROUP / "memory.current").read_text()) - cached


def require_memory(needed: int, what: str, sizes: dict[str, int], device: torch.device | None = None) -> None:
    """Raises ValueError, by the largest of the sizes, unless so many bytes can be had.

    Args:
      needed: a lower bound, so that nothing is refused that would have fitted.
      what: they are for.
      sizes: arguments that they follow from.
      device: where; None: the machine's own memory.
    """
    free = free_memory(device)
    if needed > free:
        name = max(sizes, key=lambda name: sizes[name])
        there = f"{readable(needed)} of memory, and {readable(free)} are free"
        raise ValueError(f"{name} is too large: {what} would need at least {there}")


def readable(num_bytes: int) -> str:
    """A number of bytes as a person reads it."""
    number = float(num_bytes)
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if number < 1000 or unit == "TB":
            break
        number /= 1000
    return f"{number:,.1f} {unit}" if number < 1e6 else f"{number:.1e} {unit}"
