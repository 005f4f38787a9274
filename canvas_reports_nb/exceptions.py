"""The errors this package raises, grouped by what you do next.

::

    CanvasReportsError
    ├── ConfigurationError            set something up, then call again
    │   ├── CredentialsError          no Canvas address or no token was found
    │   └── MissingDependencyError    an optional package is not installed
    ├── ParameterError                the call is wrong; nothing was started
    │   ├── UnknownParameterError     the report has no such parameter (Canvas would ignore it)
    │   ├── InvalidChoiceError        the parameter does not take this value
    │   └── InvalidTermError          Canvas has no such term
    ├── AuthenticationError           the token is missing, wrong, expired, revoked or too narrow
    ├── NotPermittedError             the token works, but its owner lacks the permission
    ├── NotFoundError                 this Canvas has no such thing
    │   ├── UnknownAccountError
    │   ├── UnknownReportError
    │   └── UnknownRunError           the run is unknown, deleted, or of another report or account
    ├── ServerError                   Canvas or the network has a problem: try again later
    │   ├── ThrottledError            too many requests: slow down
    │   ├── UserAgentRefusedError     the request arrived without a User-Agent
    │   ├── NotReachedError           no response: network, DNS, TLS or timeout
    │   └── UnexpectedAnswerError     a response that does not follow the API
    ├── RunError                      the run ended without a file, or has not ended yet
    │   ├── DuplicateRunError         an equal run is in progress: ``error.run``
    │   ├── RunFailedError
    │   ├── RunAbortedError
    │   ├── RunDeletedError
    │   └── WaitTimeoutError          the wait timed out; the run continues: ``error.job``
    ├── NotStartedError               the call timed out before a run was started
    ├── ReportsFailedError            some of many requests failed: ``error.reports`` has the others
    ├── FileError                     the problem is in the file, not in the call
    │   ├── MissingFileError          there is no such file; also a FileNotFoundError
    │   ├── NotAReportError           not a CSV or zip of a report
    │   │   └── NoGradingPeriodsError a message: the term has no grading periods
    │   ├── DamagedFileError          truncated, or not the announced file
    │   └── UnsafeArchiveError        a zip with outside paths or links, or one that unpacks to too much
    ├── TableError                    the call does not identify one table of the run
    │   ├── TableRequiredError        the run has several tables: pass ``table=``
    │   └── UnknownTableError
    ├── NoProvenanceError             the frame has no record of its source
    ├── UnknownColumnError            ``columns=`` names a column the table does not have
    ├── PersonalDataError             the frame still contains personal data
    └── StoreError                    the store on this disk can't serve the call
        ├── NotStoredError            the run is not on this disk
        └── StoreLockedError          another process is still writing the run
"""

from __future__ import annotations

import inspect
import re
import sysconfig
import traceback
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = [
    "AuthenticationError", "CanvasReportsError", "ConfigurationError", "CredentialsError",
    "DamagedFileError", "DuplicateRunError", "FileError", "InvalidChoiceError", "InvalidTermError",
    "MissingDependencyError", "MissingFileError", "NoGradingPeriodsError", "NoProvenanceError", "NotAReportError", "NotFoundError",
    "NotPermittedError", "NotReachedError", "NotStartedError", "NotStoredError", "ParameterError",
    "PersonalDataError", "ReportWarning", "ReportsFailedError", "RunAbortedError",
    "RunDeletedError", "RunError", "RunFailedError", "ServerError", "StoreError",
    "StoreLockedError", "TableError", "TableRequiredError", "ThrottledError",
    "UnexpectedAnswerError", "UnknownAccountError", "UnknownColumnError", "UnknownParameterError",
    "UnknownReportError", "UnknownRunError", "UnknownTableError", "UnsafeArchiveError",
    "UserAgentRefusedError", "WaitTimeoutError",
]  # fmt: skip


# Control characters steer a terminal, and marks of direction show a text in another order.
_UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """Return a text for a terminal or a log: a server or a file may have put control characters into it."""
    return text if text.isprintable() else _UNSAFE.sub("\ufffd", text)


class ReportWarning(UserWarning):
    """The frame is complete, but some of its values or columns are not what the catalog expects."""


def warn(text: str) -> None:
    """Give a `ReportWarning` that points at the user's line."""
    depth, frame = 1, inspect.currentframe()
    while frame is not None and not _is_users(frame.f_code.co_filename):
        depth, frame = depth + 1, frame.f_back
    warnings.warn(printable(text), ReportWarning, stacklevel=2 if frame is None else depth)


class CanvasReportsError(Exception):
    """The base of all errors: what happened, where, and what to do next.

    Parameters
    ----------
    message : str
        What happened, in one sentence.
    hint : str, optional
        What to do next. The default is the advice of the class.
    account, report : str, optional
        Where it happened, as the caller spelled it.
    run_id : int, optional
        The run it happened to.
    url : str, optional
        The requested address. Its query string, which may contain a key, is dropped.

    Attributes
    ----------
    job : ReportJob or None
        The handle on the run, if the error ended a wait.
    """

    _default_hint: ClassVar[str | None] = None
    job: object = None

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        account: str | None = None,
        report: str | None = None,
        run_id: int | None = None,
        url: str | None = None,
    ) -> None:
        self.message = printable(message).replace("\n", " ")  # a line of a log is one event
        super().__init__(self.message)
        self.hint = printable(hint) if hint else self._default_hint
        self.account = account
        self.report = report
        self.run_id = run_id
        self.url = url.partition("?")[0] if url else None

    def __reduce__(self) -> tuple[Callable[..., CanvasReportsError], tuple[Any, ...]]:
        # Python would call the class with the message alone; most of these classes need more.
        # A job can't be pickled: it holds open connections.
        state = {name: value for name, value in vars(self).items() if name != "job"}
        return _rebuild, (type(self), self.message, state)

    def __str__(self) -> str:
        where = [
            f"{label} {value}"
            for label, value in (("account", self.account), ("report", self.report), ("run", self.run_id))
            if value is not None
        ]
        text = self.message + (printable(f" [{', '.join(where)}]") if where else "")
        return f"{text}\n{self.hint}" if self.hint else text

    def _render_traceback_(self) -> list[str]:
        """Return what IPython shows instead of a traceback: the user's own lines, the message and the hint."""
        # From this frame on: how many frames `walk_stack(None)` leaves out depends on the version of Python.
        frames = [frame for frame, _ in traceback.walk_stack(inspect.currentframe())]
        stack = [(frame.f_code.co_name, frame.f_code.co_filename) for frame in frames]
        if any(name == "tb" and "IPython" in Path(file).parts for name, file in stack):
            return ["".join(traceback.format_exception(self))]  # the magic %tb asks for everything
        own = [frame for frame in traceback.extract_tb(self.__traceback__) if _is_users(frame.filename)]
        lines = [f"{_place(frame)}:\n    {frame.line}\n" for frame in own]
        notes = getattr(self, "__notes__", [])
        # One text: IPython joins several without a line break in some of its modes.
        return [
            "\n".join([*lines, f"{type(self).__name__}: {self}", *notes, "\nFor the full traceback: %tb"])
        ]

    def located(self, *, account: str | None, report: str | None, run_id: int | None) -> None:
        """Add where it happened, unless that is known already."""
        self.account = self.account or account
        self.report = self.report or report
        self.run_id = self.run_id if self.run_id is not None else run_id


def _is_users(file: str) -> bool:
    """Whether a frame's file is the user's: a notebook cell, or code outside this and other packages."""
    path, packages = Path(file), {"site-packages", "dist-packages"}
    libraries = (Path(__file__).parent, Path(sysconfig.get_path("stdlib")))
    return not (
        file.startswith("<frozen") or packages & {*path.parts} or any(map(path.is_relative_to, libraries))
    )


def _place(frame: traceback.FrameSummary) -> str:
    name = Path(frame.filename).name if Path(frame.filename).is_file() else "Cell"
    return f"{name}, line {frame.lineno}" + ("" if frame.name == "<module>" else f", in {frame.name}")


def _rebuild(kind: type[CanvasReportsError], message: str, state: Mapping[str, object]) -> CanvasReportsError:
    """Rebuild an error from a pickle or for a copy."""
    error = kind.__new__(kind)
    CanvasReportsError.__init__(error, message)
    vars(error).update(state)
    return error


class ConfigurationError(CanvasReportsError):
    """A setting is missing or wrong."""


class CredentialsError(ConfigurationError):
    """No Canvas address or no usable token was found."""


class MissingDependencyError(ConfigurationError, ImportError):
    """An optional package is not installed."""

    def __init__(self, package: str, extra: str, purpose: str, also: str = "") -> None:
        super().__init__(
            f"{purpose} needs {package}, which is not installed.",
            hint=f'Install it with: python -m pip install "canvas-reports-nb[{extra}]" {also}'.rstrip(),
        )


class ParameterError(CanvasReportsError, ValueError):
    """A wrong parameter; nothing was started. ``error.parameter`` names it if it is one of the report's."""

    parameter: str | None = None


class UnknownParameterError(ParameterError):
    """A parameter the report does not have. Canvas would ignore it and export everything."""


class InvalidChoiceError(ParameterError):
    """A value the parameter does not take."""


class InvalidTermError(ParameterError):
    """A term this Canvas does not have."""


class AuthenticationError(CanvasReportsError):
    """A token that is missing, wrong, expired, revoked or too narrow."""


class NotPermittedError(CanvasReportsError, PermissionError):
    """A permission the token's owner does not have on this account."""


class NotFoundError(CanvasReportsError, LookupError):
    """Something this Canvas does not have."""

    _default_hint = "Check the account and the report. canvas.reports() lists the available reports."


class UnknownAccountError(NotFoundError):
    """An account that does not exist or that this token can't see."""

    _default_hint = 'Use "self", a Canvas id, or "sis_account_id:X".'


class UnknownReportError(NotFoundError):
    """A report the account does not offer."""


class UnknownRunError(NotFoundError):
    """A run that is unknown, deleted, or of another report or account."""

    _default_hint = "Choose one of the runs that canvas.history(report) lists."


class ServerError(CanvasReportsError):
    """A problem in Canvas or in the network on the way to it."""


class ThrottledError(ServerError):
    """Too many requests: Canvas responded "Rate Limit Exceeded"."""


class UserAgentRefusedError(ServerError):
    """A request rejected before Canvas checked permissions, as for a missing User-Agent."""


class NotReachedError(ServerError, ConnectionError):
    """No response arrived."""


class UnexpectedAnswerError(ServerError):
    """A response that does not follow the API."""

    _default_hint = "Check that the address is that of your Canvas. If it is, try again in a few minutes."


class RunError(CanvasReportsError):
    """A run that ended without a file or has not ended yet.

    Attributes
    ----------
    run : ReportRun
    """

    def __init__(
        self, message: str, run: Any, *, hint: str | None = None, account: str | None = None
    ) -> None:
        super().__init__(message, hint=hint, account=account, report=run.report, run_id=run.id)
        self.run = run


class DuplicateRunError(RunError):
    """An equal run that is already in progress: ``error.run``."""

    _default_hint = "Attach to that run: canvas.attach(report, run_id)."


class RunFailedError(RunError):
    """A run that ended with an error."""


class RunAbortedError(RunError):
    """A run that was stopped."""


class RunDeletedError(RunError):
    """A run that was deleted."""


class WaitTimeoutError(RunError, TimeoutError):
    """A wait that timed out. The run continues in Canvas: ``error.job``."""


class NotStartedError(CanvasReportsError, TimeoutError):
    """A call that timed out before a run was started."""


class ReportsFailedError(CanvasReportsError, ExceptionGroup[CanvasReportsError]):
    """Some of many requests failed: a group with one error per failed request.

    Attributes
    ----------
    reports : ReportsResult
        The other requests. ``error.reports.to_pandas()`` stacks the finished ones; ``.status`` lists all.
    """

    reports: Any
    message = ""  # writable, unlike that of ExceptionGroup

    def __new__(
        cls,
        message: str,
        errors: Sequence[CanvasReportsError],
        *,
        reports: Any = None,  # noqa: ARG004 - for `__init__`
        hint: str | None = None,  # noqa: ARG004 - likewise
    ) -> Self:
        """Call `BaseExceptionGroup.__new__`, which takes no keywords."""
        return super().__new__(cls, message, errors)

    def __init__(
        self,
        message: str,
        errors: Sequence[CanvasReportsError],  # noqa: ARG002 - for `__new__`
        *,
        reports: Any = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.reports = reports

    def __reduce__(self) -> tuple[Any, ...]:
        # The reports can't be pickled: they hold open connections.
        return type(self), (self.message, self.exceptions), {**vars(self), "reports": None}

    def derive(self, excs: Sequence[Any], /) -> Any:
        """Return a part of the group, for ``except*`` and ``split``."""
        return type(self)(self.message, excs, reports=self.reports, hint=self.hint)


class FileError(CanvasReportsError):
    """A problem in a file."""


class MissingFileError(FileError, FileNotFoundError):
    """There is no file with this path."""

    _default_hint = "Check the path."


class NotAReportError(FileError, ValueError):
    """A file that is not a CSV or zip of a report."""

    _default_hint = "Download the file from Canvas again, or use read_report to fetch it."


class NoGradingPeriodsError(NotAReportError):
    """A message of Canvas in place of a table: the term has no grading periods."""

    _default_hint = (
        "Choose a term with grading periods, or read grade_export_csv for the grades of the whole term."
    )


class DamagedFileError(FileError):
    """A file that is truncated or not the one announced."""

    _default_hint = "Download the file again."


class UnsafeArchiveError(FileError):
    """A zip with outside paths or links, or one that unpacks to too much."""

    _default_hint = "Download it again from Canvas, which does not create such files."


class TableError(CanvasReportsError):
    """A call that does not identify one table of the run.

    Attributes
    ----------
    tables : tuple of str
        The tables of the run.
    """

    def __init__(
        self, message: str, tables: Sequence[str], *, report: str | None = None, run_id: int | None = None
    ) -> None:
        hint = f"Choose one, for example table={tables[0]!r}." if tables else None
        super().__init__(message, hint=hint, report=report, run_id=run_id)
        self.tables = tuple(tables)


class TableRequiredError(TableError, ValueError):
    """A run with several tables, and no ``table=``."""


class UnknownTableError(TableError, LookupError):
    """A table the run does not have."""


class NoProvenanceError(CanvasReportsError, AttributeError):
    """A frame without a record of its source; ``hasattr(frame.canvas, "provenance")`` is False."""


class UnknownColumnError(CanvasReportsError, LookupError):
    """A column the table does not have."""


class PersonalDataError(CanvasReportsError, ValueError):
    """A frame that still contains personal data."""


class StoreError(CanvasReportsError):
    """A problem with the store on this disk."""


class NotStoredError(StoreError, LookupError):
    """A run that is not on this disk, although the call needs it there."""


class StoreLockedError(StoreError, TimeoutError):
    """A run that another process was still writing at the deadline."""
