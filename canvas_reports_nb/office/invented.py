"""Lists that a school has and Canvas doesn't, invented for the demo Canvas from its own tables.

Each function raises an error on any other Canvas, so that no invented row is mixed with real people.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from canvas_reports_nb.office import require_demo

if TYPE_CHECKING:
    from collections.abc import Mapping

    from canvas_reports_nb.connection import Connection


def credit_hours(canvas: Connection, courses: pd.DataFrame) -> pd.DataFrame:
    """Return ``course_id`` and ``credits`` of most courses."""
    require_demo(
        canvas,
        "CREDITS",
        "the file with the columns course_id and credits, or to False to leave credit hours out",
    )
    ids = courses["course_id"].dropna().drop_duplicates().sort_values(ignore_index=True)
    hours = pd.Series([3, 4, 3, 1, 3], dtype="Float64").reindex(ids.index % 5).set_axis(ids.index)
    return pd.DataFrame({"course_id": ids, "credits": hours}).drop(ids.index[9::10])


def sis_extract(canvas: Connection, tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return a school's enrollments as text: ``EMPLID``, ``CLASS_KEY`` and ``STATUS``, with a few differences."""
    require_demo(
        canvas,
        "EXTRACT",
        "the file with the enrollments of your student information system, one row per student and section",
    )
    rows = tables["enrollments"]
    rows = rows[(rows["role"] == "student") & rows["status"].isin(["active", "inactive"])]
    ids = rows[["user_id", "section_id"]].dropna().drop_duplicates().sort_values(["user_id", "section_id"])
    listed = ids.set_axis(["EMPLID", "CLASS_KEY"], axis=1).reset_index(drop=True).astype("str")
    listed["STATUS"] = "E"
    listed.loc[listed.index[60::61], "STATUS"] = "D"
    listed.loc[listed.index[45::90], "EMPLID"] = listed["EMPLID"].str.lstrip("0")
    unknown = pd.DataFrame({"EMPLID": ["990017"], "CLASS_KEY": listed["CLASS_KEY"].head(1), "STATUS": ["E"]})
    return pd.concat([listed.drop(listed.index[30::75]), unknown], ignore_index=True)


def advisers(canvas: Connection, people: pd.DataFrame) -> pd.DataFrame:
    """Return ``user_id``, ``adviser`` and ``adviser_email`` of most students, from the table ``users``."""
    require_demo(canvas, "ADVISERS", "the file with the columns user_id, adviser and adviser_email")
    ids = people["user_id"].dropna().drop_duplicates().sort_values(ignore_index=True)
    staff = ["Ada Brook", "Ben Okafor", "Chen Wei", "Dana Ruiz"]
    names = [staff[row % 4] for row in ids.index]
    emails = [f"{name.split()[1].lower()}@example.edu" for name in names]
    return pd.DataFrame({"user_id": ids, "adviser": names, "adviser_email": emails}).drop(ids.index[12::25])
