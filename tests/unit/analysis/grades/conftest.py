"""The grade export of a larger demo."""

from collections.abc import Callable

import pyarrow as pa
import pytest


@pytest.fixture(scope="session")
def demo(larger: Callable[..., dict[str, pa.Table]]) -> dict[str, pa.Table]:
    """Grade export, courses and terms of a demo with 20,000 enrollments."""
    export = larger("grade_export_csv", include_deleted=True)["grade_export_csv"]
    tables = larger("provisioning_csv", courses=True, terms=True, include_deleted=True)
    return {"export": export, "courses": tables["courses"], "terms": tables["terms"]}
