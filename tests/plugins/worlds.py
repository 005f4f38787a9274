"""Each university of a demo Canvas is built once per process, not for every test: equal arguments give equal ones."""

import functools
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def build_each_world_once() -> Iterator[None]:
    from canvas_reports_nb.demo_canvas import canvas  # noqa: PLC0415 - after the machine's settings are removed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(canvas, "build_world", functools.lru_cache(maxsize=8)(canvas.build_world))
        yield
