"""The words of a command line, read before Hydra does: flags in any place, and overrides that say what they mean."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override, RangeSweep
from hydra.errors import OverrideParseException

from experiments.config.packages import group_names, is_group, option_files
from experiments.errors import UserError
from experiments.nearest import nearest

MAX_JOBS = 10_000  # of one multirun
INFO = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")
COMPLETION = ("install", "uninstall", "query")
SHELLS = ("bash", "fish", "zsh")


class Parser(argparse.ArgumentParser):
    """Raises UserError instead of printing its usage."""

    def error(self, message: str) -> NoReturn:
        if message.startswith("unrecognized arguments: "):
            flag = message.removeprefix("unrecognized arguments: ").split()[0]
            if not flag.startswith("-"):
                raise UserError(f"{flag}: one word too many; -h says what is expected")
            hint = nearest(flag, self._option_string_actions) or ";"
            raise UserError(f"{flag}: there is no such flag{hint} -h says what there is")
        raise UserError(f"{message.removeprefix('argument ').split('/')[0]}: {message}")


def flags_parser() -> Parser:
    """Hydra's flags."""
    parser = Parser(add_help=False)
    for name, short in (
        ("help", "-h"),
        ("hydra-help", None),
        ("version", None),
        ("resolve", None),
        ("run", "-r"),
        ("multirun", "-m"),
        ("shell-completion", "-sc"),
    ):
        parser.add_argument(f"--{name}", *([short] if short else []), action="store_true")
    parser.add_argument("--cfg", "-c", choices=["job", "hydra", "all"])
    parser.add_argument("--info", "-i", const="all", nargs="?", choices=INFO)
    for name, short in (("package", "-p"), ("config-path", "-cp"), ("config-name", "-cn"), ("config-dir", "-cd")):
        parser.add_argument(f"--{name}", short)
    parser.add_argument("--experimental-rerun")
    parser.add_argument("overrides", nargs="*")
    return parser


def read_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """The flags, and the overrides that stand between them in any order.

    Raises:
      UserError: a flag that is none, or lacks its value.
    """
    return flags_parser().parse_intermixed_args(list(arguments))


def arranged(parsed: argparse.Namespace, overrides: Sequence[str]) -> list[str]:
    """The arguments in the order that Hydra reads: flags, then overrides."""
    flags: list[str] = []
    for name, value in vars(parsed).items():
        if name != "overrides" and value not in (None, False):
            flags += [f"--{name.replace('_', '-')}", *([] if value is True else [value])]
    return [*flags, *overrides]


def checked_arguments(arguments: Sequence[str]) -> list[str]:
    """The arguments, flags first.

    Raises:
      UserError: a flag, a combination of flags, or an override that means nothing.
    """
    parsed = read_arguments(arguments)
    require_flags(parsed)
    if parsed.shell_completion:
        require_completion(parsed.overrides)
    else:
        require_overrides(parsed.overrides)
    return arranged(parsed, parsed.overrides)


def require_flags(parsed: argparse.Namespace) -> None:
    """Raises UserError where a flag cannot do what it says, alone or beside the others."""
    for name, remedy in (
        ("config_path", "--config-dir adds a folder of your own"),
        ("config_name", "each app has one config; --config-dir adds a folder of your own"),
        ("experimental_rerun", "a pickle runs code as it is read; run_from=<run> repeats a run"),
    ):
        if getattr(parsed, name) is not None:
            raise UserError(f"--{name.replace('_', '-')} {getattr(parsed, name)}: not for this suite; {remedy}")
    if parsed.config_dir is not None and not Path(parsed.config_dir).is_dir():
        raise UserError(f"--config-dir {parsed.config_dir}: there is no such folder")
    named = ("help", "hydra_help", "version", "run", "multirun", "shell_completion", "cfg", "info")
    given = [f"--{name.replace('_', '-')}" for name in named if getattr(parsed, name)]
    if len(given) > 1 and not {"--help", "--version", "--hydra-help"} & set(given):
        raise UserError(f"{' '.join(given)}: each asks for something else; give one of them")
    if parsed.resolve and parsed.cfg is None:
        raise UserError("--resolve: it says how --cfg shows the config; add --cfg job, or leave it out")
    if parsed.package is not None and parsed.cfg is None:
        raise UserError(f"--package {parsed.package}: it says what --cfg shows; add --cfg job, or leave it out")


def require_completion(overrides: Sequence[str]) -> None:
    """Raises UserError unless the words say what is to be done for which shell."""
    if [word.partition("=")[::2] for word in overrides] not in [[(do, shell)] for do in COMPLETION for shell in SHELLS]:
        raise UserError(f"--shell-completion {' '.join(overrides)}: expected one of install=bash, install=fish, "
                        "install=zsh, or the same with uninstall or query")  # fmt: skip


def require_overrides(words: Sequence[str]) -> None:
    """Raises UserError where a word is no override, a group is given no option, or there are too many jobs."""
    parser = OverridesParser.create()
    jobs = 1
    for word in words:
        try:
            (override,) = parser.parse_overrides([word if word[:1] != "=" else ""])
        except OverrideParseException as error:
            raise UserError(f"{word or repr(word)}: {unreadable(word, error)}") from error
        except Exception as error:  # of the grammar's functions: a cast, a range
            reason = str(error).partition("\n")[0]
            raise UserError(f"{word}: this cannot be read ({type(error).__name__}: {reason})") from error
        require_option(override)
        jobs *= count(override)
        if jobs > MAX_JOBS:
            raise UserError(f"{word}: a multirun of {jobs:,} jobs; at most {MAX_JOBS:,} are, so give fewer values")


def unreadable(word: str, error: Exception) -> str:
    """Why a word is no override, and what to do."""
    if word.startswith("="):
        return "there is no key before the equals sign; expected key=value"
    if not word:
        return "an empty word; take it away, or quote a variable that is not set"
    if "=" not in word and not word.startswith("~"):
        return f"expected key=value, such as seed=1; what this app knows is shown by --help{near_key(word)}"
    said = " ".join(str(error).partition("\nSee ")[0].removeprefix(f"Error parsing override '{word}'").split())
    return (
        f"this cannot be read ({said}); signs such as ,=()[]{{}}: and quotes in a text stand in quotes, \"key='a, b'\""
    )


def near_key(word: str) -> str:
    """A guess at the group that was meant."""
    return nearest(word, group_names())


def require_option(override: Override) -> None:
    """Raises UserError where a group is given something that is no name."""
    group = override.key_or_group
    if override.is_delete() or not is_group(group) or override.is_sweep_override():
        return
    value = override.value()
    names = value if isinstance(value, list) else [value]
    if not all(isinstance(name, str) and name.strip() for name in names) or value == "null":
        raise UserError(
            f"{override.input_line}: expected one of its options ({', '.join(options(group))}); "
            f"to leave the group out: ~{group}"
        )


def options(group: str) -> list[str]:
    """The options of a group."""
    return sorted(option_files(group))


def count(override: Override) -> int:
    """Values that a sweep over a key has; 1 where it is none, or not known before it is looked up."""
    value = override.value()
    if isinstance(value, ChoiceSweep):
        return max(1, len(value.list))
    if isinstance(value, RangeSweep) and value.start is not None and value.stop is not None:
        try:
            return max(1, math.ceil((value.stop - value.start) / value.step))
        except (ZeroDivisionError, OverflowError, ValueError):
            raise UserError(f"{override.input_line}: the range has no end; give it another step or end") from None
    return 1
