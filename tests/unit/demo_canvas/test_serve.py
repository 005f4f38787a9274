"""The demo Canvas checks its arguments before it listens, and can be stopped from anywhere."""

import contextlib
import sys
import threading

import pytest
import requests

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


def test_its_own_thread_may_stop_it(monkeypatch):
    # Garbage collection runs in any thread, so it may find there that nobody uses the demo any more.
    failed = []
    monkeypatch.setattr(threading, "excepthook", failed.append)

    def stopping(app):
        async def call(scope, receive, send):
            try:
                server.close()
            except RuntimeError as error:
                failed.append(error)
            await app(scope, receive, send)

        return call

    before = set(threading.enumerate())
    server = demo_canvas.serve(enrollments=100, middleware=stopping)
    (thread,) = [each for each in set(threading.enumerate()) - before if each.name == "demo-canvas-server"]
    with contextlib.suppress(requests.ConnectionError):
        requests.get(server.url, timeout=60)
    thread.join(600)
    assert not thread.is_alive()
    assert failed == []
