"""Every error this package raises, split by what the analyst does next.

::

    CanvasReportsError
    ├── ConfigurationError            set something up, then call again
    │   ├── CredentialsError          no address or no token was found
    │   └── MissingDependencyError    an optional package is not installed
    ├── ParameterError                the call itself is wrong; nothing was started
    │   ├── UnknownParameterError     Canvas would ignore the name and export everything
    │   ├── InvalidChoiceError        the value is not one Canvas knows
    │   └── InvalidTermError          Canvas knows no such term
    ├── AuthenticationError           the token is missing, wrong, expired or too narrow
    ├── NotPermittedError             the token is good, its owner may not do this
    ├── NotFoundError                 no such thing on this Canvas
    │   ├── UnknownAccountError
    │   ├── UnknownReportError
    │   └── UnknownRunError           unknown, deleted, or of another report or account
    ├── ServerError                   Canvas or something before it is in trouble: try again later
    │   ├── ThrottledError            too many requests: slow down
    │   ├── UserAgentRefusedError     the request reached Canvas without a User-Agent
    │   ├── NotReachedError           no answer: network, DNS, TLS, time-out
    │   └── UnexpectedAnswerError     an answer that is not what the API promises
    ├── RunError                      the run ended without a file, or has not ended yet
    │   ├── DuplicateRunError         an equal run is in flight already; it is on the error
    │   ├── RunFailedError
    │   ├── RunAbortedError
    │   ├── RunDeletedError
    │   └── WaitTimeoutError          the budget is spent; the run goes on and is on the error
    ├── NotStartedError               the budget was spent before a run was under way
    ├── ReportsFailedError            of many requests some failed; a group, with the finished ones on it
    ├── FileError                     the file, not the call, is the trouble
    │   ├── NotAReportError           not a CSV or zip of a report
    │   ├── DamagedFileError          cut short, or not what was announced
    │   └── UnsafeArchiveError        a zip that names outside paths or unpacks to a bomb
    ├── TableError                    which table of the run?
    │   ├── TableRequiredError        several tables and no ``table=``
    │   └── UnknownTableError
    ├── NoProvenanceError             the frame does not say where it came from
    ├── UnknownColumnError            ``columns=`` names a column the table has not
    ├── PersonalDataError             a frame that is to be pseudonymized still names people
    └── StoreError                    the store on this disk can't serve the call
        └── NotStoredError            ``offline=True`` and no such run on this disk
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = [
    "AuthenticationError",
    "CanvasReportsError",
    "ConfigurationError",
    "CredentialsError",
    "DamagedFileError",
    "DuplicateRunError",
    "FileError",
    "InvalidChoiceError",
    "InvalidTermError",
    "MissingDependencyError",
    "NoProvenanceError",
    "NotAReportError",
    "NotFoundError",
    "NotPermittedError",
    "NotReachedError",
    "NotStartedError",
    "NotStoredError",
    "ParameterError",
    "PersonalDataError",
    "ReportWarning",
    "ReportsFailedError",
    "RunAbortedError",
    "RunDeletedError",
    "RunError",
    "RunFailedError",
    "ServerError",
    "StoreError",
    "TableError",
    "TableRequiredError",
    "ThrottledError",
    "UnexpectedAnswerError",
    "UnknownAccountError",
    "UnknownColumnError",
    "UnknownParameterError",
    "UnknownReportError",
    "UnknownRunError",
    "UnknownTableError",
    "UnsafeArchiveError",
    "UserAgentRefusedError",
    "WaitTimeoutError",
]


class ReportWarning(UserWarning):
    """The frame is whole, but something in it is not as the schema says."""


class CanvasReportsError(Exception):
    """What happened, where, and what to do next.

    Parameters
    ----------
    message : str
        What happened, in one sentence.
    hint : str, optional
        What to do next; where it is left out, what the class advises.
    account, report : str, optional
        Where it happened, as the caller spelled it.
    run_id : int, optional
        The run it happened to.
    url : str, optional
        The address asked, without its query string (which may hold a key).

    Attributes
    ----------
    job : ReportJob or None
        The handle on the run, where a wait ended in this error.
    """

    _advice: ClassVar[str | None] = None
    _stays: ClassVar[frozenset[str]] = frozenset({"job"})  # what no pickle takes along

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
        super().__init__(message)
        self.message = message
        self.hint = hint or self._advice
        self.account = account
        self.report = report
        self.run_id = run_id
        self.url = url.partition("?")[0] if url else None

    def __reduce__(self) -> tuple[Callable[..., CanvasReportsError], tuple[Any, ...]]:
        # Python's own way calls the class with the message alone, which most of these do not take.
        kept = {name: value for name, value in vars(self).items() if name not in self._stays}
        return _again, (type(self), self.message, kept)

    def __str__(self) -> str:
        where = [
            f"{label} {value}"
            for label, value in (("account", self.account), ("report", self.report), ("run", self.run_id))
            if value is not None
        ]
        text = self.message + (f" [{', '.join(where)}]" if where else "")
        return f"{text}\n{self.hint}" if self.hint else text

    def located(self, *, account: str | None, report: str | None, run_id: int | None) -> None:
        """Fill in where it happened, keeping what is known already."""
        self.account = self.account or account
        self.report = self.report or report
        self.run_id = self.run_id if self.run_id is not None else run_id


def _again(kind: type[CanvasReportsError], message: str, facts: Mapping[str, object]) -> CanvasReportsError:
    """An error as it was, from a pickle or for a copy."""
    error = kind.__new__(kind)
    CanvasReportsError.__init__(error, message)
    vars(error).update(facts)
    return error


class ConfigurationError(CanvasReportsError):
    """Something must be set up before the call can be made."""


class CredentialsError(ConfigurationError):
    """No address or no token was found in any of the places looked at."""


class MissingDependencyError(ConfigurationError, ImportError):
    """An optional package is not installed."""

    def __init__(self, package: str, extra: str, purpose: str, also: str = "") -> None:
        super().__init__(
            f"{purpose} needs {package}, which is not installed.",
            hint=f'Install it with: python -m pip install "canvas-reports-nb[{extra}]" {also}'.rstrip(),
        )


class ParameterError(CanvasReportsError, ValueError):
    """The call's parameters are wrong; nothing was started."""


class UnknownParameterError(ParameterError):
    """The report has no such parameter, and Canvas would silently ignore it."""


class InvalidChoiceError(ParameterError):
    """The parameter exists, the value is not one it takes."""


class InvalidTermError(ParameterError):
    """Canvas knows no such term."""


class AuthenticationError(CanvasReportsError):
    """The token is missing, wrong, expired, revoked or too narrow."""


class NotPermittedError(CanvasReportsError, PermissionError):
    """The token is good, but its owner may not do this on this account."""


class NotFoundError(CanvasReportsError, LookupError):
    """No such thing on this Canvas."""

    _advice = "Check the account and the report; canvas.reports() lists those on offer."


class UnknownAccountError(NotFoundError):
    """No such account on this Canvas, or one hidden from this token."""

    _advice = 'Name one the token may see: "self", a Canvas id, or sis_account_id:X.'


class UnknownReportError(NotFoundError):
    """The account does not offer a report of that name."""


class UnknownRunError(NotFoundError):
    """No such run: unknown, deleted, or of another report or account."""

    _advice = "canvas.history(report) lists the runs there are."


class ServerError(CanvasReportsError):
    """Canvas, or something between here and it, is in trouble."""


class ThrottledError(ServerError):
    """Canvas answered "Rate Limit Exceeded"."""


class UserAgentRefusedError(ServerError):
    """Hosted Canvas refuses requests that arrive without a User-Agent."""


class NotReachedError(ServerError, ConnectionError):
    """No answer arrived."""


class UnexpectedAnswerError(ServerError):
    """The answer is not what the API promises."""

    _advice = "Check that the address is Canvas's own; if it is, try again in a few minutes."


class Run(Protocol):
    """What an error needs to know of a run; the real thing is `ReportRun`."""

    @property
    def id(self) -> int:
        """The run's id."""

    @property
    def report(self) -> str:
        """The report's name."""


class RunError(CanvasReportsError):
    """A run ended without a file, or has not ended yet.

    Attributes
    ----------
    run : ReportRun
    """

    def __init__(
        self, message: str, run: Run, *, hint: str | None = None, account: str | None = None
    ) -> None:
        super().__init__(message, hint=hint, account=account, report=run.report, run_id=run.id)
        self.run = run


class DuplicateRunError(RunError):
    """An equal run is in flight already; it is ``error.run``."""

    _advice = "Join it: canvas.attach(report, run_id)."


class RunFailedError(RunError):
    """Canvas ended the run with an error."""


class RunAbortedError(RunError):
    """Somebody stopped the run."""


class RunDeletedError(RunError):
    """Somebody deleted the run."""


class WaitTimeoutError(RunError, TimeoutError):
    """The time budget is spent; the run goes on, and ``error.job`` is the handle on it."""


class NotStartedError(CanvasReportsError, TimeoutError):
    """The time budget was spent before a run was under way."""


class ReportsFailedError(CanvasReportsError, ExceptionGroup[CanvasReportsError]):
    """Of many requests some failed: one error each, and the finished ones.

    Attributes
    ----------
    reports : ReportsResult
        What is finished: ``error.reports.to_pandas()`` stacks it, ``error.reports.status`` lists all.
    """

    reports: Any
    # A group's own attribute of this name is read-only.
    message = ""

    def __new__(
        cls,
        message: str,
        errors: Sequence[CanvasReportsError],
        *,
        reports: Any = None,  # noqa: ARG004 - for `__init__`
        hint: str | None = None,  # noqa: ARG004 - likewise
    ) -> Self:
        """Made by `BaseExceptionGroup`, which takes no keywords."""
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
        # What is finished stays here: it holds open connections.
        return type(self), (self.message, self.exceptions), {**vars(self), "reports": None}

    def derive(self, excs: Sequence[Any], /) -> Any:
        """A part of the group, as ``except*`` and ``split`` make one."""
        return type(self)(self.message, excs, reports=self.reports, hint=self.hint)


class FileError(CanvasReportsError):
    """The file itself is the trouble."""


class NotAReportError(FileError, ValueError):
    """Not a CSV or zip of a report."""

    _advice = "Download the file from Canvas again, or let read_report fetch it."


class DamagedFileError(FileError):
    """Cut short, or not what was announced."""

    _advice = "Fetch it again."


class UnsafeArchiveError(FileError):
    """A zip whose members name outside paths, are links, or unpack to a bomb."""

    _advice = "Download it from Canvas again; Canvas itself sends none like it."


class TableError(CanvasReportsError):
    """Which table of the run is meant was not said, or there is none of that name.

    Attributes
    ----------
    tables : tuple of str
        The tables there are.
    """

    def __init__(
        self, message: str, tables: Sequence[str], *, report: str | None = None, run_id: int | None = None
    ) -> None:
        hint = f"Name one: table={tables[0]!r}." if tables else None
        super().__init__(message, hint=hint, report=report, run_id=run_id)
        self.tables = tuple(tables)


class TableRequiredError(TableError, ValueError):
    """The run holds several tables and none was named."""


class UnknownTableError(TableError, LookupError):
    """The run holds no table of that name."""


class NoProvenanceError(CanvasReportsError, AttributeError):
    """The frame does not say where it came from; so ``hasattr(frame.canvas, "provenance")`` is False."""


class UnknownColumnError(CanvasReportsError, LookupError):
    """The table has no column of that name."""


class PersonalDataError(CanvasReportsError, ValueError):
    """A frame that is to be pseudonymized still holds personal data."""


class StoreError(CanvasReportsError):
    """The store on this disk can't serve the call."""


class NotStoredError(StoreError, LookupError):
    """``offline=True``, or a result is read again, and the run is not on this disk."""
