"""One university for all notebooks."""

from collections.abc import Iterator

import pytest

from canvas_reports_nb import demo_canvas
from canvas_reports_nb.demo_canvas.server import Server


@pytest.fixture(scope="module")
def school() -> Iterator[Server]:
    """Serve the university of the saved outputs, with the runs of past Sundays; a run takes no time."""
    with demo_canvas.serve(duration=0, snapshots=7) as server:
        yield server
