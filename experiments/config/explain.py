"""What Hydra and OmegaConf say of a config that does not compose, told in one line by the word that is at fault."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.errors import HydraException, MissingConfigException
from omegaconf.errors import OmegaConfBaseException

from experiments.config.overrides import literal, nodes
from experiments.config.packages import config_folders
from experiments.config.paths import CONF
from experiments.nearest import nearest


def explain_composition(error: Exception, words: Sequence[str], config_name: str) -> str | None:
    """One line: the word, what is wrong, what to do. None: no word is at fault, so the suite is.

    Args:
      error: raised while composing, or by Hydra before any job began.
      words: the overrides.
      config_name: the app's YAML in conf/.
    """
    word = culprit(error, words, config_name)
    if word is None:
        return f"{reason(error)}" if isinstance(error, HydraException) else None
    key, _, value = word.lstrip("+~").partition("=")
    text = str(error)
    if isinstance(error, MissingConfigException) and error.options:
        group, _, option = (error.missing_cfg_file or "").rpartition("/")
        if not option:
            group, option = key, value
        known = ", ".join(sorted(error.options))
        return f"{word}: {group} has no option {option}{nearest(option, error.options) or ';'} it has {known}"
    if ("Could not override" in text and "Did you mean" not in text) or "No match in the defaults list" in text:
        near = nearest(key, known_names(words, word, config_name))
        adds = "" if word.startswith(("+", "~")) else f", +{word} adds one"
        return f"{word}: there is no key or group {key}{near or ';'} --cfg job shows those that there are{adds}"
    if "Could not delete" in text and "does not exist" in text:
        return f"{word}: there is no key {key} to take away{nearest(key, known_names(words, word, config_name))}"
    if "config group" in text and "does not exist" in text:
        return f"{word}: there is no group {key}{nearest(key, known_names(words, word, config_name))}"
    if "Could not append" in text:
        return f"{word}: the key is there already; write {word.lstrip('+')}"
    if "Ambiguous value" in text or "requires --multirun" in text:
        return f"{word}: several values; add --multirun for a job of each, or write a list as {key}=[{value}]"
    return f"{word}: {reason(error)}"


def reason(error: BaseException) -> str:
    """What an exception says, in a line, without Hydra's addresses and search paths."""
    text = str(error).partition("\nSee http")[0].partition("\nConfig search path")[0]
    text = re.sub(r"\s*(full_key|object_type): ?\S*|\s*object_type=\S*|^In '\S+': ", "", text)
    own = isinstance(error, HydraException | OmegaConfBaseException)
    said = "; ".join(line.strip() for line in text.splitlines() if line.strip())
    cause = error.__cause__
    if cause is not None and cause is not error and str(cause) not in str(error):
        said += f" ({reason(cause)})" if said else reason(cause)
    return said if own and said else f"this cannot be used ({type(error).__name__}: {said})"


def culprit(error: Exception, words: Sequence[str], config_name: str) -> str | None:
    """The word that an error is about."""
    texts: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(texts) < 5:
        texts += [str(cause), str(getattr(cause, "full_key", None) or ""), str(getattr(cause, "override", None) or "")]
        cause = cause.__cause__
    text = "\n".join(texts)
    quoted = [word for word in words if f"'{word}'" in text or f" {word}\n" in text or word in texts]
    keys = {word: re.split("[=@]", word.lstrip("+~"))[0] for word in words}
    if not quoted and isinstance(error, MissingConfigException):
        group, _, option = (error.missing_cfg_file or "").rpartition("/")
        quoted = [word for word in words if keys[word] == group and option in word]
    if not quoted:
        quoted = [word for word in words if re.search(rf"['\s]{re.escape(keys[word])}[.'\s]", f" {text} ")]
    if quoted:
        return quoted[-1]
    if error_of(words, config_name) is not None:
        for word in reversed(words):
            if error_of([other for other in words if other is not word], config_name) is None:
                return word
    return next((word for word in reversed(words) if re.split("[./]", keys[word])[0] == "hydra"), None)


def error_of(words: Sequence[str], config_name: str) -> Exception | None:
    """Why these do not compose; None: they do."""
    try:
        composed(words, config_name)
    except Exception as error:
        return error
    return None


def composed(words: Sequence[str], config_name: str) -> Mapping[str, Any]:
    """The app's config under these overrides, as plain values; of several values of a key the first."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose(config_name, list(words), return_hydra_config=True)
    return literal(cfg)


def known_names(words: Sequence[str], wrong: str, config_name: str) -> list[str]:
    """Keys of the config as it is without the wrong word, and all groups."""
    groups = sorted(
        {path.parent.relative_to(root).as_posix() for root in config_folders() for path in root.rglob("*.yaml")} - {"."}
    )
    for attempt in ([word for word in words if word != wrong], []):
        try:
            keys = [key for key, _ in nodes(composed(attempt, config_name)) if key]
            return [*groups, *(key for key in keys if not key.startswith("hydra.runtime"))]
        except Exception:
            continue
    return groups
