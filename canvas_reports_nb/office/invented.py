"""Lists that a school has and Canvas doesn't, invented for the demo Canvas from its own tables.

Each function raises an error on any other Canvas, so that no invented row is mixed with real people.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from canvas_reports_nb.office import require_demo
from canvas_reports_nb.typing import TEXT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from canvas_reports_nb.connection import Connection


def submitted(canvas: Connection, grades: pd.DataFrame) -> pd.DataFrame:
    """Return ``section_id`` of every third section, as if the SIS had its grades."""
    require_demo(
        canvas,
        "SUBMITTED",
        "the file with the column section_id, or to False to judge by the grades in Canvas alone",
    )
    ids = grades["section sis"].dropna().drop_duplicates().sort_values(ignore_index=True)
    return pd.DataFrame({"section_id": ids.iloc[::3]})


def sis_grades(canvas: Connection, grades: pd.DataFrame) -> pd.DataFrame:
    """Return ``user_id``, ``section_id`` and ``grade`` as the SIS might have them, with a few differences."""
    require_demo(
        canvas,
        "SIS_GRADES",
        "the file with the grades in your student information system, or to False to leave this part out",
    )
    rows = grades[grades["enrollment state"] != "deleted"].dropna(subset=["student sis", "section sis"])
    rows = rows.drop_duplicates(["student sis", "section sis"]).sort_values(["student sis", "section sis"])
    listed = rows[["student sis", "section sis"]].set_axis(["user_id", "section_id"], axis=1)
    own = rows["override grade"].fillna(rows["final grade"].where(rows["current score"].notna()))
    listed["grade"] = own.mask(rows["enrollment state"] == "inactive", "W").astype(TEXT)
    listed = listed.reset_index(drop=True)
    for first, step, grade in ((10, 40, None), (20, 55, "C+"), (5, 70, "I")):
        listed.loc[listed.index[first::step], "grade"] = grade
    return listed.drop(listed.index[33::60])


def census_list(canvas: Connection, grades: pd.DataFrame) -> pd.DataFrame:
    """Return ``user_id`` and ``course_id`` of all who were in a course on its census day."""
    require_demo(
        canvas,
        "CENSUS",
        "the files with the columns user_id and course_id, or to False to leave deleted enrollments out",
    )
    here = grades["enrollment state"] != "deleted"
    is_taught = grades["course id"].isin(grades.loc[here, "course id"])  # nobody was in a canceled course
    there = here | (grades["current score"].notna() & is_taught)
    ids = grades.loc[there, ["student sis", "course sis"]].dropna().drop_duplicates()
    return ids.set_axis(["user_id", "course_id"], axis=1).reset_index(drop=True)


def groups(canvas: Connection, grades: pd.DataFrame) -> pd.DataFrame:
    """Return ``user_id`` and ``group`` of most students."""
    require_demo(
        canvas, "GROUPS", "the file with the columns user_id and group, or to False to leave groups out"
    )
    ids = grades["student sis"].dropna().drop_duplicates().sort_values(ignore_index=True)
    names = ["first generation" if row % 3 == 0 else "other students" for row in ids.index]
    return pd.DataFrame({"user_id": ids, "group": names}).drop(ids.index[15::30])


def approved_tools(canvas: Connection) -> pd.DataFrame:
    """Return ``host`` of the approved external tools."""
    require_demo(canvas, "APPROVED", "the file with the column host, or to False to judge no tool")
    return pd.DataFrame({"host": ["example.org", "video.example.com"]})


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
    listed = ids.set_axis(["EMPLID", "CLASS_KEY"], axis=1).reset_index(drop=True).astype(TEXT)
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
