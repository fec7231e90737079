"""What Optuna's CMA-ES would unpickle from a study that anybody may have made, held to what CMA-ES writes there."""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.errors import UserError
from experiments.text import plain

KEYS = ("cma:optimizer", "sepcma:optimizer")  # system attributes of a trial; long states are cut into <key>:0, :1, ...
# All that the pickle of a state names; numpy 1 has the same functions in another module.
ALLOWED_NAMES = {
    ("cmaes._cma", "CMA"),
    ("cmaes._sepcma", "SepCMA"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    *((f"numpy.{core}.multiarray", name) for core in ("core", "_core") for name in ("scalar", "_reconstruct")),
}


class StateUnpickler(pickle.Unpickler):
    """Makes nothing but the states of CMA-ES and arrays."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED_NAMES:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return super().find_class(module, name)


def require_plain_states(attributes: Sequence[Mapping[str, Any]], file: Path) -> None:
    """Makes sure that what a sampler would unpickle is nothing but the state of CMA-ES.

    Args:
      attributes: the system attributes of every trial of a study.
      file: that they were read from, for the message.

    Raises:
      UserError: it names the trial.
    """
    for number, found in enumerate(attributes):
        for text in _pickles(found):
            try:
                state = StateUnpickler(io.BytesIO(bytes.fromhex(text))).load()
                if type(state).__name__ not in ("CMA", "SepCMA"):
                    raise pickle.UnpicklingError("it is something else")
            except Exception as error:  # a damaged pickle fails in many ways
                raise UserError(
                    f"{plain(str(file))}: trial {number}: expected the state of CMA-ES, which Optuna would unpickle "
                    f"({plain(str(error))[:80]}); take the file away to search anew, or give another hydra.sweep.dir"
                ) from error


def _pickles(attributes: Mapping[str, Any]) -> Iterator[Any]:
    """Every text that is to be unpickled: those that stand alone, and the parts of each kind put together in order."""
    for key in KEYS:
        if key in attributes:
            yield attributes[key]
        parts = [name for name in attributes if name.startswith(f"{key}:")]
        if parts:
            ordered = sorted(parts, key=lambda name: (len(name), name))
            yield "".join(str(attributes[name]) for name in ordered)
