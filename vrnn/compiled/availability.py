"""Whether programs can be compiled here."""

from __future__ import annotations

import functools
import importlib.util

import torch

from vrnn.compiled.program import machine_of


@functools.cache
def unavailable(dtype: torch.dtype) -> str:
    """Why nothing of this type can be compiled here, in half a sentence; empty: it can, and now it is."""
    if importlib.util.find_spec("llvmlite") is None:
        return "llvmlite is not installed"
    try:
        machine_of(dtype)
    except Exception as error:  # whatever an LLVM that does not know this CPU raises
        return f"LLVM does not work here: {type(error).__name__}: {next(iter(str(error).splitlines()), '')}"
    return ""
