"""The sentence that goes with a result."""

from typing import Any

import pytest

import canvas_reports_nb as crn
from canvas_reports_nb import grades, provisioning
from canvas_reports_nb.exceptions import NoProvenanceError
from tests.unit.analysis.provisioning.test_places import PEOPLE


@pytest.mark.parametrize("kind", ["pandas", "arrow", "dask"])
def test_a_result_carries_its_definition_beside_its_source(oracle: Any, kind: str) -> None:
    tables = {name: oracle.as_kind(frame.to_arrow(), kind) for name, frame in PEOPLE.items()}
    found = provisioning.contacts(tables, roles=("teacher", "ta"))
    wanted = "The people with active enrollments as teacher, ta in each course, each counted once."
    assert crn.definition(found) == wanted
    if kind == "pandas":
        assert found.attrs["definition"] == wanted
        assert "definition" not in tables["enrollments"].attrs


def test_every_analysis_has_a_sentence_of_its_own() -> None:
    rooms = (provisioning, grades)
    sentences = [crn.definition(getattr(room, name)) for room in rooms for name in room.__all__]
    assert all(text[0].isupper() and text.endswith(".") and "{" not in text for text in sentences)
    assert len(set(sentences)) == len(sentences)


def test_a_frame_that_cannot_carry_it_is_explained(oracle: Any) -> None:
    for frame in (PEOPLE["users"], PEOPLE["users"].to_arrow(), PEOPLE["users"].to_pandas()):
        with pytest.raises(NoProvenanceError, match="carries no definition"):
            crn.definition(frame)
