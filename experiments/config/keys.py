"""What each key of experiments.train is allowed to do: one table, from which every other list of keys is derived."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple


class Role(NamedTuple):
    """What a key means to a run.

    Attributes:
      numbers: it changes what a run computes, so it is part of the config's identity.
      resume: it may change when a run goes on.
      scope: it belongs to one job; to all jobs of a multirun together; or to one start, which another does not repeat.
      builds: the node is an object, which every run needs.
      compared: a comparison sets it for each of its rows or jobs.
    """

    numbers: bool = True
    resume: bool = False
    scope: Literal["job", "multirun", "start"] = "job"
    builds: bool = False
    compared: bool = False


PART = Role(builds=True)
LIMIT = Role(resume=True)
START = Role(numbers=False, scope="start")
MULTIRUN = Role(numbers=False, scope="multirun")
FOLLOWS = Role(numbers=False)  # how a run is followed, and where
FOLLOWS_ANEW = Role(numbers=False, resume=True)

# A key that is not named has the role of the node that it lies in.
KEYS: dict[str, Role] = {
    "seed": Role(compared=True),
    "label": FOLLOWS,
    "net_width": Role(),
    "mnist_x_dim": Role(),
    "latent": Role(),
    "data": PART,
    "data.root": FOLLOWS_ANEW,  # but see `identity.root_is_identity`
    "data.cache": FOLLOWS_ANEW,
    "data.max_memory_gb": FOLLOWS_ANEW,
    "likelihood": PART._replace(compared=True),
    "emission": Role(),
    "recurrence": PART,
    "initialisation": PART,
    "emission_bias": Role(),
    "model": PART._replace(compared=True),
    "objective": PART,
    "optimizer": PART,
    "schedule": PART,
    "trainer": PART,
    "trainer.max_epochs": LIMIT,
    "trainer.max_steps": LIMIT,
    "trainer.patience": LIMIT,
    "trainer.eval_batch_size": FOLLOWS_ANEW,
    "trainer.log_every": FOLLOWS_ANEW,
    "trainer.checkpoint_every": FOLLOWS_ANEW,
    "trainer.test": FOLLOWS_ANEW._replace(compared=True),
    "trainer.device": FOLLOWS_ANEW,
    "trainer.compile": FOLLOWS_ANEW,
    "trainer.cuda_graph": FOLLOWS_ANEW,
    "trainer.loop": FOLLOWS_ANEW,
    "trainer.checkpoint_segments": FOLLOWS_ANEW,
    "figures": FOLLOWS._replace(builds=True),
    "logger": FOLLOWS_ANEW._replace(builds=True),
    "experiment": Role(),
    "comparison": Role(compared=True),
    "sweep": Role(),
    "multirun.max_parallel": MULTIRUN,
    "multirun.retry_failed": MULTIRUN,
    "multirun.fail_fast": MULTIRUN,
    "multirun.view": MULTIRUN,
    "multirun.replace_resumed": MULTIRUN,
    "multirun.stop_below": MULTIRUN._replace(numbers=True),
    "resume": START._replace(resume=True, compared=True),
    "run_from": START,
    "hydra": START,
}


def role_of(key: str) -> Role | None:
    """The role of a key, or of the nearest node above it that the table names; None: it names none."""
    while key not in KEYS and "." in key:
        key = key.rpartition(".")[0]
    return KEYS.get(key)


def is_below(key: str, nodes: Iterable[str]) -> bool:
    """Whether a key is one of these, or lies below one."""
    return any(key == node or key.startswith(f"{node}.") for node in nodes)


# Where and how a run was followed, not what it computes: a config's identity leaves it out.
NOT_IDENTITY = tuple(key for key, role in KEYS.items() if not role.numbers)
# Which the first rule for identities counted. It still names the directories of multiruns and comparisons.
COUNTED_AT_FIRST = ("trainer.eval_batch_size", "trainer.log_every", "trainer.checkpoint_every")
ALLOWED_ON_RESUME = tuple(key for key, role in KEYS.items() if role.resume)
OF_ALL_JOBS = tuple(key for key, role in KEYS.items() if role.scope == "multirun" and not role.numbers)
NOT_REPEATED = {key.partition(".")[0] for key, role in KEYS.items() if role.scope != "job"}
PARTS = tuple(key for key, role in KEYS.items() if role.builds)
SET_BY_ROWS = tuple(key for key, role in KEYS.items() if role.compared)
