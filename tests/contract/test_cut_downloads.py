"""A download that breaks off inside a quoted cell, and continues or starts over, gives the frame of the whole file."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import canvas_reports_nb as crn
from tests.faults import Carry, Exchange, Fault, Planned, Response, choose

REPORT = "last_user_access_csv"
HEADER = b"user id,user sis id,user name,last access at,last ip\n"
ROW = b'%d,00%d,"Ng,\r\n ""%s""",2026-03-02T09:14:07-07:00,192.0.2.1\n'
BODY, OTHER = (HEADER + b"".join(ROW % (n, n, name) for n in range(16_500)) for name in (b"Bea", b"Ann Bea"))
# Before and inside a line break of a cell, between two quotes of one, and just before its end.
INSIDE = [BODY.index(b'"Ng,\r\n', start) + at for start, at in ((9, 1), (700_000, 5), (1_048_000, 8))]


def cut(at: int) -> Carry:
    async def carry(exchange: Exchange, response: Response) -> None:
        await exchange.send_head(response)
        await exchange.send_part(response.body[:at])

    return carry


def older(response: Response) -> Response:
    """Return the file before it was replaced."""
    headers = tuple((name, b'"older"' if name == b"etag" else value) for name, value in response.headers)
    return replace(response, headers=headers).with_body(OTHER)


(EXPIRED,) = (plan.fault for plan in choose("expired@file"))
RESUMED = [Fault(carry=cut(at - before)) for before, at in zip([0, *INSIDE[:-1]], INSIDE, strict=True)]
REPLACED = Fault(change=older, carry=cut(INSIDE[1] + 2))


@pytest.mark.parametrize(
    "broken",
    [
        RESUMED,
        [RESUMED[0], EXPIRED, RESUMED[1], EXPIRED, RESUMED[2]],
        [REPLACED],
        [REPLACED, EXPIRED, *RESUMED],
        [Fault(carry=cut(INSIDE[2])), Fault(change=older, carry=cut(INSIDE[0]))],
    ],
    ids=["resumed", "link renewed", "file replaced", "file and link renewed", "replaced and back"],
)
def test_a_download_cut_inside_a_quoted_cell(
    canvas: Callable[..., Any], tmp_path: Path, broken: list[Fault]
) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "access.csv").write_bytes(BODY)
    connection = canvas(files=folder)
    server = connection.server
    server.faults.planned = [Planned(fault, "file", nth) for nth, fault in enumerate(broken, start=1)]
    found = connection.read_report(REPORT, progress=False)
    pd.testing.assert_frame_equal(found, crn.read_file(BODY, report=REPORT))
    assert server.kinds["file"] >= len(broken) + 1
    stored = connection.read_report(REPORT, offline=True)
    pd.testing.assert_frame_equal(found, stored)
    (run,) = connection.store.runs()
    assert run.path.read_bytes() == BODY
