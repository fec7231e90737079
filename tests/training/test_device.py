"""Where the work is done."""

from __future__ import annotations

import pytest
import torch

from vrnn.training.device import find_device


def test_auto_takes_a_gpu_where_there_is_one():
    assert find_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert find_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["gpu", "cuda:99", ""])
def test_a_device_that_is_not_there_is_refused_by_name(name: str):
    with pytest.raises(ValueError, match=f"device '{name}' is not available .*choose auto, cpu or cuda"):
        find_device(name)
