"""Series from files: every format gives the same, windows share their steps, parts do not overlap in time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from tests.data.tables.reader import read
from vrnn.data.splits import Splits

STEPS = 200


@pytest.fixture
def frame() -> pd.DataFrame:
    """Two columns, the first of which counts the steps."""
    noise = np.random.default_rng(0).standard_normal(STEPS)
    return pd.DataFrame({"n": np.arange(STEPS, dtype=float), "e [kPa]": 100.0 + noise})


def raw(splits: Splits, part: str) -> list[np.ndarray]:
    """The sequences of a part in raw units [T, D] each, NaN where nothing was observed."""
    sequences = splits.parts[part]
    batch = sequences.batch(torch.arange(len(sequences)))
    x = splits.standardisation.inverse(batch.x.double())
    x = x if batch.observed is None else torch.where(batch.observed, x, torch.nan)
    return [row[:length].numpy() for row, length in zip(x, batch.lengths.tolist(), strict=True)]


def test_text_in_every_dialect_parquet_and_arrays_give_the_same(frame: pd.DataFrame, tmp_path: Path):
    pytest.importorskip("pyarrow")
    frame.iloc[50:60, 1] = np.nan
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_csv(tmp_path / "b.csv", index=False, sep=";", decimal=",", encoding="utf-8-sig", lineterminator="\r\n")
    frame.to_csv(tmp_path / "c.tsv", index=False, sep="\t", encoding="utf-16", na_rep="NaN")
    frame.to_csv(tmp_path / "d.csv")  # with an index, whose column has no name
    frame.rename(columns={"e [kPa]": "\u00e9"}).to_csv(tmp_path / "e.csv", index=False, encoding="latin-1")
    frame.to_parquet(tmp_path / "f.parquet")
    np.save(tmp_path / "g.npy", frame.to_numpy())
    np.savez(tmp_path / "h.npz", values=frame.to_numpy(), columns=np.array(list(frame)))
    expected = read(tmp_path / "a.csv", window=10)
    assert np.isnan(np.concatenate(raw(expected, "train"))).sum() == 10
    for name in "bcdefgh":
        path = next(tmp_path.glob(f"{name}.*"))
        found = read(path, window=10, decimal="," if name == "b" else ".")
        for part in ("train", "valid", "test"):
            np.testing.assert_allclose(raw(found, part), raw(expected, part))


def test_by_time_parts_follow_each_other_and_cover_all(frame: pd.DataFrame, tmp_path: Path):
    frame.to_csv(tmp_path / "x.csv", index=False)
    splits = read(tmp_path / "x.csv", window=10)
    counted = [np.concatenate(raw(splits, part))[:, 0] for part in ("train", "valid", "test")]
    np.testing.assert_allclose(np.concatenate(counted), np.arange(STEPS), atol=1e-4)
    assert [len(part) for part in counted] == [160, 20, 20]
    train = counted[0]
    assert splits.standardisation.mean[0].item() == pytest.approx(train.mean())
    assert splits.standardisation.std[0].item() == pytest.approx(train.std())


@pytest.mark.parametrize(("window", "stride"), [(10, 1), (10, 3), (10, 25), (7, None)])
def test_windows_are_what_slices_are_and_share_their_memory(frame, tmp_path: Path, window: int, stride: int | None):
    frame.to_csv(tmp_path / "x.csv", index=False)
    splits = read(tmp_path / "x.csv", window=window, stride=stride)
    steps = np.arange(160)
    expected = [steps[start : start + window] for start in range(0, 160 - window + 1, stride or window)]
    np.testing.assert_allclose(np.stack(raw(splits, "train"))[..., 0], expected, atol=1e-4)
    assert len(splits.train.values) <= 160
    starts = [int(each[0, 0].round()) for each in raw(splits, "test")]
    assert starts == list(range(180, STEPS - window + 1, window))


def test_moved_and_standardised_anew_windows_stay_what_they_are(frame: pd.DataFrame, tmp_path: Path):
    frame.iloc[3, 0] = np.nan
    frame.to_csv(tmp_path / "x.csv", index=False)
    splits = read(tmp_path / "x.csv", window=10, stride=1)
    other = read(tmp_path / "x.csv", window=10, stride=1, valid_fraction=0.4)
    again = splits.standardised_as(other.standardisation)
    np.testing.assert_allclose(raw(again, "train"), raw(splits, "train"), atol=1e-4)
    moved = splits.train.to("cpu")
    assert torch.equal(moved.batch(torch.tensor([2])).x, splits.train.batch(torch.tensor([2])).x)
    assert splits.train.find(5)[0] <= 5


def test_ids_are_sequences_sorted_by_time_over_files(tmp_path: Path):
    rows = [(name, second, 10.0 * number + second) for number, name in enumerate("abcd") for second in range(12)]
    frame = pd.DataFrame(rows, columns=["who", "when", "x"]).sample(frac=1, random_state=0)
    frame["when"] = pd.Timestamp("2024-01-01", tz="UTC") + pd.to_timedelta(frame["when"], unit="h")
    frame[:20].to_csv(tmp_path / "first.csv", index=False)
    frame[20:].to_csv(tmp_path / "second.csv", index=False)
    splits = read(tmp_path, id="who", time="when", split="by_sequence", valid_fraction=0.25, test_fraction=0.25)
    found = [sequence[:, 0] for part in ("train", "valid", "test") for sequence in raw(splits, part)]
    assert sorted(found[0]) == pytest.approx(list(found[0]))
    np.testing.assert_allclose(sorted(each[0] for each in found), [0.0, 10.0, 20.0, 30.0], atol=1e-4)
    assert splits.tally["sequences found"] == 4
    assert splits.tally["steps before the one above, sorted"] > 0


def test_a_new_sequence_moves_no_other_one(tmp_path: Path):
    rows = [(f"s{number}", number + 0.1 * step) for number in range(30) for step in range(4)]
    frame, keys = pd.DataFrame(rows, columns=["who", "x"]), {"id": "who", "split": "by_sequence", "valid_fraction": 0.2}
    frame.to_csv(tmp_path / "x.csv", index=False)
    before = {
        part: {round(each[0, 0]) for each in raw(read(tmp_path / "x.csv", **keys), part)} for part in ("train", "test")
    }
    frame[frame["who"] != "s7"].to_csv(tmp_path / "x.csv", index=False)
    for part, former in before.items():
        assert {round(each[0, 0]) for each in raw(read(tmp_path / "x.csv", **keys), part)} == former - {7}


def test_a_column_says_the_parts_and_another_the_anomalies(tmp_path: Path):
    parts = ["train"] * 20 + ["valid"] * 6 + ["Test "] * 8 + ["train"] * 6
    frame = pd.DataFrame({"x": np.arange(40.0), "split": parts, "bad": [0] * 30 + [1] * 3 + [0] * 7})
    frame.to_csv(tmp_path / "x.csv", index=False)
    splits = read(tmp_path / "x.csv", split="column", label="bad")
    assert [len(each) for each in raw(splits, "train")] == [20, 6]
    assert splits.test.labels_of(0).tolist() == [0, 0, 0, 0, 1, 1, 1, 0]
    assert splits.x_dim == 1


def test_split_none_is_all_of_the_data_in_each_part(frame: pd.DataFrame, tmp_path: Path):
    frame.to_csv(tmp_path / "x.csv", index=False)
    splits = read(tmp_path / "x.csv", split="none")
    assert [part.lengths.tolist() for part in splits.parts.values()] == [[STEPS]] * 3


def test_three_axes_are_sequences_and_large_offsets_keep_their_digits(tmp_path: Path):
    np.save(tmp_path / "x.npy", 1e9 + np.random.default_rng(0).standard_normal((9, 5, 2)))
    splits = read(tmp_path / "x.npy", split="by_sequence")
    assert sum(len(part) for part in splits.parts.values()) == 9
    assert splits.train.values.std().item() == pytest.approx(1.0, abs=0.05)


def test_raw_nats_count_observed_values_only(frame: pd.DataFrame, tmp_path: Path):
    from vrnn.likelihoods.gaussian import Gaussian
    from vrnn.training.references import references
    from vrnn.training.space import Space

    frame.iloc[185:195, 1] = np.nan
    frame.to_csv(tmp_path / "x.csv", index=False)
    splits = read(tmp_path / "x.csv", window=10)
    found = references(Gaussian(2), splits)["independent Gaussian"]
    measured = found.measurements("test", Space.of(Gaussian(2), splits))
    log_std = splits.standardisation.std.log()
    change = (measured["test/log_likelihood"].value - measured["test/raw_log_likelihood"].value) * 2
    assert change == pytest.approx(float(20 * log_std[0] + 10 * log_std[1]))
