"""Whether runs whose configs say the same of their data were trained on the same data."""

from __future__ import annotations

from collections.abc import Iterable

from experiments.errors import UserError
from experiments.run.state import Job


def other_data(jobs: Iterable[Job]) -> str | None:
    """What differs between the data of runs; None: nothing that is known, or nothing but rounding.

    Runs of earlier versions have kept nothing of their data, and are passed over.
    """
    from experiments.run.data import read_run_data  # with torch

    first: dict[str, Job] = {}
    for job in jobs:
        if isinstance(digest := job.result.get("data"), str):
            first.setdefault(digest, job)
    if len(first) < 2:
        return None
    try:
        kept = [data for job in first.values() if (data := read_run_data(job.run)) is not None]
    except UserError as error:
        return str(error)
    if len(kept) < len(first):
        return "other values"
    changes = [other.fingerprint.change_from(kept[0].fingerprint) for other in kept[1:]]
    return next(("; ".join(change.words) for change in changes if change.is_other), None)
