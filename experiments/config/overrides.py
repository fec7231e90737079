"""Overrides as Hydra's grammar writes and reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException
from omegaconf import OmegaConf

from experiments.errors import UserError


def literal(node: Any) -> Any:
    """The plain values of a config as they were typed: references in them are not resolved."""
    return OmegaConf.to_container(node, resolve=False)


def resolved(node: Any) -> Any:
    """The plain values of a config, references resolved."""
    return OmegaConf.to_container(node, resolve=True)


def value_of(key: str, arguments: list[str]) -> str | None:
    """The path given as `key=`; None where there is none, or nothing that Hydra itself will accept.

    Raises:
      UserError: there are several.
    """
    given = [text for argument in arguments if (text := argument.lstrip("+")).startswith(f"{key}=")]
    try:
        override = OverridesParser.create().parse_override(given[-1]) if given else None
    except HydraException:
        return None
    if override is not None and override.is_sweep_override():
        raise UserError(f"{given[-1]}: expected one run directory")
    if override is None or override.value() in (None, ""):
        return None
    value = override.value()
    return value if isinstance(value, str) else given[-1].removeprefix(f"{key}=")  # the name may be a number


def quoted(text: str) -> str:
    """A text as Hydra's override grammar reads it literally."""
    return QuotedString(text, Quote.single).with_quotes()


def nodes(content: Any, key: str = "", *, in_lists: bool = False) -> Iterator[tuple[str, Any]]:
    """Every value in plain values, the mappings (and lists) among them, each with its key as one types it."""
    yield key, content
    inner: Iterable[tuple[Any, Any]] = ()
    if isinstance(content, dict):
        inner = content.items()
    elif in_lists and isinstance(content, list):
        inner = enumerate(content)
    for name, value in inner:
        yield from nodes(value, f"{key}.{name}".lstrip("."), in_lists=in_lists)


def as_overrides(settings: Mapping[str, Any]) -> list[str]:
    """Settings by key as overrides."""
    return [f"{key}={value}" for key, value in settings.items()]


def key_of(override: str) -> str:
    """The key of an override, without the marks that add or remove one."""
    return override.partition("=")[0].lstrip("+~")
