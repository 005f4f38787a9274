"""What a result counts, in one sentence that goes with it: ``attrs["definition"]``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ParamSpec, TypeAlias, TypeVar, cast

import pyarrow as pa

from canvas_reports_nb.exceptions import NoProvenanceError
from canvas_reports_nb.frames.exchange import FrameResult, meta_of

#: A sentence that may name arguments in braces, or a function that writes it from them.
Sentence: TypeAlias = str | Callable[[Mapping[str, Any]], str]

_P = ParamSpec("_P")
_R = TypeVar("_R")
_KEY = "definition"


def defined(sentence: Sentence) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """Let the result of an analysis carry its definition, written from the arguments of the call."""

    def wrap(analysis: Callable[_P, _R]) -> Callable[_P, _R]:
        signature = inspect.signature(analysis)

        @wraps(analysis)
        def wrapped(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            result = analysis(*args, **kwargs)
            return with_definition(result, _write(sentence, signature.bind(*args, **kwargs)))

        wrapped.sentence, wrapped.signature = sentence, signature  # type: ignore[attr-defined]
        return wrapped

    return wrap


def _write(sentence: Sentence, call: inspect.BoundArguments) -> str:
    call.apply_defaults()
    if callable(sentence):
        return sentence(call.arguments)
    words = {
        name: ", ".join(map(str, value)) if isinstance(value, tuple | list | set | frozenset) else value
        for name, value in call.arguments.items()
    }
    return sentence.format(**words)


def with_definition(frame: _R, sentence: str) -> _R:
    """Attach a sentence to a pandas, Dask or Arrow frame; other kinds can't carry one."""
    if isinstance(frame, FrameResult):
        frame.frame = with_definition(frame.frame, sentence)
        return frame
    if isinstance(frame, pa.Table):
        metadata = {**(frame.schema.metadata or {}), _KEY.encode(): sentence.encode()}
        return cast("_R", frame.replace_schema_metadata(metadata))
    attrs = getattr(meta_of(frame), "attrs", None)
    if isinstance(attrs, dict):
        attrs[_KEY] = sentence
    return frame


def definition(of: Any) -> str:
    """Return what a result counts, or what an analysis counts, in one sentence.

    Parameters
    ----------
    of : DataFrame or function
        A pandas, Dask or Arrow frame that an analysis returned; a pandas or Dask frame also has the sentence in
        ``attrs["definition"]``. For other kinds, which can't carry it, an analysis such as ``crn.grades.rates``:
        the sentence for its default options.

    Raises
    ------
    NoProvenanceError
        The frame carries no definition.

    Examples
    --------
    >>> crn.definition(crn.grades.rates(crn.grades.letters(grades))).startswith("Rates by course: dfw = ")
    True
    """
    if hasattr(of, "sentence") and hasattr(of, "signature"):
        # What has no default is named.
        required = {name: name for name, one in of.signature.parameters.items() if one.default is one.empty}
        return _write(of.sentence, of.signature.bind(**required))
    if isinstance(of, pa.Table):
        found = (of.schema.metadata or {}).get(_KEY.encode(), b"").decode()
    else:
        found = getattr(meta_of(of), "attrs", {}).get(_KEY)
    if not found:
        raise NoProvenanceError(
            f"This {type(of).__name__} carries no definition.",
            hint="Pass a pandas, Dask or Arrow frame that an analysis returned, or the analysis itself: "
            "crn.definition(crn.grades.rates).",
        )
    return str(found)
