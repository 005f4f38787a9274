"""Put a class under ``.canvas`` of a frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from canvas_reports_nb.exceptions import ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["canvas_of", "reading"]

_Accessor = TypeVar("_Accessor", bound=type)


def canvas_of(
    frame: type, register: Callable[[str], Callable[[Any], Any]]
) -> Callable[[_Accessor], _Accessor]:
    """Register a class as ``canvas`` of a kind of frame.

    pandas and polars warn where the name is taken. That is right for somebody else's accessor, and noise
    for our own, imported anew.
    """

    def registered(accessor: _Accessor) -> _Accessor:
        standing = getattr(frame, "canvas", None)
        if getattr(standing, "__module__", None) == accessor.__module__:
            delattr(frame, "canvas")
        register("canvas")(accessor)
        return accessor

    return registered


def reading(engine: str, keywords: dict[str, Any]) -> dict[str, Any]:
    """The keywords of a reader that gives one kind of frame; another engine is refused."""
    if keywords.get("engine", engine) != engine:
        raise ParameterError(
            f"Here a report becomes a {engine} frame, not one of {keywords['engine']!r}.",
            hint="canvas.read_report(..., engine=...) gives any.",
        )
    return {**keywords, "engine": engine}
