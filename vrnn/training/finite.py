"""The last line of defence: a bound that is not finite is no result, and whose fault it is can be told."""

from __future__ import annotations

from vrnn.data.checks.inspection import describe_not_finite
from vrnn.data.splits import Sequences
from vrnn.training.evaluation import Evaluation

MAX_NAMED = 3  # sequences that a message names; more are counted


def explain_not_finite(found: Evaluation, name: str, sequences: Sequences, grouping: str | None = None) -> str | None:
    """Which sequences have no finite bound, and whether the data or the model are at fault; None: all is finite.

    Args:
      found: the evaluation.
      name: of the split.
      sequences: what was evaluated.
      grouping: what the sequences' groups are.
    """
    numbers = (~found.bounds.isfinite()).nonzero().flatten().tolist()
    if not numbers:
        for step in (~found.kl.isfinite()).nonzero().flatten().tolist():
            return f"the {name} KL is not finite, though the bound is: {float(found.kl[step])} at step {step}"
        return None
    named = [f"{sequences.name(number, grouping)}: {float(found.bounds[number])}" for number in numbers[:MAX_NAMED]]
    rest = f" and {len(numbers) - MAX_NAMED} more" if len(numbers) > MAX_NAMED else ""
    fault = describe_not_finite(name, sequences, grouping)
    return (
        f"the {name} bound is not finite: {len(numbers)} of {len(found.bounds)} sequences have none "
        f"({', '.join(named)}{rest}); "
        + (f"{fault}, so the data are at fault" if fault else f"all values of {name} are finite, the model's are not")
    )
