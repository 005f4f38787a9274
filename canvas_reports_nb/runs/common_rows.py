"""The rows that several runs have in common, as one frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from canvas_reports_nb import frames
from canvas_reports_nb.frames.provenance import ATTRS_KEY, Provenance

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from canvas_reports_nb.store.stored_run import ReportResult
    from canvas_reports_nb.typing import Engine

_TURN = "_turn"


def load_common_rows(
    found: Sequence[ReportResult | None], table: str | None, columns: Sequence[str] | None, engine: Engine
) -> Any:
    """Return the rows that are in every run, in the order of the first one; equal rows count one by one."""
    results = [each for each in found if each is not None]
    tables = [result.to_arrow(table) for result in results]
    compared = [_numbered(each) for each in tables]
    common = compared[0].with_row_index("_row")
    for other in compared[1:]:
        common = common.join(other, on=other.columns, how="semi", nulls_equal=True, maintain_order="left")
    wanted = frames.pick(tables[0].column_names, columns)
    rows = tables[0].take(common["_row"].to_arrow())
    each = [result.provenance for result in results]
    whole = Provenance(
        host=each[0]["host"],
        account=each[0]["account"],
        report=each[0]["report"],
        table=each[0]["table"],
        rows=rows.num_rows,
        notes={name: note for made in each for name, note in made["notes"].items()},
    )
    frame = frames.convert(rows if wanted is None else rows.select(wanted), whole, engine)
    if engine == "pandas":
        frame.attrs[ATTRS_KEY] = {**whole.to_dict(), "runs": each}
    return frame


def _numbered(table: pa.Table) -> pl.DataFrame:
    """Return the cells as text, and which of several equal rows each row is."""
    cells = pl.DataFrame(pl.from_arrow(table)).select(pl.all().cast(pl.String))
    return cells.with_columns(pl.int_range(pl.len()).over(cells.columns).alias(_TURN))
