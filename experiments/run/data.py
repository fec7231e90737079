"""What a run keeps of its data, in data.json: how they were standardised, and what they are recognised by.

A model's weights belong to the standardisation that it was trained under. So everything later that concerns the run
uses that one, whatever the data are, and says so where the data are others.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import torch
from omegaconf import DictConfig, OmegaConf

from experiments.config.keys import NOT_IDENTITY
from experiments.config.untrusted import consent_keys
from experiments.disk import schemas
from experiments.disk.files import write_whole
from experiments.disk.reading import read_json
from experiments.errors import UserError
from experiments.run.directory import RunDirectory
from experiments.run.parts import InspectedData
from vrnn.data.checks.fingerprint import Change, Fingerprint
from vrnn.data.splits import Splits, Standardisation

UNCHECKED = (
    "this run kept nothing of its data (an earlier version made it): nothing could be checked, and the data are "
    "standardised by their own train"
)
ROUNDED = "the data are those of training but for the rounding of another machine"


class RunData(NamedTuple):
    """What a run keeps of its data.

    Attributes:
      standardisation: how raw values became x, fitted when its training began.
      fingerprint: of the data then.
      settings: the config's values that say which data these are, by key.
    """

    standardisation: Standardisation
    fingerprint: Fingerprint
    settings: dict[str, Any]


class DataSettings(NamedTuple):
    """What a config says of the data.

    Attributes:
      values: that say which data these are, by key; not where they lie, nor what each start consents to.
      root: where they lie; None: the dataset reads no files.
    """

    values: dict[str, Any]
    root: str | None

    @classmethod
    def of(cls, cfg: DictConfig) -> DataSettings:
        """Those of a run's config."""
        values: Any = OmegaConf.to_container(cfg.data, resolve=True)
        skipped = {*NOT_IDENTITY, *consent_keys(cfg)}
        kept = {key: value for key, value in values.items() if f"data.{key}" not in skipped}
        return cls(kept, values.get("root"))


class Other(NamedTuple):
    """Data that are not those of a run's training.

    Attributes:
      name: for files that are made of them.
      root: where they lie.
      fingerprint: of them.
      words: how they differ; empty: it is not known that they do.
      is_own_root: whether they lie where the run's own data lay, so that some of them are likely to be those.
    """

    name: str
    root: str
    fingerprint: Fingerprint
    words: list[str]
    is_own_root: bool = False

    @property
    def caution(self) -> str:
        """What must stand beside figures on them."""
        if not self.words:
            return f"on the data of {self.root}: {UNCHECKED}"
        return (
            f"on the data of {self.root}, which are not those of the run's training ({'; '.join(self.words)}), but are "
            "standardised as those were" + "; some of them may have been trained on" * self.is_own_root
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        about = {"name": self.name, "root": self.root, "fingerprint": self.fingerprint.digest, "differs": self.words}
        return {**about, "standardised": "as the run's data" if self.words else "by their own train"}


class Settled(NamedTuple):
    """Data as a run sees them.

    Attributes:
      splits: standardised as the run's own were.
      notes: what a person should know.
      other: what they are where they are not the run's own; None: they are.
    """

    splits: Splits
    notes: list[str]
    other: Other | None = None


def write_run_data(run: RunDirectory, settings: DataSettings, data: InspectedData) -> None:
    """Keeps how these data are standardised and recognised; one line for each thing, since some are long."""
    content = {"format": 1, "settings": settings.values, **data.fingerprint.as_dict()}
    lines = ",\n".join(f"  {json.dumps(key)}: {json.dumps(value, allow_nan=False)}" for key, value in content.items())
    write_whole(run.data_file, f"{{\n{lines}\n}}\n")


def read_run_data(run: RunDirectory) -> RunData | None:
    """What a run has kept; None where it was made before there was such a file.

    Raises:
      UserError: it is damaged.
    """
    try:
        content = read_json(run.data_file, schemas.DataFile)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UserError(f"{run.data_file}: {error.strerror}") from error
    try:
        fingerprint = Fingerprint.from_dict(content)
        mean, std = (torch.tensor(values, dtype=torch.float64) for values in (fingerprint.mean, fingerprint.std))
        scale = Standardisation.from_dict({"mean": mean, "std": std})
    except ValueError as error:
        raise UserError(
            f"{run.data_file}: this is not what a run keeps of its data ({error}); put the run's own file back"
        ) from error
    return RunData(scale, fingerprint, content["settings"])


def open_run_data(run: RunDirectory, settings: DataSettings, data: InspectedData, *, resumed: bool) -> Settled:
    """The data of a run that begins, which are kept; or of one that goes on, if they are still the same.

    Raises:
      UserError: they are others; the message says what changed.
    """
    if not resumed:
        write_run_data(run, settings, data)
        return Settled(data.splits, [])
    kept = _fitting(run, settings)
    if kept is None:
        return Settled(data.splits, [UNCHECKED])
    change = data.fingerprint.change_from(kept.fingerprint)
    if change.is_other:
        raise UserError(
            f"{_changed(run, settings, change)}; put the run's own data back, or begin another run: run_from={run}"
        )
    return Settled(_standardised(run.data_file, data.splits, kept.standardisation), [ROUNDED] if change.words else [])


def look_at(
    run: RunDirectory,
    settings: DataSettings,
    data: InspectedData,
    trained: Standardisation | None,
    root: str | None,
    own_root: str | None,
) -> Settled:
    """The data that a finished run is looked at with: its own, or others that were asked for.

    Args:
      run: its directory.
      settings: its config's, with `root`.
      data: made from that.
      trained: what the checkpoint's weights were trained under; None: it is of an earlier version.
      root: the folder that was asked for; None: the run's own.
      own_root: where the run's own data lay.

    Raises:
      UserError: they are others, and none were asked for.
    """
    kept = _fitting(run, settings)
    if kept is None:
        splits = data.splits if trained is None else _standardised(run.checkpoints, data.splits, trained)
        other = None if root is None else Other(_name(root, data.fingerprint), str(root), data.fingerprint, [])
        return Settled(splits, [UNCHECKED], other)
    if trained is not None and not trained.equals(kept.standardisation):
        raise UserError(
            f"{run.data_file}: holds another standardisation than the run's checkpoint was trained under; one of the "
            "two files is of another run"
        )
    change = data.fingerprint.change_from(kept.fingerprint)
    if change.is_other and root is None:
        raise UserError(
            f"{_changed(run, settings, change)}; put the run's own data back, or ask for those that lie there by "
            "root=: what is made of them is then marked"
        )
    splits = _standardised(run.data_file, data.splits, kept.standardisation)
    if not change.is_other or root is None:
        return Settled(splits, [ROUNDED] if change.words else [])
    is_own = own_root is not None and Path(root).absolute() == Path(own_root).absolute()
    return Settled(splits, [], Other(_name(root, data.fingerprint), str(root), data.fingerprint, change.words, is_own))


def _fitting(run: RunDirectory, settings: DataSettings) -> RunData | None:
    """What the run has kept, if its config says the same of the data."""
    kept = read_run_data(run)
    if kept is not None:
        now = settings.values
        for key in kept.settings.keys() & now.keys():
            if kept.settings[key] != now[key]:
                raise UserError(
                    f"{run.data_file}: was made with data.{key}={kept.settings[key]!r}, but "
                    f"{run.config_file} says {now[key]!r}; one of the two files is of another run"
                )
    return kept


def _standardised(source: Path, splits: Splits, standardisation: Standardisation) -> Splits:
    """The data under a standardisation that was read from `source`."""
    try:
        return splits.standardised_as(standardisation)
    except ValueError as error:
        raise UserError(f"{source}: {error}") from error


def _changed(run: RunDirectory, settings: DataSettings, change: Change) -> str:
    where = f"data.root={settings.root} holds" if settings.root is not None else "the dataset gives"
    return f"{run}: {where} other data than this run was trained on: {'; '.join(change.words)}"


def _name(root: str, fingerprint: Fingerprint) -> str:
    """What files that are made of other data are called after."""
    folder = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(root).expanduser().absolute().name).strip("-.")[:40]
    return f"on-{folder or 'data'}-{fingerprint.digest[:8]}"
