"""What the environment says to Weights & Biases, and what W&B refuses: lengths, modes and values of its variables."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

from experiments.errors import UserError

# The modes that WANDB_MODE knows, each as what it comes to.
Name = Literal["disabled", "offline", "online", "shared"]  # of W&B's modes
MODES: dict[str, Name] = {
    "disabled": "disabled",
    "offline": "offline",
    "dryrun": "offline",
    "online": "online",
    "run": "online",
    "shared": "shared",
}
ORDER: tuple[Name, ...] = ("disabled", "offline", "online", "shared")  # from what sends least to what sends most
MAX_TAG = 64  # characters; W&B refuses longer ones
MAX_NAME = 128  # characters, of a run or a group


class Mode(NamedTuple):
    """How a run is followed.

    Attributes:
      name: disabled, offline, online or shared.
      notice: says why it is another one than the config's; empty: it is not.
    """

    name: Name
    notice: str


def find_mode(asked: Literal["offline", "online"], environment: Mapping[str, str] = os.environ) -> Mode:
    """The mode of the config (logger.mode) and of the environment (WANDB_MODE, WANDB_DISABLED) together.

    The one that sends less wins: the environment can switch W&B off or to offline, and nothing is uploaded unless
    both the command line and the environment, where it says anything, want it.

    Raises:
      UserError: WANDB_MODE is none that W&B knows.
    """
    if environment.get("WANDB_DISABLED", "").lower() not in ("", "false", "0", "no", "off", "n", "f"):
        return Mode("disabled", f"off, since WANDB_DISABLED={environment['WANDB_DISABLED']}")
    given = environment.get("WANDB_MODE")
    if given is None:
        return Mode(asked, "")
    if given not in MODES:
        raise UserError(
            f"WANDB_MODE={given}: expected one of {', '.join(MODES)}; disabled switches Weights & Biases off, "
            "and so does logger=none"
        )
    wanted = MODES[given]
    if asked == "online" and wanted == "shared":
        return Mode("shared", "shared, since WANDB_MODE=shared")
    if ORDER.index(wanted) > ORDER.index(asked):
        return Mode(asked, f"{asked}, as logger.mode says; WANDB_MODE={given} uploads with logger=wandb_online only")
    if wanted == asked:
        return Mode(asked, "")
    return Mode(wanted, f"{'off' if wanted == 'disabled' else wanted}, since WANDB_MODE={given}")


def cut(text: str, longest: int) -> str:
    """A text of at most so many characters; what is cut off is told apart by a hash of all of it."""
    if len(text) <= longest:
        return text
    return f"{text[: longest - 7]}~{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()[:6]}"


def valid_tags(tags: Iterable[str]) -> list[str]:
    """Tags as W&B takes them: none empty, none twice, none too long."""
    return list(dict.fromkeys(cut(str(tag), MAX_TAG) for tag in tags if str(tag)))


def encodable(value: Any) -> Any:
    """Values as W&B can send them: the bytes of a file name that is not UTF-8 are spelled."""
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, dict):
        return {encodable(key): encodable(content) for key, content in value.items()}
    return [encodable(content) for content in value] if isinstance(value, list | tuple) else value


def refused_variable(setting: str, environment: Mapping[str, str] = os.environ) -> str:
    """The variable of the environment that a setting of W&B comes from, with its value; else the setting itself."""
    words = {setting.upper(), setting.removeprefix("run_").removeprefix("x_").removeprefix("root_").upper()}
    names = [name for name in environment if name[:6] == "WANDB_" and name[6:].strip("_") in words]
    return f"{names[0]}={environment[names[0]]}" if names else setting
