"""Reads files of a directory that anybody may have made: bounded in size and depth, of known types, as plain data."""

from __future__ import annotations

import functools
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import yaml
from omegaconf import DictConfig, ListConfig, OmegaConf
from pydantic import BaseModel, ValidationError

from experiments.disk.schemas import MetricsLine
from experiments.errors import UserError
from experiments.text import plain, plain_lines
from vrnn.training.metrics import MetricsFile

MAX_BYTES = 64 * 2**20  # of a text file; the suite's own are far smaller
MAX_METRICS = 2**30
MAX_DEPTH = 40  # of nodes within each other
FORMAT = 1  # of all these files
SEVERAL_LINES = ("message", "traceback")  # keys whose text may have more than one

Schema = TypeVar("Schema", bound=BaseModel)


class Unreadable(UserError):
    """The file is no whole JSON or YAML: cut short, perhaps, or something else altogether."""


def read_text(file: Path) -> str:
    """The text of a file.

    Raises:
      OSError: there is none, or it cannot be read.
      Unreadable: it is no file of bounded size in UTF-8.
    """
    require_own_file(file, MAX_BYTES)
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise Unreadable(f"{plain(str(file))}: this is no text in UTF-8") from error


def require_own_file(file: Path, max_bytes: int) -> None:
    """Makes sure that a file of a directory is one: what a link leads to is another's, and a device has no end.

    Raises:
      OSError: there is none.
      Unreadable: it is a link, no file, or too large.
    """
    about = file.lstat()
    if not stat.S_ISREG(about.st_mode):
        found = "a link" if stat.S_ISLNK(about.st_mode) else "something else"
        raise Unreadable(f"{plain(str(file))}: expected a file, and this is {found}")
    if about.st_size > max_bytes:
        raise Unreadable(f"{plain(str(file))}: expected at most {max_bytes:,} bytes, got {about.st_size:,}")


def read_json(file: Path, schema: type[Schema]) -> dict[str, Any]:
    """The object in a JSON file, held to a schema; text in it has no control characters any more.

    Raises:
      OSError: there is no such file, or it cannot be read.
      Unreadable: it is no JSON.
      UserError: a value is of another type, or a newer version has written the file; the message names it.
    """
    text = read_text(file)
    try:
        content = clean(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"{plain(str(file))}: this is not a whole JSON file ({reason(error)})") from error
    return held_to(schema, content, plain(str(file)))


def held_to(schema: type[Schema], content: Any, where: str) -> dict[str, Any]:
    """Plain values that have the types of a schema.

    Raises:
      UserError: they have not.
    """
    number = content.get("format") if isinstance(content, dict) else None
    if type(number) is int and number > FORMAT:
        raise UserError(f"{where}: a newer version of this suite wrote it (format {number}, here {FORMAT}); update")
    try:
        return schema.model_validate(content).model_dump()
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        got = plain(repr(first["input"]))[:60]
        raise UserError(f"{where}: {plain(key) or 'the file'}: {first['msg']}, got {got}") from error


def read_yaml(file: Path) -> DictConfig | ListConfig:
    """The content of a YAML file without anchors, control characters and references: plain values.

    Raises:
      UserError: it is not there, or something else.
    """
    where = plain(str(file))
    try:
        text = read_text(file)
        require_simple(text)
        found = OmegaConf.create(text)
    except Unreadable:
        raise
    except OSError as error:
        raise UserError(f"{where}: {error.strerror}") from error
    except yaml.MarkedYAMLError as error:  # its own text quotes the file
        line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise Unreadable(f"{where}: this is not a readable YAML file ({plain(str(error.problem))}{line})") from error
    except Exception as error:
        raise Unreadable(f"{where}: this is not a readable YAML file ({reason(error)})") from error
    return found


def require_simple(text: str) -> None:
    """Raises ValueError where YAML has aliases, which could stand for more than memory holds, tags, or is too deep."""
    depth = 0
    for event in yaml.parse(text, Loader=_loader()):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise ValueError("it has an anchor or an alias")
        if getattr(event, "tag", None):
            raise ValueError("it has a tag")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise ValueError(f"it is deeper than {MAX_DEPTH}")
        if isinstance(event, yaml.ScalarEvent) and plain_lines(event.value) != event.value:
            raise ValueError(f"it holds control characters: {plain(event.value)[:60]}")


@functools.cache
def _loader() -> type:
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class CheckedMetrics(MetricsFile):
    """The metrics of a run that anybody may have made."""

    def read(self) -> Iterator[dict[str, Any]]:
        """All whole lines.

        Raises:
          UserError: one is no JSON object of numbers; the message says which.
        """
        where = plain(str(self.path))
        if os.path.lexists(self.path):
            require_own_file(self.path, MAX_METRICS)
        lines, number = super().read(), 0
        while True:
            number += 1
            try:
                line = next(lines)
            except StopIteration:
                return
            except (ValueError, RecursionError) as error:
                raise UserError(f"{where}: line {number} is damaged ({reason(error)})") from error
            held_to(MetricsLine, line, f"{where}, line {number}")
            yield line


def clean(content: Any, key: str = "", depth: int = 0) -> Any:
    """Plain values, in whose text and keys control characters are spelled.

    Raises:
      ValueError: they are too deep.
    """
    if depth > MAX_DEPTH:
        raise ValueError(f"deeper than {MAX_DEPTH}")
    if isinstance(content, dict):
        return {plain(name): clean(value, name, depth + 1) for name, value in content.items()}
    if isinstance(content, list):
        return [clean(value, key, depth + 1) for value in content]
    if isinstance(content, str):
        return plain_lines(content) if key in SEVERAL_LINES else plain(content)
    return content


def reason(error: BaseException) -> str:
    """The first line of what an exception says, without control characters."""
    lines = str(error).splitlines()
    return plain(lines[0])[:200] if lines else type(error).__name__
