"""The magics ``%canvas_report`` and ``%canvas_reports``.

::

    %load_ext canvas_reports_nb
    %canvas_report grade_export_csv --enrollment_term_id 12 --into grades
"""

from __future__ import annotations

import keyword
import re
import shlex
from contextlib import suppress
from typing import TYPE_CHECKING, Any, get_args

from IPython.core.completer import SimpleCompletion, context_matcher
from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments

from canvas_reports_nb import opening
from canvas_reports_nb.catalog import schemas
from canvas_reports_nb.exceptions import CanvasReportsError, ConfigurationError
from canvas_reports_nb.typing import Engine

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable, Sequence

    from IPython.core.completer import CompletionContext, SimpleMatcherResult
    from IPython.core.interactiveshell import InteractiveShell

_MATCHER = "canvas_reports_nb"
_PROGRESS = ("auto", "widget", "tqdm", "log", "off")


@magics_class
class CanvasMagics(Magics):
    """The line magics, for the newest open connection."""

    @magic_arguments()
    @argument("report", help="Name of the report; %%canvas_reports lists all.")
    @argument("--into", metavar="NAME", help="Store the frame in this variable instead of showing it.")
    @argument("--table", help="Table to read if the run has several.")
    @argument("--columns", metavar="A,B", help="Read only these columns.")
    @argument("--engine", choices=get_args(Engine), help="Kind of frame; pandas by default.")
    @argument(
        "--max-age",
        "--max_age",
        type=float,
        help="Reuse a run up to this many seconds old; 0 starts a new run.",
    )
    @argument("--run-id", "--run_id", type=int, help="Read this run.")
    @argument("--offline", action="store_true", default=None, help="Use only stored runs, not the network.")
    @argument("--timeout", type=float, help="Give up after this many seconds.")
    @argument("--progress", choices=_PROGRESS, help="How to show progress.")
    @argument("-h", "--help", action="store_true", default=None, help="Show this help.")
    @line_magic
    def canvas_report(self, line: str) -> Any:
        """Read a report through the newest open connection.

        The name of the report comes first. Every other --NAME VALUE is a parameter of the report. A name
        without a value means True; several values make a list.

        If the run fails, is stopped or takes too long, the error is raised and the --into variable holds the job.
        """
        parsed = _parsed(self.canvas_report.parser, line)
        if parsed is None:
            return None
        options, rest = parsed
        report, into = options.pop("report"), options.pop("into", None)
        if "columns" in options:
            options["columns"] = [name.strip() for name in options["columns"].split(",")]
        try:
            frame = opening.read_report(report, parameters=_parameters(rest), **options)
        except CanvasReportsError as error:
            if error.job is not None:
                self._store(error.job, into)
            raise
        return self._store(frame, into)

    @magic_arguments()
    @argument("text", nargs="?", help="List only reports with this text in their name or title.")
    @argument("--into", metavar="NAME", help="Store the list in this variable instead of showing it.")
    @argument("-h", "--help", action="store_true", default=None, help="Show this help.")
    @line_magic
    def canvas_reports(self, line: str) -> Any:
        """List the reports of the newest open connection's account."""
        parsed = _parsed(self.canvas_reports.parser, line)
        if parsed is None:
            return None
        options, rest = parsed
        if rest:
            raise UsageError(f"unrecognized arguments: {' '.join(rest)}")
        offered = opening.newest().reports()
        if "text" in options:
            names = offered["report"] + "\n" + offered["title"]
            offered = offered[names.str.contains(options["text"], case=False, regex=False)]
        return self._store(offered, options.get("into"))

    def _store(self, value: Any, into: str | None) -> Any:
        """Store the value in a variable, or return it to be shown."""
        if into is None or self.shell is None:
            return value
        self.shell.push({into: value})
        return None


# One spelling of each, as in the help.
_OPTIONS = sorted(
    each.args[0] if len(each.args[0]) > 2 else each.args[1]  # noqa: PLR2004 - "-h"
    for each in CanvasMagics.canvas_report.decorators
    if isinstance(each, argument) and each.args[0].startswith("-")
)


def load(shell: InteractiveShell) -> None:
    """Register the magics and their completion."""
    unload(shell)
    shell.register_magics(CanvasMagics)
    shell.Completer.custom_matchers.append(_complete)


def unload(shell: InteractiveShell) -> None:
    """Remove the magics and their completion."""
    for name in ("canvas_report", "canvas_reports"):
        shell.magics_manager.magics["line"].pop(name, None)
    matchers = shell.Completer.custom_matchers
    matchers[:] = [each for each in matchers if getattr(each, "matcher_identifier", "") != _MATCHER]


def _parsed(parser: Any, line: str) -> tuple[dict[str, Any], list[str]] | None:
    """Split a line into options and other words; ``None`` after printing the help."""
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise UsageError(f"{error}: {line}") from None
    if {"-h", "--help"} & set(words):
        print(parser.format_help())  # noqa: T201 - a magic prints its help
        return None
    # A parameter must not be mistaken for an option that begins with the same letters.
    parser.allow_abbrev = False
    known: Namespace
    known, rest = parser.parse_known_args(words)
    options = {name: value for name, value in vars(known).items() if value is not None}
    into = options.get("into", "x")
    if keyword.iskeyword(into) or not into.isidentifier():
        raise UsageError(f"--into {into!r} is not a variable name; use letters, digits and underscores")
    return options, rest


def _parameters(words: Iterable[str]) -> dict[str, Any]:
    """Return ``--name value``, ``--name=value``, ``--name`` and ``--name value value`` as parameters."""
    given: dict[str, list[str]] = {}
    name = None
    for word in words:
        if word.startswith("--"):
            name, equals, value = word.removeprefix("--").partition("=")
            given.setdefault(name, []).extend([value] if equals else [])
        elif name is None:
            raise UsageError(f"unexpected {word!r}; write parameters as --name value")
        else:
            given[name].append(word)
    return {name: values[0] if len(values) == 1 else (values or True) for name, values in given.items()}


_TYPED = re.compile(r"(?:^\s*|%)canvas_report\s+(?P<words>.*)$")


@context_matcher(identifier=_MATCHER)
def _complete(context: CompletionContext) -> SimpleMatcherResult:
    """Complete a word of ``%canvas_report`` without a request to Canvas."""
    typed = _TYPED.search(context.text_until_cursor)
    if typed is None:
        return {"completions": []}
    *before, word = typed["words"].split(" ")
    fitting = [each for each in _candidates([w for w in before if w]) if each.startswith(word)]
    return {
        "completions": [SimpleCompletion(each, type="param") for each in fitting],
        "matched_fragment": word,
        "suppress": bool(fitting),
        "ordered": True,
    }


def _candidates(before: Sequence[str]) -> list[str]:
    """Return what may come next: a report, a value of the last option, or another option."""
    offered: dict[str, tuple[str, ...]] = {}
    with suppress(ConfigurationError):
        offered = opening.newest().offered
    if not before:
        return sorted({*schemas.reports(), *offered})
    report, last = before[0], before[-1].removeprefix("--")
    known = schemas.schema(report)
    declared = known.parameters if known else {}
    values = {
        "engine": get_args(Engine),
        "progress": _PROGRESS,
        "table": tuple(known.tables) if known else (),
    }
    if before[-1].startswith("--"):
        found = declared[last].choices if last in declared else values.get(last)
        if found:
            return list(found)
    names = [f"--{name}" for name in dict.fromkeys((*declared, *offered.get(report, ())))]
    return [each for each in (*names, *_OPTIONS) if each not in before]
