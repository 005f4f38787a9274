"""Errors before the demo Canvas listens."""

import sys

import pytest

from canvas_reports_nb import demo_canvas


@pytest.mark.parametrize("package", ["starlette", "uvicorn"])
def test_a_missing_package_is_named_with_the_line_that_installs_it(monkeypatch, package):
    for name in [n for n in sys.modules if n.startswith("canvas_reports_nb.demo_canvas.")]:
        if not name.startswith(
            ("canvas_reports_nb.demo_canvas.world", "canvas_reports_nb.demo_canvas.reports")
        ):
            monkeypatch.delitem(sys.modules, name)
    for name in [n for n in sys.modules if n.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(demo_canvas.DemoUnavailableError) as caught:
        demo_canvas.serve()
    assert 'python -m pip install "canvas-reports-nb[demo]"' in str(caught.value).splitlines()


def test_arguments_are_checked_before_anything_is_opened():
    with pytest.raises(ValueError, match="width=0"):
        demo_canvas.serve(width=0)
    with pytest.raises(ValueError, match=r"Unknown scenario \?.* throttle_429"):
        demo_canvas.serve(scenarios=["?"])
