"""Synthetic online handwriting: English words by many writers, as offsets of the pen at equal times.

`vrnn.data.synthesis.pen` makes a hand's line of a word and moves the pen along it; here are the words, the writers and
the dataset.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch

from vrnn.data.ink.strokes import fit_joint_scalar
from vrnn.data.splits import Sequences, Splits
from vrnn.data.synthesis.pen import Array, Face, Path, trace, tremor_noise, write
from vrnn.memory import require_memory

VOCABULARY = """
able about above across act add after again age ago air all alone along also always among animal answer any apple
arm ask autumn away axis baby back ball band bank base bath beach bean bear become bed before begin behind bell below
best better big bird black blaze blue boat body bone book both bottom box boy branch bread break bridge bright bring
brown build busy but buzz cake call calm camp can car care carry catch cause chair change child circle city class clean
clear climb clock close cloud coast cold color come common cook copy corn cotton could count country cover crazy cross
crowd cry cut dance dark day dead deal decide deep desert design did differ dinner direct doctor dog dollar done door
double down dozen draw dream dress drink drive drop dry during each ear early earth east easy eat edge eight either else
empty end enemy engine enjoy enough equal even evening ever every exact example expect eye face fact fair fall family
far farm fast father favor feel few field fight figure fill final find fine finger finish fire first fish fix five flat
floor flow flower fly follow food foot force forest form forward found four fox free fresh friend from front fruit full
fun game garden gave gentle girl give glad glass goes gold good great green ground group grow guess had hair half hand
happy hard hat have head hear heart heavy held help here high hill hold home honey hope horse hot hour house how huge
human hundred hurry ice idea inch inside iron island jacket jam jar jazz job join joke joy judge juice jump jury just
keep key kind king kitchen knew know lady lake lamp land large last late laugh law lay lazy lead learn least leave left
leg length less letter level lie life lift light like line liquid listen little live long look lost loud love low lucky
machine made magic main make man many map mark market maybe mean measure meet melody metal middle mile milk mind
minute mix moment money month moon more morning most mother motion mountain mouth move much music must name nation
near neck need never new next night nine noise none noon north nose note nothing notice now number object ocean off
offer office often oil old once one only open orange order other our out over own oxygen page paint pair paper parent
part party pass past path pay pen people perfect perhaps phrase picture piece pizza place plain plan plane plant play
please point poor pose possible pound power press pretty print prize problem pull push put puzzle quarter queen question
quick quiet quite quiz race rain raise ran reach read ready real reason red relax repeat rest rich ride right ring rise
river road rock roll room root rope rose round row rule run safe sail salt same sand save say school science sea season
seat second see seed seem sell send sentence serve seven several shade shape share sharp she ship shoe shop short should
show side sign silent silver simple since sing sister six size skill skin sky sleep slip slow small smell smile snow
soft soil soldier some song soon sort sound south space speak special speed spell spoke spot spread spring square squid
stand star start state stay steam step stick still stone stood stop store storm story strange stream street string
strong student study such sudden sugar summer sun sure surface swim table tail take talk tall taxi teach team tell ten
test text thank that them then there thick thin thing think third this those though thought three through throw tie
time tiny today together tomorrow tone too tool top total touch toward town track train travel tree trip true try tube
turn twelve twenty two type uncle under unit until upon use usual valley value very video view village visit voice vowel
wait walk wall want war warm wash watch water wave way wear weather week weight well went west what wheel when where
which while white who whole why wide wife wild will win wind window winter wire wish with woman wonder wood word work
world would write wrong yard year yellow yes yet you young zebra zero zone zoo
"""

STYLES = {"cursive": 0.0, "mixed": 0.5, "print": 1.0}  # share of the writers who print
MAX_SLANT = 15.0  # degrees


class Hand(NamedTuple):
    """How somebody writes: a writer's habit, or what became of it in one word."""

    face: Face
    slant: float  # degrees, positive to the right, on top of the font's own
    scale: float  # x-height
    aspect: float  # width over height, 1 is the font's
    slope: float  # degrees by which the line of writing climbs
    tempo: float  # speed, 1 is average


def split_words(seed: int) -> tuple[list[str], list[str], list[str]]:
    """The vocabularies of train (80 %), valid (10 %) and test (10 %), without a word in common."""
    words = np.random.default_rng([seed, 1]).permutation(VOCABULARY.split()).tolist()
    first, second = len(words) * 8 // 10, len(words) * 9 // 10
    return words[:first], words[first:second], words[second:]


def draw_writer(style: str, rng: np.random.Generator) -> Hand:
    """A writer's habits."""
    return Hand(
        face="print" if rng.random() < STYLES[style] else "cursive",
        slant=float(np.clip(rng.normal(0.0, 6.0), -MAX_SLANT, MAX_SLANT)),
        scale=rng.lognormal(0.0, 0.15),
        aspect=rng.lognormal(0.0, 0.12),
        slope=rng.normal(0.0, 1.0),
        tempo=rng.lognormal(0.0, 0.1),
    )


def split_writers(seed: int, style: str, numbers: Sequence[int]) -> list[list[Hand]]:
    """`numbers` writers of train, valid and test; each part has its own generator, so none depends on the others."""
    generators = [np.random.default_rng([seed, 2, part]) for part in range(len(numbers))]
    return [[draw_writer(style, rng) for _ in range(number)] for number, rng in zip(numbers, generators, strict=True)]


def draw_word_hand(writer: Hand, rng: np.random.Generator) -> Hand:
    """A writer's habits as they come out in one word."""
    return writer._replace(
        slant=float(np.clip(writer.slant + rng.normal(0.0, 2.0), -MAX_SLANT, MAX_SLANT)),
        scale=writer.scale * rng.lognormal(0.0, 0.05),
        aspect=writer.aspect * rng.lognormal(0.0, 0.04),
        slope=writer.slope + rng.normal(0.0, 1.5),
        tempo=writer.tempo * rng.lognormal(0.0, 0.05),
    )


def pen_points(
    path: Path, hand: Hand, sample_rate: float, tremor: float, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Positions of the pen [N, 2] at equal times, and pen-up [N], 1 on the last point of each stroke."""
    lean = np.tan(np.radians(hand.slant))
    # Speed follows the shape, not the size: large writing is faster, not longer (isochrony), so scale comes last.
    points, pen_up = write(path.transformed(np.array([[hand.aspect, 0.0], [lean, 1.0]])), hand.tempo, sample_rate, rng)
    # Along the word the letters' height and the baseline drift, by some per cent of the x-height, at the same slant.
    phase = points[:, :1] / rng.uniform(1.0, 2.0, 2) + rng.uniform(0.0, 2 * np.pi, 2)
    height, baseline = (rng.normal(0.0, 0.05, 2) * np.sin(phase)).T  # [N]
    points += np.outer(height * points[:, 1] + baseline, (lean, 1.0))
    points[:, 1] += np.tan(np.radians(hand.slope)) * points[:, 0]
    points += tremor * tremor_noise(len(points), sample_rate, rng)
    return hand.scale * points, pen_up


def _write_words(
    words: list[str], writers: list[Hand], num: int, sample_rate: int, tremor: float, rng: np.random.Generator
) -> Sequences:
    """`num` words, each drawn at random from the vocabulary, in equal shares by one writer after the other."""
    share = math.ceil(num / len(writers))
    paths: dict[tuple[str, Face], Path] = {}  # the same word is traced once
    rows, groups = [], []
    for number in range(num):
        writer = writers[number // share]
        groups.append(f"writer {number // share}")
        key = (words[rng.integers(len(words))], writer.face)
        if key not in paths:
            paths[key] = trace(*key)
        points, pen_up = pen_points(paths[key], draw_word_hand(writer, rng), sample_rate, tremor, rng)
        # Differences of neighbours: the first point is the origin and no step, which would be exactly 0 for all words
        # and have no finite density.
        rows.append(np.column_stack([np.diff(points, axis=0), pen_up[1:]]))
    lengths = torch.tensor([len(row) for row in rows])
    return Sequences(torch.from_numpy(np.concatenate(rows)).float(), lengths, groups=groups)


def handwriting(
    x_dim: int = 3,
    seed: int = 0,
    style: Literal["cursive", "print", "mixed"] = "mixed",
    sample_rate: int = 30,
    tremor: float = 0.01,
    words_per_writer: int = 8,
    train_sequences: int = 4096,
    valid_sequences: int = 512,
    test_sequences: int = 512,
) -> Splits:
    """x_t = (dx, dy, pen-up) at equal times while people write English words; the three parts share no word or writer.

    Offsets are between neighbouring positions of the pen, y up, in units of the average x-height, standardised by one
    joint scalar (`fit_joint_scalar`). pen-up is 1 on the last point of every stroke; the next offset spans the gap.
    A word starts at the origin; bars and dots of cursive letters wait until the line breaks.

    Args:
      x_dim: must be 3.
      seed: makes words, writers and movements.
      style: joined letters, printed ones, or half of the writers each.
      sample_rate: positions of the pen per second.
      tremor: its standard deviation per coordinate, as a share of the x-height. It is also the noise that keeps the
        density of the offsets finite.
      words_per_writer: words in a row by the same writer, at most.
      train_sequences: words of train.
      valid_sequences: words of valid.
      test_sequences: words of test.

    Raises:
      ValueError: an argument is out of its range.
    """
    if x_dim != 3:
        raise ValueError(f"x_dim must be 3 (dx, dy and pen-up) for handwriting, got {x_dim}")
    if style not in STYLES:
        raise ValueError(f"style must be one of {', '.join(STYLES)}, got {style!r}")
    if not 0 <= tremor < 1:
        raise ValueError(f"tremor must be a share of the x-height in 0 to 1 (0.01 is a steady hand), got {tremor}")
    least = {"seed": (seed, 0), "sample_rate": (sample_rate, 10), "words_per_writer": (words_per_writer, 1)}
    least |= {"train_sequences": (train_sequences, 1), "valid_sequences": (valid_sequences, 1)}
    least |= {"test_sequences": (test_sequences, 1)}
    for name, (value, bound) in least.items():
        if value < bound:
            raise ValueError(f"{name} must be at least {bound}, got {value}")

    sizes = (train_sequences, valid_sequences, test_sequences)
    named = {"train_sequences": sizes[0], "valid_sequences": sizes[1], "test_sequences": sizes[2]}
    named["sample_rate"] = sample_rate
    require_memory(12 * sum(sizes) * sample_rate, "the data (a second of each word)", named)
    writers = split_writers(seed, style, [math.ceil(size / words_per_writer) for size in sizes])
    parts = [
        _write_words(*part, sample_rate, tremor, np.random.default_rng([seed, 3, number]))
        for number, part in enumerate(zip(split_words(seed), writers, sizes, strict=True))
    ]
    standardisation = fit_joint_scalar(parts[0].values[:, :2])
    train, valid, test = (
        Sequences(standardisation.forward(part.values), part.lengths, groups=part.groups) for part in parts
    )
    return Splits(train, valid, test, standardisation, grouping="writer")
