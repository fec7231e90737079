"""Who may know whom: the import direction, read from the source of every module."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted(path for package in ("vrnn", "experiments") for path in (ROOT / package).rglob("*.py"))
MODULES = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in FILES}

# Each layer, and the layers that it may import besides itself.
FLOOR = {"batch", "compiled", "distributions", "memory", "nn", "resampling"}
LAYERS = {
    "vrnn": set(),  # the package itself: its version
    "batch": set(),
    "compiled": set(),
    "distributions": set(),
    "memory": set(),
    "nn": set(),
    "resampling": set(),
    "figures": set(),
    "data": {"batch", "memory"},
    "likelihoods": {"distributions", "nn"},
    "models": {"likelihoods", *FLOOR},
    "objectives": {"models", "likelihoods", *FLOOR},
    "training": {"objectives", "models", "likelihoods", "data", *FLOOR},
    "experiments": {"training", "objectives", "models", "likelihoods", "data", "figures", "vrnn", *FLOOR},
}
# What is composed by configs is known to others by its contract only; so a new one needs no other edit.
CONTRACTS = {
    "likelihoods": {"vrnn.likelihoods.base"},
    "models": {"vrnn.models.base"},
    "objectives": {"vrnn.objectives.base"},
    "data": {
        *{"vrnn.data.marks", "vrnn.data.splits", "vrnn.data.checks.fingerprint", "vrnn.data.checks.inspection"},
        *{"vrnn.data.tables.columns", "vrnn.data.tables.reading"},  # how wide x is depends on the files
    },
}
# Measures one model that it builds itself, so as to run where there is no Hydra; no new option concerns it.
BENCHMARK = "experiments.bench."
# The rooms of experiments/, each with those that it may import besides itself. What lies at the top is the
# ground, or an app, which may import everything.
GROUND = {"errors", "nearest", "text", "warn"}
ROOMS: dict[str, set[str]] = {"ground": set(), "disk": {"ground"}}
ROOMS["config"] = {"disk", *ROOMS["disk"]}
ROOMS["cli"] = ROOMS["tracking"] = {"config", *ROOMS["config"]}
ROOMS["run"] = {"cli", "tracking", *ROOMS["cli"]}
ROOMS["sweep"] = ROOMS["comparison"] = {"run", *ROOMS["run"]}
ROOMS["report"] = {"sweep", "comparison", *ROOMS["sweep"]}
ROOMS["bench"] = {"ground"}
ROOMS["apps"] = {*ROOMS} - {"apps"}
COMMAND_LINE = {"hydra", "omegaconf", "wandb", "rich", "pydantic"}
HEAVY = {"llvmlite", "torchvision", "wandb", "matplotlib", "scipy", "HersheyFonts", "pandas", "pyarrow"}

# Make machine code, and are imported by who runs it.
COMPILER = {f"vrnn.compiled.{name}" for name in ("emit", "machine", "products", "rows", "vectors")}


def layer(module: str) -> str:
    """vrnn.models.vrnn -> models; experiments.train -> experiments."""
    first, *rest = module.split(".")
    return rest[0] if first == "vrnn" and rest else first


def room(module: str) -> str:
    """experiments.run.job -> run; experiments.errors -> ground; experiments.train -> apps."""
    first, *rest = module.split(".")[1:] or ["__init__"]
    return first if rest or first in ROOMS else "ground" if first in GROUND else "apps"


def imported(node: ast.AST) -> Iterator[str]:
    """Modules that one import statement names."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute"
        for alias in node.names:
            inner = f"{node.module}.{alias.name}"
            yield inner if inner in MODULES else node.module


@cache
def imports(path: Path) -> set[str]:
    """All modules that the file imports, wherever."""
    return {name for node in ast.walk(ast.parse(path.read_text())) for name in imported(node)}


@cache
def imports_at_import(path: Path) -> set[str]:
    """The modules that are imported when the file is: those outside of functions, and not for type checkers only."""
    found, nodes = set(), [ast.parse(path.read_text())]
    while nodes:
        node = nodes.pop()
        found.update(imported(node))
        for_types = isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        if not for_types and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            nodes.extend(ast.iter_child_nodes(node))
    return found


def ours(names: set[str]) -> set[str]:
    return {name for name in names if name.split(".")[0] in ("vrnn", "experiments")}


def test_there_is_something_to_look_at():
    assert {"vrnn.batch", "vrnn.models.vrnn", "vrnn.training.trainer"} <= MODULES.keys()
    assert {layer(module) for module in MODULES} - {"vrnn"} <= LAYERS.keys(), "a layer without a place in the order"


def test_the_order_of_layers_has_no_circle():
    for name, below in LAYERS.items():
        assert not any(name in LAYERS[other] for other in below)
    assert "data" not in LAYERS["models"]
    assert "models" not in LAYERS["data"]


def test_imports_run_one_way():
    found = {(module, name) for module in MODULES for name in ours(imports(MODULES[module]))}
    allowed = {name: {name, *LAYERS.get(name, ())} for name in map(layer, MODULES)}
    assert not {(below, above) for below, above in found if layer(above) not in allowed[layer(below)]}


def test_imports_run_one_way_between_rooms():
    modules = {module for module in MODULES if layer(module) == "experiments"}
    found = {(module, name) for module in modules for name in imports(MODULES[module]) & modules}
    assert not {(below, above) for below, above in found if room(above) not in {room(below), *ROOMS[room(below)]}}


def test_no_modules_import_each_other_in_a_circle():
    needs = {module: imports(MODULES[module]) & MODULES.keys() - {module} for module in MODULES}
    needs = {module: {name for name in names if not inside(name, module)} for module, names in needs.items()}
    try:
        list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def inside(package: str, module: str) -> bool:
    """Whether a module lies in a package, whose __init__.py only gathers what lies in it."""
    return module.startswith(f"{package}.")


def test_what_configs_compose_is_imported_by_its_contract_only():
    for module in MODULES:
        for name in ours(imports(MODULES[module])):
            if layer(name) in CONTRACTS and layer(name) != layer(module) and not module.startswith(BENCHMARK):
                assert name in CONTRACTS[layer(name)], module


def test_the_library_knows_no_command_line():
    for module in MODULES:
        if module.startswith(("vrnn", BENCHMARK)):
            drawn = {"rich"} if module == f"{BENCHMARK}tables" else set()
            assert not {name.split(".")[0] for name in imports(MODULES[module])} & (COMMAND_LINE - drawn), module


def test_nothing_heavy_is_imported_before_it_is_used():
    for module in MODULES:
        found = imports_at_import(MODULES[module])
        compiler = {"llvmlite"} if module in COMPILER else set()
        assert not {name.split(".")[0] for name in found} & (HEAVY - compiler), module
        assert module in COMPILER or not found & COMPILER, module


def test_a_command_line_is_read_without_torch():
    apps = [f"experiments.{app}" for app in ("train", "compare", "status", "sync")]
    waiting, seen = [*apps, "experiments.config.untrusted", "experiments.tracking.trackers"], set()
    while waiting:
        if (module := waiting.pop()) not in seen:
            seen.add(module)
            names = imports_at_import(MODULES[module])
            assert not {name.partition(".")[0] for name in names} & {"torch", "numpy"}, module
            waiting += [name for name in names if name in MODULES]


def test_files_are_short():
    lengths = {module: len(path.read_text().splitlines()) for module, path in MODULES.items()}
    assert {module: lines for module, lines in lengths.items() if lines > 250} == {}


# What could run code or make objects of a name, and the modules that may call it: each checks what it is given.
CALLS = {
    "get_object": {"experiments.config.build"},
    "get_class": set(),
    "get_method": set(),
    "import_module": set(),
    "__import__": set(),
    "eval": set(),  # as a function; a model's method of that name is another
    "exec": set(),
    "instantiate": {"experiments.config.build"},
    "Unpickler": {"experiments.sweep.cma_states"},  # as a base class
    "pickle.load": set(),
    "pickle.loads": set(),
    "torch.load": {"vrnn.training.checkpoint"},
    "yaml.load": set(),
    "yaml.safe_load": set(),
}
# What reads JSON, and what it reads: files of a directory are `reading`'s, but for what the library has written itself.
JSON = {
    "experiments.disk.reading",
    "experiments.disk.ownership",
    "vrnn.training.metrics",
    "vrnn.data.recordings.storage",
    "vrnn.data.checks.inspection",
}
# What reads arrays; only sketch-rnn's files may be unpickled, with the user's consent.
ARRAYS = {
    "experiments.report.sequences",
    "vrnn.data.recordings.storage",
    "vrnn.data.images.mnist_files",
    "vrnn.data.recordings.clips",
    "vrnn.data.music.rolls",
    "vrnn.data.tables.reading",
}


def called(module: str) -> Iterator[tuple[str, ast.Call]]:
    """Every call in a module, as it is written."""
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def test_nothing_is_looked_up_or_unpickled_elsewhere():
    for module in MODULES:
        for name, node in called(module):
            assert name not in CALLS or module in CALLS[name], name
            last = name.rpartition(".")[2]
            assert last in ("eval", "load") or last not in CALLS or module in CALLS[last], name
            if name in ("json.load", "json.loads"):
                assert module in JSON, name
            if name == "np.load":
                pickles = {word.arg: ast.unparse(word.value) for word in node.keywords}.get("allow_pickle", "False")
                assert (module in ARRAYS and pickles == "False") or module == "vrnn.data.ink.sketch_rnn", name
            if name == "torch.load":
                assert "weights_only=True" in ast.unparse(node)
            if name == "OmegaConf.load":
                assert "CONF" in ast.unparse(node) or ast.unparse(node.args[0]) == "file", (
                    name
                )  # of conf/ or literature/
