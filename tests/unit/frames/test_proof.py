"""Numbers that Arrow parsed directly are the same as those typed from their text, or the text decides."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canvas_reports_nb import frames
from canvas_reports_nb.catalog.schemas import schema
from canvas_reports_nb.exceptions import DamagedFileError
from canvas_reports_nb.frames import proof, reading
from canvas_reports_nb.frames.contents import csv_members
from canvas_reports_nb.frames.dialect import Dialect
from canvas_reports_nb.frames.identity import identify
from canvas_reports_nb.frames.proof import Proof
from canvas_reports_nb.frames.provenance import Provenance

HEADER = "canvas_enrollment_id,canvas_user_id,user_id,role,created_by_sis,limit_section_privileges\n"
GOOD = [
    "0",
    "7",
    "481",
    "12345678901234567",
    "9223372036854775807",
    "-9223372036854775808",
    "-12",
    "",
    '"42"',
    "9",
    "10",
]
ODD = [
    "007",
    "-0",
    " 5",
    "5 ",
    "\t5",
    "00",
    "0x1F",
    "0XFFFFFFFF",
    "0x7FFFFFFFFFFFFFFF",
    "-01",
    '"07"',
    '""',
    "+5",
    "1.0",
    "x",
]
TEXTS = [
    "000481",
    "",
    '""',
    '"a,b"',
    '"line\r\nbreak"',
    '"say ""hi"""',
    "0x",
    "x0x",
    "é",
    'in"side',
    "\u00a0",
    "07",
]
WORDS = ["true", "false", "True", "FALSE", "", '"true"', "1", "TRUE", " true"]
ROLES = ["student", "teacher", '"Aide ""2"""', '"two\nlines"', "Élève", ""]


def read(data: bytes) -> tuple[dict[str, list[object]], list[str], bool]:
    """Return the columns, their types, and whether the numbers were parsed directly."""
    (member,) = csv_members(data, "enrollments.csv")
    proven = []
    holds = Proof.holds

    def noted(self: Proof) -> bool:
        proven.append(holds(self))
        return proven[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Proof, "holds", noted)
        try:
            table, _ = frames.read_arrow(member, identify(member, "provisioning_csv", table="enrollments"))
        except DamagedFileError as error:
            return {}, [str(error)], False
    return table.to_pydict(), [str(field.type) for field in table.schema], any(proven)


def read_as_text(data: bytes) -> tuple[dict[str, list[object]], list[str]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "_is_direct", lambda _: False)
        return read(data)[:2]


cells = st.tuples(
    st.sampled_from(GOOD), st.one_of(st.sampled_from(GOOD), st.sampled_from([*GOOD, *ODD])), st.sampled_from(TEXTS),
    st.sampled_from(ROLES), st.sampled_from(WORDS), st.sampled_from(WORDS[:5]),
)  # fmt: skip


@pytest.mark.filterwarnings("ignore::canvas_reports_nb.ReportWarning")
@settings(max_examples=60, deadline=None)
@given(st.lists(cells, min_size=1, max_size=6), st.sampled_from(["\n", "\r\n", "\r", "\n\n"]), st.booleans())
def test_direct_numbers_are_those_of_the_text(rows: list[tuple[str, ...]], end: str, cut: bool) -> None:
    text = HEADER + "".join(",".join(row) + end for row in rows)
    data = (text.removesuffix(end) if cut else text).encode()
    found = read(data)
    assert found[:2] == read_as_text(data)
    numbers = [cell.strip('"') for row in rows for cell in row[:2]]
    if found[2] and found[1][1] == "int64":
        assert all(number == "" or str(int(number)) == number for number in numbers)


def table_of(ids: list[str], texts: list[str] | None = None) -> bytes:
    texts = texts or ["a"] * len(ids)
    rows = [
        f"{at},{cell},{text},student,true,\n" for at, (cell, text) in enumerate(zip(ids, texts, strict=True))
    ]
    return (HEADER + "".join(rows)).encode()


@pytest.mark.parametrize(
    ("data", "is_direct"),
    [
        (table_of(["1", "22", "12345678901234567", "", '"5"']), True),
        (table_of(["-7", "0", "-9223372036854775808"]), True),
        (table_of(["1"], ['"Ng, ""Bea""\r\nof x"']), True),
        (table_of(["1"] * 40_000), True),
        (table_of(["1"] * 40_000).replace(b"\n", b"\r\n"), True),
        (table_of(["1", "2"]).replace(b"\n", b"\n\n"), True),
        (table_of(["1"], ["x0X1"]), False),
        (table_of(["1", "07"]), False),
        (table_of([*["1"] * 40_000, "07"]), False),
        # Printed, the first number has a byte more than its cell, and the second one less.
        (table_of(["0x7FFFFFFFFFFFFFFF", "07"]), False),
        (table_of([" 5"]), False),
        (HEADER.encode(), False),
    ],
    ids=range(12),
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::canvas_reports_nb.ReportWarning")
def test_what_is_proven(data: bytes, is_direct: bool) -> None:
    found = read(data)
    assert found[2] == is_direct
    assert found[:2] == read_as_text(data)


@pytest.mark.parametrize("shift", [-1, 0, 1, 2])
def test_a_hexadecimal_number_across_two_blocks_is_noticed(shift: int) -> None:
    block = 1 << 20
    start = len(HEADER) + len("0,")
    text = "y" * 1000
    row = f"0,1,{text},student,true,\n"
    count = (block - start) // len(row) - 1
    gap = block - len(HEADER) - count * len(row) - len("0,1,,student,true,\n") - len("0,0") - shift
    data = (
        HEADER + row * count + f"0,1,{'y' * gap},student,true,\n" + "0,0xFFFFFFFF,a,student,true,\n" + row * 5
    )
    assert data[block - 1 - shift] == "0"
    assert data[block - shift] == "x"
    with pytest.warns(match="0xFFFFFFFF"):
        found = read(data.encode())
    assert not found[2]
    assert found[0]["canvas_user_id"][count + 1] == "0xFFFFFFFF"


@pytest.mark.parametrize(
    ("blocks", "is_hopeless"),
    [
        ([b"x,a\n", b"1,2\n"], False),
        ([b"x,0x1"], True),
        ([b"X,aX,0X1"], True),
        ([b"a,0", b"x1"], True),
        ([b"a,1", b"x1,x0"], False),
    ],
)
def test_a_hexadecimal_number_is_noticed_wherever_it_is(blocks: list[bytes], is_hopeless: bool) -> None:
    counted = Proof(Dialect("utf-8", header=("a", "b")))
    for block in blocks:
        counted.read(block)
    assert counted.is_hopeless == is_hopeless


def test_only_numbers_and_booleans_without_words_are_parsed_directly() -> None:
    report = schema("last_user_access_csv")
    assert report is not None
    (table,) = report.tables.values()
    assert {column.name for column in table.columns if reading._is_direct(column)} == {"user id"}
    assert not reading._is_direct(None)


def test_digits() -> None:
    for numbers in ([0], [9, 10], [99, 100, 2**63 - 1], [-1, 0, 10], [-(2**63)], []):
        assert proof._digits(np.array(numbers, "int64")) == sum(len(str(n)) for n in numbers)


def test_a_run_is_read_the_same_way(tmp_path: Path) -> None:
    path = tmp_path / "raw.csv"
    path.write_bytes(table_of(["1", "22"]))
    made = frames.derive(
        path, tmp_path, Provenance(report="provisioning_csv", source="raw.csv"), {"enrollments": True}
    )
    frame = frames.load(tmp_path / made.tables["enrollments"]["file"], Provenance(), "arrow")
    assert frame["canvas_user_id"].to_pylist() == [1, 22]
