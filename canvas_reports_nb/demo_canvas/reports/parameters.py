"""What a run was asked for: parameters as Canvas reads them, and the rows they leave in scope."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from canvas_reports_nb.demo_canvas.world import World

_YES = {"yes", "y", "true", "t", "on", "1"}
_NO = {"no", "n", "false", "f", "off", "0", ""}


class ReportFailed(Exception):  # noqa: N818 - the state a run ends in, named as Canvas names it
    """The run ends in `error`; the text is the reason it gives."""


def truth(value: object) -> bool:
    """Read a switch: Canvas's words in any case, else a number, where only zero is off."""
    text = str("" if value is None else value).strip().lower()
    if text in _YES or text in _NO:
        return text in _YES
    number = re.match(r"[+-]?\d+(\.\d+)?", text)
    return bool(number) and float(number.group()) != 0.0 if number else False


def _by_sis(frame: pl.DataFrame, text: str, prefix: str) -> int | None:
    for column in ("sis_id", "integration_id"):
        head = f"sis_{prefix}_id:" if column == "sis_id" else "sis_integration_id:"
        if text.startswith(head) and column in frame.columns:
            found = frame.filter(pl.col(column) == text.removeprefix(head))
            return int(found["id"][0]) if found.height else None
    return None


def _by_id(frame: pl.DataFrame, text: str, prefix: str) -> int | None:
    if re.fullmatch(r"\d{1,18}", text):
        return int(text) if frame.filter(id=int(text)).height else None
    return _by_sis(frame, text, prefix)


def _one_term(world: World, text: str) -> int | None:
    text = text.strip()
    if text == "default":
        return 1
    if text == "current":
        running = world.terms.filter(pl.lit(world.now).is_between("start_at", "end_at"), status="active")
        return int(running["id"][0]) if running.height == 1 else None
    return _by_id(world.terms, text, "term")


def resolve_term(world: World, text: str) -> int | None:
    """Return the term that lets a request pass: the word `active_terms`, or the first of a list that exists."""
    if text.strip() == "active_terms":
        return world.current_term
    found = (_one_term(world, part) for part in text.split(","))
    return next((term for term in found if term is not None), None)


def resolve_account(world: World, text: str) -> int | None:
    """Return the account of a path segment: an id, `self`, `default`, `sis_account_id:X`, `sis_integration_id:X`."""
    return 1 if text in ("self", "default") else _by_id(world.accounts, text, "account")


@dataclass(frozen=True, slots=True)
class Request:
    """One run to compute."""

    world: World
    parameters: Mapping[str, object]
    account_id: int

    def text(self, *names: str) -> str:
        """Return the first of the parameters that is not blank, else nothing."""
        values = (self.parameters.get(name) for name in names)
        return next((str(v).strip() for v in values if v is not None and str(v).strip()), "")

    def flag(self, name: str) -> bool:
        """Return a switch."""
        return truth(self.parameters.get(name))

    def words(self, name: str) -> list[str] | None:
        """Return a list, sent as an array or as text with commas; None where it is blank."""
        value = self.parameters.get(name)
        parts = value if isinstance(value, (list, tuple)) else str(value or "").split(",")
        found = [str(part).strip() for part in parts if str(part).strip()]
        return found or None

    @property
    def deleted(self) -> bool:
        """Whether deleted and concluded records are wanted."""
        return self.flag("include_deleted")

    def has_login(self) -> pl.Expr:
        """Return the condition for users whose login counts: any at all, if deleted records do."""
        return pl.col("known" if self.deleted else "usable")

    def term(self) -> int | None:
        """Return the term's id, None for all; one that is not a single existing term fails the run."""
        text = self.text("enrollment_term_id", "enrollment_term")
        return self._existing("EnrollmentTerm", text, _one_term(self.world, text))

    def course(self) -> int | None:
        """Return the course's id, None for all."""
        text = self.text("course_id", "course")
        return self._existing("Course", text, _by_id(self.world.courses, text, "course"))

    def _existing(self, kind: str, text: str, found: int | None) -> int | None:
        if text and found is None:
            raise ReportFailed(f"Couldn't find {kind} with 'id'={text}")
        return found

    def moment(self, name: str) -> datetime | None:
        """Return a date; without an offset it is in the school's zone."""
        text = self.text(name)
        if not text:
            return None
        try:
            value = datetime.fromisoformat(text)
        except ValueError as error:
            raise ReportFailed(f"invalid date {name}: {text}") from error
        local = value if value.tzinfo else value.replace(tzinfo=ZoneInfo(self.world.zone))
        return local.astimezone(UTC)

    def within_account(self, account: str = "account_id") -> pl.Expr:
        """Return the condition for rows of the run's account and those below it."""
        if self.account_id == 1:
            return pl.lit(True)
        return pl.col(account).is_in(self.world.subtree(self.account_id))

    def courses(self) -> pl.DataFrame:
        """Return the courses of the run's account and term, in every state."""
        term = self.term()
        wanted = pl.lit(True) if term is None else pl.col("term_id") == term
        return self.world.courses.filter(self.within_account(), wanted)

    def window(self, days: int) -> tuple[datetime, datetime]:
        """Return `start_at` and `end_at`: missing ends filled, never more than `days` apart."""
        length = timedelta(days=days)
        start, end = self.moment("start_at"), self.moment("end_at")
        if end is None:
            end = self.world.now if start is None else start + length
        if start is None or end - start > length:
            start = end - length
        return start, end
