"""``%canvas_report`` and ``%canvas_reports``: what the functions do, typed as a command line.

::

    %load_ext canvas_reports_nb
    %canvas_report grade_export_csv --enrollment_term_id 12 --into grades
"""

from __future__ import annotations

import keyword
import re
import shlex
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
    """The line magics; each calls one function on the newest open connection."""

    @magic_arguments()
    @argument("report", help="Name of the report; %%canvas_reports lists them.")
    @argument("--into", metavar="NAME", help="Variable for the frame, which is then not shown.")
    @argument("--table", help="Which table, where the run holds several.")
    @argument("--columns", metavar="A,B", help="Only these columns.")
    @argument("--engine", choices=get_args(Engine), help="Kind of frame; pandas by default.")
    @argument(
        "--max-age", "--max_age", type=float, help="Use a finished run no older (seconds); 0 starts one."
    )
    @argument("--run-id", "--run_id", type=int, help="Exactly this run.")
    @argument("--offline", action="store_true", default=None, help="The store only, never the network.")
    @argument("--timeout", type=float, help="Total budget in seconds.")
    @argument("--progress", choices=_PROGRESS, help="How progress is shown.")
    @argument("-h", "--help", action="store_true", default=None, help="Show this text.")
    @line_magic
    def canvas_report(self, line: str) -> Any:
        """Read a report through the newest open connection.

        Every other --NAME VALUE is a parameter of the report. One without a value is switched on, one with
        several gets a list. The report's name comes first.

        If the run fails, is stopped or outlasts the timeout, the variable named by --into holds the job in place
        of a frame of earlier, and the error is raised.
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
                self._placed(error.job, into)
            raise
        return self._placed(frame, into)

    @magic_arguments()
    @argument("text", nargs="?", help="Part of a name or title; all reports are listed without it.")
    @argument("--into", metavar="NAME", help="Variable for the list, which is then not shown.")
    @argument("-h", "--help", action="store_true", default=None, help="Show this text.")
    @line_magic
    def canvas_reports(self, line: str) -> Any:
        """List the reports on offer through the newest open connection."""
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
        return self._placed(offered, options.get("into"))

    def _placed(self, value: Any, into: str | None) -> Any:
        """The value to show: none where a variable takes it."""
        if into is None or self.shell is None:
            return value
        self.shell.push({into: value})
        return None


# Each as it is shown in the help, once.
_OPTIONS = sorted(
    each.args[0] if len(each.args[0]) > 2 else each.args[1]  # noqa: PLR2004 - "-h"
    for each in CanvasMagics.canvas_report.decorators
    if isinstance(each, argument) and each.args[0].startswith("-")
)


def load(shell: InteractiveShell) -> None:
    """Register the magics and the completion of their words."""
    unload(shell)
    shell.register_magics(CanvasMagics)
    shell.Completer.custom_matchers.append(_complete)


def unload(shell: InteractiveShell) -> None:
    """Take both away."""
    for name in ("canvas_report", "canvas_reports"):
        shell.magics_manager.magics["line"].pop(name, None)
    matchers = shell.Completer.custom_matchers
    matchers[:] = [each for each in matchers if getattr(each, "matcher_identifier", "") != _MATCHER]


def _parsed(parser: Any, line: str) -> tuple[dict[str, Any], list[str]] | None:
    """The options that were given, and the words that are none; nothing where help was wanted."""
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise UsageError(f"{error}: {line}") from None
    if {"-h", "--help"} & set(words):
        print(parser.format_help())  # noqa: T201 - the answer of a magic stands where the cell prints
        return None
    # A report's parameter must not pass for an option that begins with the same letters.
    parser.allow_abbrev = False
    known: Namespace
    known, rest = parser.parse_known_args(words)
    options = {name: value for name, value in vars(known).items() if value is not None}
    into = options.get("into", "x")
    if keyword.iskeyword(into) or not into.isidentifier():
        raise UsageError(f"--into {options['into']}: that is no name of a variable")
    return options, rest


def _parameters(words: Iterable[str]) -> dict[str, Any]:
    """``--name value``, ``--name=value``, ``--name``, ``--name value value`` as parameters."""
    given: dict[str, list[str]] = {}
    name = None
    for word in words:
        if word.startswith("--"):
            name, equals, value = word.removeprefix("--").partition("=")
            given.setdefault(name, []).extend([value] if equals else [])
        elif name is None:
            raise UsageError(f"{word}: write --name value")
        else:
            given[name].append(word)
    return {name: values[0] if len(values) == 1 else (values or True) for name, values in given.items()}


_TYPED = re.compile(r"(?:^\s*|%)canvas_report\s+(?P<words>.*)$")


@context_matcher(identifier=_MATCHER)
def _complete(context: CompletionContext) -> SimpleMatcherResult:
    """Complete a word of ``%canvas_report`` from what is known here; Canvas is not asked."""
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
    """What may come next: a report, a value of the last option, or another option."""
    offered = _offered()
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


def _offered() -> dict[str, tuple[str, ...]]:
    try:
        return opening.newest().offered
    except ConfigurationError:
        return {}
