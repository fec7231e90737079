"""The measurements of a finished training: of the best checkpoint, beside the references."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.errors import UserError
from experiments.run.directory import RunDirectory
from experiments.run.parts import Parts
from experiments.warn import warn
from vrnn.training import checkpoint
from vrnn.training.evaluation import evaluate
from vrnn.training.finite import explain_not_finite
from vrnn.training.metrics import Measurement
from vrnn.training.references import exact, references
from vrnn.training.space import Space


def measure(parts: Parts, run: RunDirectory, seed: int) -> dict[str, Measurement]:
    """The best checkpoint's measurements on valid, and on test beside its references where the trainer says so.

    Raises:
      UserError: a bound or the KL is not finite, which is no result.
    """
    settings, model, splits = parts.trainer.settings, parts.model, parts.splits
    model.load_state_dict(checkpoint.load(run.checkpoints / "best.pt", settings.device)["model"])
    space = Space.of(model.likelihood, splits)
    measurements: dict[str, Measurement] = {}
    for split in ("valid", "test") if settings.test else ("valid",):
        sequences = getattr(splits, split).to(settings.device)
        evaluation = evaluate(model, parts.objective, sequences, batch_size=settings.eval_batch_size, seed=seed)
        if (fault := explain_not_finite(evaluation, split, sequences, splits.grouping)) is not None:
            raise UserError(f"{fault}; the weights are kept in {run.checkpoints}")
        measurements |= evaluation.measurements(split, space, splits.grouping)
        if (truth := exact(model.likelihood, splits, split)) is not None:
            measurements |= evaluation.gap(truth, split, splits.grouping)
    if settings.test:
        arrays: dict[str, Any] = saved_groups(splits.test.groups, splits.grouping)
        names = ("bounds", "lengths", "kl_by_step", *(["ess_by_step"] if evaluation.ess is not None else []))
        tensors = {name: getattr(evaluation, name) for name in names}
        np.savez(run.test_sequences, **({name: tensor.numpy() for name, tensor in tensors.items()} | arrays))
        for name, reference in references(model.likelihood.plain, splits).items():
            if bool(reference.bounds.isfinite().all()):
                measurements |= reference.measurements(f"reference/{name}", space, splits.grouping)
            else:
                warn(f"reference {name}: its bound is not finite, so it is left out")
    return measurements


def saved_groups(names: tuple[str, ...] | None, word: str | None) -> dict[str, np.ndarray]:
    """The arrays that keep the groups of a split, without pickled objects.

    `grouping`, what they are; and where there are any, `group_names` [G], and `groups` [N], the number of each
    sequence's name there: a hundred thousand long names would take more room than all else.
    """
    kept = {}
    if names is not None:
        group_names, numbers = np.unique(np.array(names, dtype=np.str_), return_inverse=True)
        kept = {"groups": numbers.astype(np.int32), "group_names": group_names}
    return {**kept, "grouping": np.array(word or "", dtype=np.str_)}
