"""Where the work is done."""

from __future__ import annotations

import torch


def find_device(name: str) -> torch.device:
    """auto, cpu, cuda or cuda:N -> a device that is there; auto takes a GPU where there is one.

    Raises:
      ValueError: it is not there.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"device {name!r} is not available ({reason}); choose auto, cpu or cuda") from error
    return torch.device(name)
