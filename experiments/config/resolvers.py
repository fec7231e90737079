"""OmegaConf resolvers that the configs use."""

from __future__ import annotations

from omegaconf import DictConfig, OmegaConf

from experiments.config.slugs import job_name


def register_resolvers() -> None:
    """Makes the suite's resolvers, such as ${experiment_name:} and ${job_name:}, known to OmegaConf."""
    OmegaConf.register_new_resolver("experiment_name", experiment_name, replace=True)
    OmegaConf.register_new_resolver("job_name", job_name, replace=True)
    OmegaConf.register_new_resolver("matched_width", matched_width, replace=True)
    OmegaConf.register_new_resolver("numeric_columns", numeric_columns, replace=True)
    OmegaConf.register_new_resolver("count", count, replace=True)


def matched_width(model: str, likelihood: str | None = None, *, _root_: DictConfig) -> int:
    """See `experiments.config.budget`, which imports torch and so is left alone until it is asked."""
    from experiments.config.budget import matched_width

    return matched_width(model, likelihood, _root_=_root_)


def numeric_columns(*, _parent_: DictConfig) -> list[str] | None:
    """The columns of numbers in the file of a node with root, id, time and so on; None: building it says what is wrong.

    So a saved config names them, and other files are read by these names.
    """
    from vrnn.data.tables.columns import peek
    from vrnn.data.tables.reading import Format

    others = [_parent_.get(key) for key in ("id", "time", "label")]
    others += [_parent_.split_column] if _parent_.split == "column" else []
    root, separator = _parent_.get("root"), _parent_.get("separator")
    form = Format(separator if separator is None else str(separator), str(_parent_.get("decimal")))
    return peek(root if root is None else str(root), others, form)


def count(names: list[str] | None) -> int:
    """How many names a list has; 1 where it is not known."""
    return len(names) if names else 1


def experiment_name(*, _root_: DictConfig) -> str:
    """The chosen experiment, or the app where none is chosen; _root_ is the config that holds the hydra node.

    HydraConfig.get() would do within a job, but it is not set yet where a multirun's directory is made.
    """
    hydra = _root_.hydra
    return hydra.runtime.choices.get("experiment") or hydra.job.name
