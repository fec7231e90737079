"""From config to objects: the only place that instantiates, and that answers wrong values by the names users typed."""

from __future__ import annotations

import contextlib
import functools
import inspect
import math
import re
import typing
from collections.abc import Callable, Iterator
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ConfigDict, PydanticSchemaGenerationError, TypeAdapter, ValidationError

from experiments.config.overrides import literal
from experiments.config.packages import VARIABLE, allowed_packages
from experiments.errors import UserError
from experiments.nearest import nearest
from experiments.text import plain

# A config may build only what lies in these modules: a name alone does not tell, since
# torch.optim.optimizer.torch.hub.load is a valid path to something else; so the object found is checked as well.
MAX_INTEGER = 2**63 - 1  # that a tensor holds, and a generator takes as its seed
ALLOWED = ("vrnn", "torch.optim", "experiments.tracking")
TOO_LARGE = re.compile("Storage size calculation|Overflow when unpacking|can't allocate memory")  # torch's words
PUBLIC = re.compile(r"[A-Za-z]\w*(\.[A-Za-z]\w*)+", re.ASCII)


def build(cfg: DictConfig, key: str, **arguments: Any) -> Any:
    """Instantiates the node `key`, after `check`; `arguments` are added to those of the config.

    Raises:
      UserError: a target that is not allowed, an unknown argument, or a value of the wrong type or range.
    """
    check(cfg, key)
    try:
        return instantiate(cfg[key], _convert_="all", **arguments)
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, ValueError | OSError | ImportError):
            raise UserError(explain(cfg, key, error)) from cause
        if isinstance(cause, MemoryError | OverflowError | ZeroDivisionError) or TOO_LARGE.search(str(cause)):
            raise UserError(f"{key}: its sizes are too large for this machine ({plain(str(cause))[:80]})") from cause
        lacking = re.search(r"(\w+)\.__init__\(\) missing \d+ required [\w -]+arguments?: '(\w+)'", str(cause))
        if isinstance(cause, TypeError) and lacking:
            owners = [path for path, node in targets(cfg, key) if lacking[1] in class_names(path, node["_target_"])]
            name = f"{owners[0] if owners else key}.{lacking[2]}"
            raise UserError(f"~{name}: a run needs it; leave ~{name} out, or give {name}=<value>") from cause
        raise (cause or error) from None


def check(cfg: DictConfig, key: str) -> None:
    """Holds every value below `key` that goes to a constructor to that constructor's annotations.

    Raises:
      UserError: names the first that does not fit, as the user would override it.
    """
    if key not in cfg:
        raise UserError(f"~{key}: this needs {key}; leave ~{key} out, or choose one with {key}=<option>")
    parts = [(path, node, find_target(path, node["_target_"])) for path, node in targets(cfg, key)]
    for path, node, target in parts:
        callee = target.__init__ if inspect.isclass(target) else target
        parameters = inspect.signature(target).parameters
        hints = typing.get_type_hints(callee)
        for name in node:
            if name in ("_target_", "_partial_"):
                continue
            if name.startswith("_") and name.endswith("_"):
                raise UserError(f"{path}.{name}: a config of this suite has _target_ and _partial_ only; leave it out")
            if name not in parameters:
                known = ", ".join(sorted(parameters))
                near = nearest(name, parameters) or ";"
                raise UserError(f"{path}.{name}: {node['_target_']} takes no argument {name!r}{near} it takes {known}")
            value = resolve(cfg, path, name)
            if name in hints and not (isinstance(value, dict) and "_target_" in value):
                check_value(origin(cfg, path, name), value, hints[name])


def targets(cfg: DictConfig, key: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every node at or below `key` that has a `_target_`, with its path; its own interpolations are left as they are.

    Hydra builds what stands in lists and what an interpolation leads to as well, so the walk goes there too.
    """
    waiting = [(key, cfg[key])]
    while waiting:
        path, node = waiting.pop()
        if OmegaConf.is_dict(node) and "_target_" in node:
            yield path, literal(node)
        names = node if OmegaConf.is_dict(node) else range(len(node)) if OmegaConf.is_list(node) else ()
        for name in names:
            with contextlib.suppress(OmegaConfBaseException):  # `resolve` tells of it where it is an argument
                waiting.append((origin(cfg, path, name), node[name]))


def find_target(path: str, name: str) -> Callable[..., Any]:
    """The class or function that a `_target_` names.

    Raises:
      UserError: it is not there, or lies outside the allowed modules.
    """
    allowed = (*ALLOWED, *allowed_packages())
    if not str(name).startswith(tuple(f"{module}." for module in allowed)) or not PUBLIC.fullmatch(str(name)):
        raise UserError(
            f"{path}._target_={plain(str(name))[:100]}: only {', '.join(allowed)} may be built from a config; to allow "
            f"a package of your own, {VARIABLE}=<package> in the environment"
        )
    try:
        target = get_object(name)
    except Exception as error:
        raise UserError(f"{path}._target_={name}: there is no such class or function") from error
    module = getattr(target, "__module__", None) or ""
    is_allowed = any(module == known or module.startswith(f"{known}.") for known in allowed)
    if not is_allowed or not (inspect.isclass(target) or inspect.isfunction(target)):
        raise UserError(f"{path}._target_={name}: only classes and functions of {', '.join(allowed)} may be built")
    return target


def class_names(path: str, target: str) -> list[str]:
    """A class's own name and those of the classes that it is made from."""
    return [base.__name__ for base in getattr(find_target(path, target), "__mro__", ())]


def resolve(cfg: DictConfig, path: str, name: str) -> Any:
    """The plain value of a key, interpolations followed."""
    try:
        value = OmegaConf.select(cfg, path)[name]
        return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
    except OmegaConfBaseException as error:
        raise UserError(f"{path}.{name}: {str(error).splitlines()[0]}") from error


def origin(cfg: DictConfig, path: str, name: str | int) -> str:
    """The key that a user would change: where `${latent.z_dim}` leads, or the key itself."""
    raw = literal(OmegaConf.select(cfg, path))[name]
    match = re.fullmatch(r"\$\{([\w.]+)\}", str(raw))
    if match is None:
        return f"{path}.{name}"
    parent, _, last = match[1].rpartition(".")
    return origin(cfg, parent, last) if parent else last


def check_value(name: str, value: Any, hint: Any) -> None:
    """Raises UserError unless the value is of the annotated type; a string is never read as a number."""
    adapter = validator(hint)
    if adapter is None:
        return
    try:
        validated = adapter.validate_python(value)
        exact = isinstance(value, str | bool) or isinstance(validated, bool)  # no text is a number, no number a bool
        fits = not exact or type(validated) is type(value)
    except ValidationError:
        fits = False
    parts = value if isinstance(value, list) else [value]
    if fits and any(type(part) is int and abs(part) > MAX_INTEGER for part in parts):
        raise UserError(f"{name}={value}: expected an integer of at most {MAX_INTEGER}, got {value!r}")
    if fits and any(type(part) is float and math.isnan(part) for part in parts):
        raise UserError(f"{name}={value}: expected a number, and nan is none")
    if not fits:
        raise UserError(f"{name}={shown(value)}: expected {readable(hint)}, got {value!r} ({type(value).__name__})")


@functools.cache  # making one takes as long as building a small model
def validator(hint: Any) -> TypeAdapter | None:
    """What holds a value to an annotation; None for one that pydantic knows nothing of."""
    try:
        return TypeAdapter(hint, config=ConfigDict(arbitrary_types_allowed=True))
    except PydanticSchemaGenerationError:
        return None


def require_integer(name: str, value: Any, at_least: int) -> None:
    """Raises UserError unless the value is an integer of at least that."""
    if type(value) is not int or value < at_least:
        raise UserError(f"{name}={shown(value)}: expected an integer of at least {at_least}, got {value!r}")


def readable(hint: Any) -> str:
    """An annotation as a user would say it: `int | None` -> "int or null"."""
    if hint is type(None):
        return "null"
    if typing.get_origin(hint) is Callable:
        return "keys below it, which --cfg job shows"
    if typing.get_origin(hint) is typing.Literal:
        return " or ".join(repr(option) for option in typing.get_args(hint))
    if typing.get_origin(hint) in (typing.Union, type(int | str)):
        return " or ".join(readable(option) for option in typing.get_args(hint))
    return hint.__name__ if inspect.isclass(hint) and not typing.get_args(hint) else re.sub(r"\w+\.", "", str(hint))


def shown(value: Any) -> Any:
    """A value as it is written on the command line."""
    return "null" if value is None else value


def with_keys(cfg: DictConfig, key: str, message: str) -> str:
    """A message of the library with `name=` of its arguments, and of those of the data, as a user types them."""
    for path, node in [*targets(cfg, key), *(targets(cfg, "data") if "data" in cfg else ())]:
        for name in node:
            message = re.sub(rf"(?<![\w./-]){name}=", f"{origin(cfg, path, name)}=", message)
    return message + ", or set VRNN_DATA_DIR" * ("data.root=<" in message)


def explain(cfg: DictConfig, key: str, error: InstantiationException) -> str:
    """A constructor's complaint; where it begins with an argument's name, the user's own key stands in front."""
    message = with_keys(cfg, key, str(error.__cause__))
    word = str(error.__cause__).split(" ", 1)[0]
    # Hydra names the node that complained; another one may have an argument of the same name.
    parent, _, last = str(error).rpartition("full_key: ")[2].rpartition(".")
    complaining = origin(cfg, parent, last) if parent else last
    for path, node in sorted(targets(cfg, key), key=lambda target: target[0] != complaining):
        if word in node:
            return f"{origin(cfg, path, word)}={shown(resolve(cfg, path, word))}: {message}"
    return f"{complaining}: {message}"
