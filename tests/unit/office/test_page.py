"""A page shows published tables and nothing else."""

import re
from pathlib import Path

import pandas as pd
import pytest

import canvas_reports_nb as crn
from canvas_reports_nb import office
from canvas_reports_nb.exceptions import ParameterError

TABLE = pd.DataFrame(
    {
        "department": ["Math & <Art>", "B", "C", "D"],
        "n": pd.array([3, 19, 1040, 40], "Int64"),
        "success": [0.67, 0.6, 0.8, 0.99],
    }
)


def test_only_what_was_published_is_shown(tmp_path: Path) -> None:
    path = office.write_page(
        tmp_path / "page.html", "Success & more", {"By <department>": crn.publish(TABLE)}
    )
    page = path.read_text(encoding="utf-8")
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr>(.*?)</tr>", page)]
    assert rows[1:] == [
        ["Math &amp; &lt;Art&gt;", "&lt;10", "&lt;10"],
        ["B", "&lt;10", "&lt;10"],
        ["C", "1,040", "80.0 %"],
        ["D", "40", "&gt;95 %"],
    ]
    assert "suppressed" not in page
    assert "Published with at least 10 people" in page
    assert "<script" not in page


def test_a_table_that_was_not_published_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="'By department' was not published"):
        office.write_page(tmp_path / "page.html", "Success", {"By department": TABLE})
    assert not list(tmp_path.iterdir())
