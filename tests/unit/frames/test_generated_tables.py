"""A sample of the generated tables; ``tests/benchmarks/tables.py`` reads ten thousand."""

from pathlib import Path

import pytest

from tests.unit.frames import generated_tables
from tests.unit.frames.generated_tables import BLOCK, check, generate


@pytest.mark.parametrize(
    ("seeds", "large_share"), [(range(15), 0.0), (range(5), 1.0)], ids=["small", "large"]
)
def test_no_cell_is_damaged_in_any_engine(tmp_path: Path, seeds: range, large_share: float) -> None:
    said: list[str] = []
    counts = check(seeds, tmp_path, large_share=large_share, show=said.append)
    assert not said
    assert counts["damaged"] == counts["disagreements"] == counts["errors"] == 0
    assert counts["tables"] == len(seeds)
    assert counts["cells"] > 1000
    assert bool(counts["large"]) == bool(large_share)


def test_the_odd_cells_of_a_large_table_are_at_the_end_of_a_block() -> None:
    borders = set()
    for seed in range(12):
        made = generate(seed, large=True)
        if made.is_large:
            data = made.data.removeprefix(b"\xef\xbb\xbf")
            assert len(data) >= BLOCK
            assert data[BLOCK - 4000 : BLOCK].strip(b"x")
            borders.add(data[BLOCK - 1 : BLOCK])
    assert b"\r" in borders


def test_a_damaged_cell_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values_of = generated_tables.values_of

    def damaged(frame: object) -> dict[str, list[object]]:
        found = values_of(frame)
        return {name: ["x", *cells[1:]] if cells else cells for name, cells in found.items()}

    monkeypatch.setattr(generated_tables, "values_of", damaged)
    assert check(range(2), tmp_path, large_share=0.0, show=lambda _: None)["damaged"] > 0
