"""Where the work is done, and what it needs of the machine."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys

import torch


def find_device(name: str) -> torch.device:
    """auto, cpu, cuda or cuda:N -> a device that is there; auto takes a GPU where there is one.

    Raises:
      ValueError: it is not there.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        if name.partition(":")[0] not in ("cpu", "cuda"):
            raise RuntimeError("it is neither a CPU nor a CUDA device")
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"device {name!r} is not available ({reason}); choose auto, cpu or cuda") from error
    return torch.device(name)


def has_bf16(device: torch.device) -> bool:
    """Whether it multiplies bfloat16 itself; where a CPU does not, torch emulates it."""
    return device.type == "cuda" or torch.ops.mkldnn._is_mkldnn_bf16_supported()


def require_compiler() -> None:
    """Raises ValueError unless the C++ compiler that torch.compile calls is there."""
    name = os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")
    if shutil.which(name) is None:
        raise ValueError(
            f"compile needs a C++ compiler, and {name!r} is not installed (Debian: apt install g++); "
            "install one, give its path in the environment variable CXX, or leave it false"
        )


def keep_memory() -> None:
    """Lets the process keep what it frees, so that a step gets its memory without the kernel clearing it each time.

    By default glibc gives tensors of some megabytes back to the system whenever they are freed. Systems without glibc
    are left as they are.
    """
    trim_threshold, top_pad, mmap_threshold = -1, -2, -3  # malloc.h
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(mmap_threshold, 32 << 20)  # the largest that it takes
    mallopt(trim_threshold, 2**31 - 1)
    mallopt(top_pad, 64 << 20)
