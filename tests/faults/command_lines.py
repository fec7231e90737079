"""Random command lines of every app: words of which it is known whether they are right, wrong, or either."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import strategies as st

from tests.experiments.command_line import SPEECH

HUGE = str(10**12)


class Word(NamedTuple):
    """An argument; `right` says whether the app can do what it asks: None where nobody can say."""

    text: str
    right: bool | None

    @property
    def key(self) -> str:
        return self.text.lstrip("+~").partition("=")[0]


class Line(NamedTuple):
    """An app and its arguments."""

    app: str
    words: tuple[Word, ...]

    @property
    def arguments(self) -> list[str]:
        """What is typed; data are tiny where the line does not choose any, and nothing is tracked."""
        typed = [word.text for word in self.words]
        if self.app not in ("train", "compare") or any(text.startswith("-") and len(text) > 2 for text in typed):
            return typed
        keys = {word.key.partition("@")[0] for word in self.words}
        small = () if {"data", "experiment", "sweep", "resume", "run_from"} & keys else SPEECH
        words = [text for text in (*small, "logger=none") if text.partition("=")[0] not in keys]
        return [*typed, *(word for word in words if word.partition("=")[0].partition(".")[0] not in keys)]

    @property
    def is_wrong(self) -> bool:
        """Whether some word of it cannot be right; of several for one key the last counts, whatever it is."""
        keys = [word.key for word in self.words]
        return any(word.right is False and keys.count(word.key) == 1 for word in self.words)

    @property
    def is_right(self) -> bool:
        """Whether every word is right, each key is given once, and no other word bears on it."""
        keys = [word.key for word in self.words]
        return all(word.right for word in self.words) and len(set(keys)) == len(keys)


# Keys of each app, with values that are right and values that are wrong.
KEYS: dict[str, dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "train": {
        "seed": (("0", "7"), ("-1", "abc", "[1]", "null", "1.5", str(2**70), "true", "{a:1}", "")),
        "net_width": (("8",), ("0", "abc", "null", "[8]", HUGE)),
        "label": (("mine", "'a, b'", "null", "'日本語'", "${seed}"), ("[1]", "{a:1}", "${nope}", "${oc.env:NO_SUCH}")),
        "latent": (("tiny", "small"), ("3", "nope", "{z_dim:3}", "[a]", "null")),
        "latent.width": (("16",), ("0", HUGE, "abc")),
        "latent.z_dim": (("3",), ("${latent.z_dim}", "-3", "1e3", "[]")),
        "model": (("vrnn", "vrnn_i", "rnn"), ("nope", "3", "[vrnn,nope]")),
        "model.phi_x": (("[8,8]", "[]"), ("abc", "[0]", f"[{HUGE}]", "{a:1}", "null")),
        "model._target_": ((), ("os.system", "vrnn.models.nope", "3", "vrnn.data.speech.speech")),
        "objective": (("elbo", "iwae"), (HUGE, "null", "elbow")),
        "optimizer": (("adam", "sgd"), ("[a]", "adamm", "3")),
        "optimizer.lr": (("1e-3",), ("abc", "-1", "nan", "null", "[1]")),
        "schedule": (("constant", "cosine"), ("constantly",)),
        "recurrence": (("gru", "lstm"), ("gruu", "1")),
        "likelihood": (("gaussian", "gmm"), ("bernoulli", "normal")),
        "data.num_frames": (("4",), ("4294967296", "0", "abc", "1.5")),
        "data.train_sequences": (("12",), (HUGE, "-1", "null")),
        "data.sample_rate": (("16000",), ("0", "1", HUGE)),
        "data.seed": (("3",), ("-1", str(2**70), "x")),
        "data.x_dim": (("200",), ("0", HUGE, "[200]")),
        "data": ((), ("speach", "3", "null", "mnist")),
        "trainer": (("debug",), ("debugg", "[]")),
        "trainer.batch_size": (("4",), ("0", "2.5", "abc")),
        "trainer.max_epochs": (("2",), ("0", "abc", "-1")),
        "trainer.device": (("cpu",), ("tpu", "5", "[cpu]")),
        "resume": ((), ("nowhere", "5", "[a]")),
        "run_from": ((), ("nowhere", "{a:1}")),
        "multirun.fail_fast": (("true",), ("3", "maybe")),
        "hydra.run.dir": (("mine/one",), ("null",)),
        "hydra.job.num": ((), ("abc",)),
        "hydra.mode": ((), ("FOO",)),
        "hydra/launcher": (("basic",), ("nope",)),
    },
    "evaluate": {
        "seed": (("0", "null"), ("-1", "abc", str(2**70))),
        "split": (("train", "valid", "test"), ("3", "[a]", "null", "dev")),
        "checkpoint": (("best", "last"), ("worst", "5")),
        "memory_gb": (("0.5", "1"), ("0", "abc", "[1]", "true", "nan")),
        "device": (("cpu",), ("5", "bogus", "[a]")),
        "root": (("null",), ("5", "[a]")),
        "objective": (("elbo",), (HUGE, "nope")),
        "hydra.run.dir": (("mine",), ("null",)),
    },
    "sample": {
        "num": (("2",), ("0", "abc", HUGE)),
        "steps": (("5", "null"), ("0", HUGE, "[a]")),
        "prefix": (("3", "null"), ("0", "x")),
        "split": (("train",), ("null", "all")),
        "output": (("pictures", "null"), ("5", "[a]")),
        "device": (("cpu",), ("5",)),
    },
    "encode": {
        "what": (("mean", "all"), ("both", "5", "null")),
        "save": (("npz", "null"), ("csv", "[a]")),
        "split": (("train",), ("null", "all")),
        "memory_gb": (("0.5",), ("0", "abc")),
        "output": (("latents", "null"), ("5", "[a]")),
    },
    "forecast": {
        "horizon": (("2",), ("0", "x", HUGE)),
        "num": (("3",), ("1", "abc")),
        "season": (("3", "null"), ("1", "x")),
        "order": (("2",), ("0", "null")),
    },
    "score": {
        "num_samples": (("3",), ("0", "x", HUGE)),
        "dimensions": (("false", "null"), ("3", "[a]", "true")),
        "quantile": (("0.9",), ("1", "0", "abc")),
        "split": (("train",), ("null", "all")),
    },
    "compare": {
        "seeds": (("1", "[3]"), ("abc", "0", HUGE, "[a]", "{a:1}")),
        "rows": (("[vrnn_gauss]", "rnn_gauss"), ("3", "[3]", "[nope]")),
        "lineup": (("gaussian",), ("3", "nope")),
        "jobs": (("1", "null"), ("0", "x")),
        "num_samples": (("3", "null"), ("0", "x")),
        "negate": (("true",), ("3",)),
        "output": (("out",), ("3", "[a]")),
        "order": ((), ("3", "null")),
        "runs": ((), ("3", "[a]", "nowhere/*")),
        "optimizer.lr": (("1e-3",), ("abc",)),
        "model": ((), ("rnn",)),
    },
    "status": {
        "dir": ((), ("3", "nowhere", "[a]", "run")),
        "every": ((), ("0", "abc", "nan", "[1]")),
        "watch": ((), ("3", "x")),
        "report": ((), ("3",)),
    },
    "benchmark": {
        "benchmark.rounds": (("1",), ("0", "abc")),
        "benchmark.shapes": (("[[2,2,2,2,2]]",), ("3", "[[1]]", f"[[{HUGE},1,1,1,1]]")),
        "benchmark.cell": (("gru", "lstm"), ("rnn", "[a]", "3")),
        "benchmark.device": (("cpu",), ("5", "bogus")),
        "benchmark.threads": (("1",), ("0", HUGE)),
        "benchmark.growth": (("false",), ("3",)),
        "benchmark.save": (("b.json",), ("3",)),
        "output": (("out",), ("3", "null", "[a]")),
    },
}
NEEDED = {
    "train": ("schedule", "model", "trainer.max_grad_norm", "model._target_", "optimizer", "latent", "data", "seed"),
    "evaluate": ("objective", "split"),
    "sample": ("num",),
    "encode": ("what",),
    "score": ("quantile",),
    "forecast": ("horizon",),
    "compare": ("seeds",),
    "status": ("every",),
    "benchmark": ("benchmark",),
}
GIVEN = {app: (Word("run=run", True),) for app in ("evaluate", "sample", "encode", "score", "forecast")}
GARBLED = (
    "=",
    "==",
    "=3",
    "a",
    "",
    "seed=[1",
    "a=}",
    "'",
    "{",
    "é=3",
    "seed",
    "--bogus",
    "--cfg=foo",
    "--info=x",
    "${",
)
FLAGS = ("--resolve", "--config-name=evaluate", "--config-dir=nowhere", "--package=x", "--experimental-rerun=x")
LOOKS = ("--cfg=job", "--cfg=hydra", "-h", "--hydra-help", "--info=defaults", "--version")
SYNC = st.sampled_from([(), ("run",), ("nowhere",), ("a", "b"), ("--bogus",), ("-h",), ("",)])


def typo(key: str, place: int) -> str:
    """The key with a letter doubled."""
    place %= len(key)
    return key[: place + 1] + key[place] + key[place + 1 :]


@st.composite
def words(draw: st.DrawFn, app: str) -> Word:
    """One argument."""
    table = KEYS[app]
    key = draw(st.sampled_from(sorted(table)))
    right, wrong = table[key]
    kind = draw(
        st.sampled_from(("right", "right", "right", "wrong", "wrong", "unknown", "add", "delete", "garbled", "any"))
    )
    if kind == "right" and right:
        mark = draw(st.sampled_from(("", "", "++"))) if "." in key else ""
        return Word(f"{mark}{key}={draw(st.sampled_from(right))}", True)
    if kind == "unknown":
        return Word(f"{typo(key, draw(st.integers(0, 30)))}={draw(st.sampled_from(right + wrong))}", False)
    if kind == "add":
        name = draw(st.sampled_from(("foo", "lr", key)))
        return Word(f"+{name}=3", None if name == key else False)  # Hydra adds a key that is there, but null
    if kind == "delete":
        return Word(f"~{draw(st.sampled_from((*NEEDED[app], 'foo.bar')))}", False)
    if kind == "garbled":
        return Word(draw(st.sampled_from((*GARBLED, *FLAGS))), False)
    if kind == "any":
        value = draw(st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=8))
        return Word(f"{key}={value}", None)
    return Word(f"{key}={draw(st.sampled_from(wrong))}", False)


@st.composite
def lines(draw: st.DrawFn) -> Line:
    """A command line of one of the apps."""
    looking = ("evaluate", "sample", "encode", "score", "forecast")
    app = draw(st.sampled_from(("train",) * 6 + looking + ("compare", "status", "benchmark", "sync")))
    if app == "sync":
        return Line(app, tuple(Word(text, None) for text in draw(SYNC)))
    found = draw(st.lists(words(app), min_size=1, max_size=3))
    found += [
        Word(flag, None) for flag in draw(st.lists(st.sampled_from(LOOKS), max_size=1)) if draw(st.integers(0, 5)) == 0
    ]
    if app == "train" and draw(st.integers(0, 7)) == 0:
        swept = st.sampled_from(
            ("seed=range(0,1000000000)", "latent=tiny,nope", "seed=1,", "seed=interval(0,1)", "model=glob(x*)")
        )
        found += [Word("--multirun", True), Word(draw(swept), False)]
    return Line(app, tuple(draw(st.permutations([*GIVEN.get(app, ()), *found]))))
