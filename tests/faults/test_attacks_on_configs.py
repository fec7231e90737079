"""A stranger's config and overrides: nothing of them is imported or resolved, whatever way they are read.

Each attack has a name, what is done to the directory, and words of the one line that answers it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from experiments.run.repeat import repeated_arguments
from tests.faults.reading import LAUGHS, WAYS, added, answers, evaluated, nested, put, repeated, target, text

HANDWRITING = "vrnn.data.handwriting.handwriting"
BUILT = "may be built"
PLAIN = "expected a plain value, not a reference"


CONFIGS: dict[str, tuple[Callable[[Path], None], str]] = {
    # What is built.
    "a target in the run's directory": (put(data___target_="outputs.run.evil.boom"), BUILT),
    "a target beside the run": (put(model___target_="evil.boom"), BUILT),
    "a target of the standard library": (put(objective___target_="os.system"), BUILT),
    "a target through a module of ours": (put(data___target_="vrnn.data.mnist.os.system"), "may be built|no such"),
    "a target through torch": (put(optimizer___target_="torch.optim.optimizer.torch.hub.load"), "may be built|no such"),
    "a target through the tracker's module": (
        put(logger___target_="experiments.tracking.weights_and_biases.os.system"),
        BUILT,
    ),
    "a module as target": (put(data___target_="vrnn.data.mnist"), BUILT),
    "a target that is no text": (put(data___target_=["os.system"]), "data: expected a part of the suite|data.*may be"),
    "a target of empty parts": (put(data___target_="vrnn..evil"), "may be built|no such"),
    "a target with a path": (put(data___target_="vrnn./tmp/evil.boom"), "may be built|no such"),
    "a target with a line's end": (put(data___target_="vrnn.data\nimport evil"), "may be built|no such|control"),
    "a target in a part": (put(model__likelihood=target("evil.boom")), BUILT),
    "a target in a list": (put(trainer__observers=[1, [target("evil.boom")]]), BUILT),
    "a target in a key that nobody reads": (put(other=target("evil.boom")), BUILT),
    "a target in the figures": (put(figures___target_="subprocess.Popen"), BUILT),
    "arguments for a target": (put(data___args_=["touch canary"]), "_args_"),
    "arguments for a target in a list": (put(x=[{"_args_": ["touch canary"]}]), "_args_"),
    "a key like one of Python's": (
        put(data={**target("vrnn.data.handwriting.handwriting"), "__class__": 1}),
        "__class__|no such key",
    ),
    # What is resolved.
    "a secret in the label": (put(label="${oc.env:SECRET}"), PLAIN),
    "a secret in the data's root": (put(data__root="x/${oc.env:SECRET}"), PLAIN),
    "a secret in a list": (put(model__phi_x=["${oc.env:SECRET}"]), PLAIN),
    "a secret by a name that is resolved": (put(label="${oc.${x}:SECRET}", x="env"), PLAIN),
    "a secret as default of another": (put(label="${oc.select:nothing,${oc.env:SECRET}}"), PLAIN),
    "a secret decoded": (put(label="${oc.decode:${oc.env:SECRET}}"), PLAIN),
    "Hydra's own values": (put(label="${hydra:runtime.cwd}"), PLAIN),
    "a resolver of ours": (put(net_width="${matched_width:vrnn,../../evil}"), PLAIN),
    "a reference to itself": (put(label="${label}"), PLAIN),
    "a reference in the seed": (put(seed="${oc.env:SECRET}"), "seed"),
    # YAML.
    "an object of Python": (added('evil: !!python/object/apply:os.system ["touch canary"]\n'), "tag"),
    "a module of Python": (added("evil: !!python/module:evil\n"), "tag"),
    "a path of Python, which OmegaConf makes": (added("evil: !!python/object/apply:pathlib.PosixPath [x]\n"), "tag"),
    "a tag of its own": (added("evil: !boom x\n"), "tag"),
    "a billion laughs": (text(LAUGHS), "anchor"),
    "an anchor that holds itself": (added("evil: &a [*a]\n"), "anchor"),
    "a merge of keys": (added("evil:\n  <<: {a: b}\n"), ""),
    "lists within each other": (added(f"evil: {nested(100_000, '[', ']')}\n"), "deeper|nesting"),
    "mappings within each other": (added(f"evil: {nested(2_000, '{a: ', '}')}\n"), "deeper|nesting"),
    "control characters": (added('evil: "\\e]0;title\\a\\e[31m"\n'), "control"),
    "control characters in a key": (added('"\\e[31m": 1\n'), "control"),
    "text that is turned round": (added('evil: "\\u202Egpj.exe"\n'), "control"),
    "a raw control character": (added("evil: \x1b[31m\n"), "YAML"),
    "zero bytes": (text(b"\0" * 100), "YAML"),
    "no UTF-8": (text(b"seed: \xff\xfe\n"), "UTF-8"),
    "nothing": (text(""), "not the config|YAML"),
    "a list": (text("- a\n"), "not the config"),
    "one word": (text("evil\n"), "not the config|YAML"),
    "several documents": (added("---\na: 1\n"), "YAML|document"),
    "a key twice": (added("seed: 4\n"), "YAML|uplicate"),
    "a key that is a list": (added("? [a, b]\n: 1\n"), "YAML|key"),
    "a key that is a number": (added("7: 1\n"), ""),
    "a number of a million digits": (put(other="X") and added(f"evil: {'9' * 1_000_000}\n"), ""),
    # Values.
    "a part that is missing": (put(trainer="???"), "trainer"),
    "a value that is missing": (put(label="???"), "label"),
    "a part that is text": (put(model="vrnn"), "model"),
    "a part that is a list": (put(data=[1]), "data"),
    "a part that is null": (put(optimizer=None), "optimizer"),
    "a part without target": (put(objective={"a": 1}), "objective"),
    "sizes that are text": (put(latent="small"), "latent"),
    "a size that is text": (put(model__z_dim="2"), "z_dim"),
    "a negative size": (put(model__z_dim=-1), "z_dim"),
    "a size of 2^62": (put(model__z_dim=2**62), "z_dim|model"),
    "a size of 10^30": (put(model__z_dim=10**30), "z_dim|model"),
    "a size that is not finite": (put(model__z_dim=float("inf")), "z_dim"),
    "an infinite depth": (put(model__phi_x=[8] * 9 + [2**61]), "phi_x|model"),
    "a seed that is text": (put(seed="three"), "seed"),
    "a seed that is a list": (put(seed=[3]), "seed"),
    "a negative seed": (put(seed=-3), "seed"),
    "a seed of 2^70": (put(seed=2**70), "seed"),
    "a model that is only partly built": (put(model___partial_=True), "model"),
    "data that are only partly built": (put(data___partial_=True), "data"),
    "an argument that is not there": (put(data__evil=1), "data.evil"),
    "a part of another kind": (put(model___target_="vrnn.likelihoods.gaussian.Gaussian"), "model"),
    "data that are a model": (put(data=target("vrnn.models.vrnn.VRNN")), "data"),
    "a writer of ours in the data's place": (
        put(data=target("vrnn.training.checkpoint.save")),
        "data",
    ),
    "a writer of ours in a key that nobody reads": (put(other=target("vrnn.training.checkpoint.save")), "conf/"),
    "a function of ours that is no dataset": (put(data=target("vrnn.data.sources.files.data_folder")), "conf/"),
    "a method of ours": (put(trainer___target_="vrnn.training.trainer.Trainer.fit"), "conf/"),
    "a likelihood that is data": (
        put(model__likelihood=target(HANDWRITING)),
        "model|likelihood",
    ),
}
# Not refused: they change nothing that is computed here.
ODD = {"a merge of keys", "a key that is a number", "a number of a million digits"}
# Values that are looked at where they are used: by the app that builds the parts.
BUILT_ONLY = {
    "a size that is text",
    "a negative size",
    "a size of 2^62",
    "a size of 10^30",
    "a size that is not finite",
    "an infinite depth",
    "an argument that is not there",
}


@pytest.mark.parametrize("name", [name for name in CONFIGS if name not in ODD])
def test_configs(run: Path, name: str):
    attack, words = CONFIGS[name]
    attack(run)
    for answer in answers(run, *([evaluated] if name in BUILT_ONLY else WAYS)):
        assert re.search(words, answer), answer
        assert "config.yaml" in answer or name in BUILT_ONLY


OVERRIDES = {
    "a target": ["data._target_=evil.boom"],
    "a target added": ["+data.x._target_=evil.boom"],
    "a target in a mapping": ["+data.x={_target_:evil.boom}"],
    "a target in a list": ["+trainer.x=[{_target_:evil.boom}]"],
    "arguments of a target": ["+optimizer._args_=[evil]"],
    "an option by a path up": ["data=../../tmp/evil"],
    "an option by an absolute path": ["experiment=/tmp/evil"],
    "an option by an address": ["model=file://tmp/evil"],
    "an option put elsewhere": ["data@hydra=speech"],
    "an option put everywhere": ["model@_global_=vrnn"],
    "options in a list": ["experiment=[speech,../../evil]"],
    "a group of their own": ["+evil=boom"],
    "a flag of Hydra": ["--config-dir=/tmp/evil"],
    "a short flag of Hydra": ["-m"],
    "words behind a flag": ["seed=3 --config-dir=/tmp/evil"],
    "a secret": ["label=${oc.env:SECRET}"],
    "a secret in quotes": ["label='x ${oc.env:SECRET}'"],
    "a secret by a name that is resolved": ["label=${oc.${x}:SECRET}"],
    "a secret in a list": ["model.phi_x=[1,${oc.env:SECRET}]"],
    "a secret in a mapping": ["+latent.x={a:${oc.env:SECRET}}"],
    "a secret as another's argument": ["net_width=${matched_width:vrnn,${oc.env:SECRET}}"],
    "a secret as default": ["label=${oc.select:x,${oc.env:SECRET}}"],
    "a path for a resolver of ours": ["net_width=${matched_width:vrnn,../../evil}"],
    "values of Hydra": ["label=${hydra:runtime.cwd}"],
    "consent to unpickle": ["data=sketch", "data.allow_pickle=true"],
    "consent to unpickle, added": ["+data.allow_pickle=true"],
    "consent to unpickle, forced": ["++data.allow_pickle=true"],
    "consent to unpickle in a mapping": ["data={_target_:vrnn.data.sketch.sketch,allow_pickle:true}"],
    "a sweep": ["seed=1,2,3"],
    "a glob": ["data=glob(*)"],
    "control characters": ["label='\x1b[31m'"],
    "a line's end": ["label='a\nb'"],
    "broken grammar": ["label=[[["],
    "lists within each other": [f"label={nested(500, '[', ']')}"],
    "no text": [7],
    "a mapping": [{"label": "x"}],
    "a key that is not there": ["latent.evil=3"],
    "a value of another kind": ["latent=3"],
}


@pytest.mark.parametrize("name", OVERRIDES)
def test_overrides(run: Path, name: str):
    (run / "overrides.yaml").write_text(yaml.safe_dump(OVERRIDES[name]))
    for answer in answers(run, repeated):
        assert "outputs/run" in answer


# How a run was started is not repeated: these are passed over.
STARTS = {
    "a searchpath of their own": ["hydra.searchpath=[file:///tmp/evil]"],
    "callbacks": ["+hydra.callbacks.x._target_=evil.boom"],
    "a launcher by its target": ["hydra.launcher._target_=evil.boom"],
    "a sweeper by its option": ["hydra/sweeper=evil"],
    "a directory of Hydra's": ["hydra.run.dir=/tmp/evil"],
    "an environment for jobs": ["+hydra.job.env_set.PYTHONPATH=/tmp/evil"],
    "another run to repeat": ["run_from=other"],
    "another run to go on with": ["+resume=other"],
    "a mode of Hydra": ["hydra.mode=MULTIRUN", "hydra.sweep.dir=/tmp/evil"],
}


@pytest.mark.parametrize("name", STARTS)
def test_how_a_run_was_started_is_not_repeated(run: Path, name: str):
    (run / "overrides.yaml").write_text(yaml.safe_dump([*STARTS[name], "seed=3"]))
    assert repeated_arguments([f"run_from={run}"]) == ["seed=3", f"run_from={run}"]
    assert not list(Path.cwd().rglob("canary"))


LISTS = {
    "no list": "label: x\n",
    "nothing": "",
    "a tag": "- !!python/object/apply:os.system [touch canary]\n",
    "a billion laughs": LAUGHS,
    "no UTF-8": b"- \xff\n",
    "lists in a list": "- - - x\n",
}


@pytest.mark.parametrize("name", LISTS)
def test_lists_of_overrides(run: Path, name: str):
    text(LISTS[name], "overrides.yaml")(run)
    assert "overrides.yaml" in answers(run, repeated)[0]


def test_references_that_people_type_are_repeated(run: Path):
    own = ["net_width=${matched_width:rnn,gaussian}", "latent.h_dim=${latent.z_dim}", "label='my run'", "~schedule"]
    (run / "overrides.yaml").write_text(yaml.safe_dump(["latent.z_dim=2", *own]))
    assert repeated_arguments([f"run_from={run}"])[:-1] == ["latent.z_dim=2", *own]
