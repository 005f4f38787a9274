"""Lists that a school has and Canvas doesn't, invented for the demo Canvas from its own tables.

Each function raises an error on any other Canvas, so that no invented row is mixed with real people.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from canvas_reports_nb.office import require_demo

if TYPE_CHECKING:
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
