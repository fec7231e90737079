"""Names of jobs, made from their overrides."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from experiments.config.overrides import literal


def job_name(*keys: str, _root_: DictConfig) -> str:
    """A job's directory, see `job_slug`; with keys, named by the overrides of these alone."""
    overrides = _root_.hydra.overrides.task
    chosen = []
    for number, typed in enumerate(literal(overrides)):
        if not keys or typed.partition("=")[0] in keys:
            try:
                chosen.append(overrides[number])
            except OmegaConfBaseException:  # a reference that leads nowhere, of which the job tells
                chosen.append(typed)
    return job_slug(chosen)


def job_slug(overrides: Sequence[str]) -> str:
    """Overrides as a slug in [A-Za-z0-9._-], with a short hash of them against clashes."""
    overrides = sorted(overrides)
    changes = (override.partition("=") for override in overrides)
    slug = "_".join(re.sub(r"[^A-Za-z0-9.-]+", "-", f"{key.split('.')[-1]}-{value}") for key, _, value in changes)
    digest = hashlib.sha256("\n".join(overrides).encode()).hexdigest()[:6]
    return f"{slug[:100].strip('-_.') or 'job'}-{digest}"
