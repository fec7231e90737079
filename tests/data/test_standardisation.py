"""The same raw data under another standardisation: exact, lazy for a file's values, the identity where equal."""

from __future__ import annotations

import pytest
import torch

from vrnn.data.splits import Sequences, Splits, Standardisation

LENGTHS = torch.tensor([4, 1, 3])
OWN = Standardisation(torch.tensor([3.0, 0.0]), torch.tensor([0.2, 1.0]))
OTHER = Standardisation(torch.tensor([-5.0, 0.0]), torch.tensor([2.0, 1.0]))
INDEX = torch.arange(3)


@pytest.fixture
def raw() -> torch.Tensor:
    return torch.randn(8, 2) * 4.0 + 3.0


def splits(raw: torch.Tensor, standardisation: Standardisation, **changes) -> Splits:
    part = Sequences(standardisation.forward(raw), LENGTHS, groups=["a", "b", "a"], **changes)
    return Splits(part, part, part, standardisation, grouping="speaker")


def visited(data: Splits) -> torch.Tensor:
    return data.test.batch(INDEX, torch.Generator()).x


@pytest.mark.parametrize("changes", [{}, {"batch_device": "cpu"}], ids=["in memory", "in a file"])
def test_x_is_what_the_other_standardisation_makes_of_the_raw_values(raw, changes):
    found = splits(raw, OWN, **changes).standardised_as(OTHER)
    torch.testing.assert_close(visited(found), visited(splits(raw, OTHER)))
    torch.testing.assert_close(found.pictured(visited(found))[0, :4], raw[:4])
    assert found.standardisation is OTHER
    assert (found.test.groups, found.grouping) == (("a", "b", "a"), "speaker")
    assert torch.equal(visited(found)[..., 1], visited(splits(raw, OWN))[..., 1]), "an equal dimension keeps its bits"
    back = found.standardised_as(OWN)
    torch.testing.assert_close(visited(back), visited(splits(raw, OWN)))


def test_values_in_a_file_are_not_written_anew(raw):
    own = splits(raw, OWN, batch_device="cpu")
    found = own.standardised_as(OTHER)
    assert found.test.values is own.test.values
    assert torch.equal(visited(Splits(*(part.to("cpu") for part in found.parts.values()), OTHER)), visited(found))


def test_an_equal_standardisation_changes_nothing(raw):
    own = splits(raw, OWN)
    assert own.standardised_as(Standardisation(OWN.mean.clone(), OWN.std.clone())) is own


def test_what_is_drawn_is_drawn_before(raw):
    """`draw` is of the data's own space, so the map comes after it."""
    drawn = splits(raw, OWN, draw=lambda x, _: x.sign()).standardised_as(OTHER)
    wanted = OTHER.forward(OWN.inverse(OWN.forward(raw).sign()))
    torch.testing.assert_close(visited(drawn)[0, :4], wanted[:4])


def test_another_number_of_dimensions_is_refused(raw):
    with pytest.raises(ValueError, match=r"standardisation must be of 2 dimensions, as x is, got \[3\]"):
        splits(raw, OWN).standardised_as(Standardisation.identity(3))
