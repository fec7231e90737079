"""Going on in a run's own directory with the run's own config.

Hydra composes today's defaults and rewrites .hydra/ before the task runs, so the run directory has to be known
before Hydra starts, and the config is taken from the run's config.yaml; of the new command line only what cannot
change the results so far is applied to it.
"""

from __future__ import annotations

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from experiments.errors import UserError
from experiments.run_directory import RunDirectory

ALLOWED = (
    "resume",
    "logger",
    "data.root",
    "trainer.max_epochs",
    "trainer.max_steps",
    "trainer.patience",
    "trainer.eval_batch_size",
    "trainer.log_every",
    "trainer.checkpoint_every",
    "trainer.test",
    "trainer.device",
)


def resumed_directory(arguments: list[str]) -> list[str]:
    """The Hydra override that makes the run directory of `resume=<dir>` the output directory; else nothing.

    Raises:
      UserError: it is not a run directory (Hydra would make one), or it is to be resumed by a multirun.
    """
    given = [argument for argument in arguments if argument.startswith("resume=")]
    directory = given[-1].removeprefix("resume=").strip("'\"") if given else "null"
    if directory in ("", "null"):
        return []
    if "--multirun" in arguments or "-m" in arguments:
        raise UserError(f"resume={directory}: one run goes on at a time; leave out --multirun")
    quoted = str(RunDirectory.existing(directory).path).replace("\\", "\\\\").replace("'", "\\'")
    return [f"hydra.run.dir='{quoted}'"]


def resumed_config(run: RunDirectory, cfg: DictConfig) -> DictConfig:
    """The run's own config, with the new command line's permitted overrides.

    Raises:
      UserError: an override that would change what the run computes.
    """
    saved = run.read_config()
    overrides = OverridesParser.create().parse_overrides(list(HydraConfig.get().overrides.task))
    for override in overrides:
        key = override.key_or_group
        if not any(key == allowed or key.startswith(f"{allowed}.") for allowed in ALLOWED):
            raise UserError(
                f"{override.input_line}: a resumed run keeps its own config; only {', '.join(ALLOWED[1:])} may change "
                f"(the run's values stand in {run.config_file})"
            )
        OmegaConf.update(saved, key, OmegaConf.select(cfg, key), merge=False, force_add=True)
    return saved
