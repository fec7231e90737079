"""Settings of a model's own, beside the defaults of its YAML, that make another model of it: the laws hold for each."""

from __future__ import annotations

VARIANTS = [
    ("vrnn", "model.mask_input=true"),
    ("srnn", "model.smoothing=false"),
    ("srnn", "model.residual=false model.mask_input=true"),
    ("srnn", "model.auxiliary=0.5"),
    ("storn", "model.smoothing=true model.auxiliary=0.5 model.mask_input=true"),
    ("dkf", "model.direction=left"),
    ("dkf", "model.direction=both model.auxiliary=0.5 model.mask_input=true"),
    ("dkf", "model.structured=false"),
    ("dkf", "model.direction=left model.structured=false"),
]
