"""OmegaConf resolvers that the configs use."""

from __future__ import annotations

from omegaconf import DictConfig, OmegaConf

from experiments.config.slugs import job_name


def register_resolvers() -> None:
    """Makes ${experiment_name:}, ${job_name:} and ${matched_width:} known to OmegaConf."""
    OmegaConf.register_new_resolver("experiment_name", experiment_name, replace=True)
    OmegaConf.register_new_resolver("job_name", job_name, replace=True)
    OmegaConf.register_new_resolver("matched_width", matched_width, replace=True)


def matched_width(model: str, likelihood: str, *, _root_: DictConfig) -> int:
    """See `experiments.config.budget`, which imports torch and so is left alone until it is asked."""
    from experiments.config.budget import matched_width

    return matched_width(model, likelihood, _root_=_root_)


def experiment_name(*, _root_: DictConfig) -> str:
    """The chosen experiment, or the app where none is chosen; _root_ is the config that holds the hydra node.

    HydraConfig.get() would do within a job, but it is not set yet where a multirun's directory is made.
    """
    hydra = _root_.hydra
    return hydra.runtime.choices.get("experiment") or hydra.job.name
