"""The parameters of a run as Canvas reads them, and the rows they select."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from canvas_reports_nb.demo_canvas.data import attach, restrict
from canvas_reports_nb.demo_canvas.world import World

ROOT, DEFAULT_TERM = 1, 1
_SHORTEST_UUID = 36
_YES = {"yes", "y", "true", "t", "on", "1"}
_NO = {"no", "n", "false", "f", "off", "0", ""}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAY_FORMS = (
    r"(?P<year>\d{4})[-/](?P<month>\d{1,2})[-/](?P<day>\d{1,2})",
    r"\b(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})(?=\b|T)",
    r"\b(?P<day>\d{1,2})[/.](?P<month>\d{1,2})[/.](?P<year>\d{4})",
    r"(?P<day>\d{1,2})(?:st|nd|rd|th)?[ -](?P<name>[A-Za-z]{3})[a-z]*\.?,?[ -](?P<year>\d{4})",
    r"(?P<name>[A-Za-z]{3})[a-z]*\.? (?P<day>\d{1,2})(?:st|nd|rd|th)?,? (?P<year>\d{4})",
)
_TIME = re.compile(
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.\d+)?)? ?(?P<half>[ap]m)?"
    r" ?(?P<zone>Z|UTC|GMT|[+-]\d{2}:?\d{2})?",
    re.IGNORECASE,
)


class ReportFailed(Exception):  # noqa: N818 - the state a run ends in, with Canvas's name
    """The run ends in `error`."""


class NoFileError(ReportFailed):
    """The run ends in `error` because it made no file."""


def truth(value: object) -> bool:
    """Return a switch: Canvas's words in any case, else a leading integer, where only zero is off."""
    if isinstance(value, (bool, int)):
        return bool(value)
    text = value.lower() if isinstance(value, str) else ""
    if text in _YES or text in _NO:
        return text in _YES
    number = re.match(r"\s*[+-]?\d+", text)
    return number is not None and int(number.group()) != 0


def is_given(value: object) -> bool:
    """Whether a parameter is not blank."""
    if isinstance(value, str):
        return bool(value.strip())
    return not (value is None or value is False or value in ([], {}))


def as_text(value: object) -> str:
    """Return a value as Ruby prints it."""
    if isinstance(value, list):
        return (
            "[" + ", ".join(f'"{item}"' if isinstance(item, str) else as_text(item) for item in value) + "]"
        )
    return str(value).lower() if isinstance(value, bool) else str(value).strip()


def leading_integer(text: str) -> int:
    """Return the integer at the beginning of a text, or 0."""
    number = re.match(r"\s*[+-]?\d+", text)
    return int(number.group()) if number else 0


def _find(frame: pl.DataFrame, text: str, kind: str) -> int | None:
    """Return the id of the row that a Canvas id, or a prefix such as `sis_term_id:`, names."""
    text = text.strip()
    if text.startswith("hex:"):
        prefix, _, digits = text.removeprefix("hex:").partition(":")
        try:
            text = f"{prefix}:{bytes.fromhex(digits).decode()}"
        except ValueError:
            return None
    if re.fullmatch(r"\d{1,18}", text):
        found = frame.filter(id=int(text))
    else:
        prefix, _, wanted = text.partition(":")
        prefixes = {f"sis_{kind}_id": "sis_id", "sis_integration_id": "integration_id"}
        prefixes |= {name: name for name in ("lti_context_id", "uuid")}  # where a frame has them
        column = prefixes.get(prefix, "")
        if column not in frame.columns or (column == "uuid" and len(wanted) < _SHORTEST_UUID):
            return None
        found = frame.filter(pl.col(column).cast(pl.String) == wanted)
    return int(found["id"][0]) if found.height else None


def _one_term(world: World, text: str) -> int | None:
    text = text.strip()
    if text != "current":
        return _find(world.terms, str(DEFAULT_TERM) if text == "default" else text, "term")
    start, end = pl.col("start_at"), pl.col("end_at")
    running = world.terms.filter(
        pl.col("status") == "active",
        start.is_not_null() | end.is_not_null(),
        start.is_null() | (start <= world.now),
        end.is_null() | (end >= world.now),
    )
    return int(running["id"][0]) if running.height == 1 else None


def resolve_term(world: World, text: str) -> int | None:
    """Return the term with which a POST passes: that of `active_terms`, or the first of a list that exists."""
    if text.strip() == "active_terms":
        return world.current_term
    found = (_one_term(world, part) for part in text.split(","))
    return next((term for term in found if term is not None), None)


def resolve_account(world: World, text: str) -> int | None:
    """Return the account of a path segment: an id, `self`, `default`, or a prefix such as `sis_account_id:`."""
    return ROOT if text in ("self", "default") else _find(world.accounts, text, "account")


def _read_day(text: str) -> tuple[re.Match[str], int] | None:
    """Return where a text names a day, and its month."""
    day = next((found for form in _DAY_FORMS if (found := re.search(form, text))), None)
    if day is None:
        return None
    name = day.groupdict().get("name", "").lower()
    if not name:
        return day, int(day["month"])
    return (day, _MONTHS.index(name) + 1) if name in _MONTHS else None


def _read_time(text: str) -> tuple[timedelta, str]:
    """Return the time of day in the rest of a text, and its offset from UTC or ""."""
    clock = _TIME.search(text)
    if clock is None:
        return timedelta(), ""
    half, offset = (clock["half"] or "").lower(), (clock["zone"] or "").upper()
    hour = int(clock["hour"]) % 12 + (12 if half == "pm" else 0) if half else int(clock["hour"])
    at = time(hour, int(clock["minute"]), int(clock["second"] or 0))
    passed = timedelta(hours=at.hour, minutes=at.minute, seconds=at.second)
    return passed, "+00:00" if offset in ("Z", "UTC", "GMT") else offset


def _read_date(text: str, zone: str) -> datetime | None:
    """Return the date in a text, or None if it has none; ReportFailed if its month or hour is impossible."""
    found = _read_day(text)
    if found is None:
        return None
    day, month = found
    try:
        passed, offset = _read_time(text[day.end() :])
        # A day that the month doesn't have, such as February 30, rolls into the next month.
        first = datetime(int(day["year"]), month, 1)  # noqa: DTZ001 - the zone follows
        local = first + timedelta(days=int(day["day"]) - 1) + passed
        if not offset:
            return local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
        return datetime.fromisoformat(local.isoformat() + offset).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ReportFailed(f"invalid date: {text}") from error


@dataclass(frozen=True, slots=True)
class Request:
    """One run to compute."""

    world: World
    parameters: Mapping[str, object]
    account_id: int

    def text(self, *names: str) -> str:
        """Return the first of the parameters that is given as text, else ""."""
        values = (self.parameters.get(name) for name in names)
        return next((as_text(value) for value in values if is_given(value)), "")

    def flag(self, name: str) -> bool:
        """Return a switch."""
        return truth(self.parameters.get(name))

    def words(self, name: str, known: Sequence[str]) -> list[str] | None:
        """Return the known words of a list or of a text with commas, in fixed order; None if it is blank."""
        value = self.parameters.get(name)
        if not is_given(value):
            return None
        parts = value if isinstance(value, (list, tuple)) else str(value).split(",")
        return [word for word in known if word in parts]

    @property
    def deleted(self) -> bool:
        """Whether deleted and concluded records are included."""
        return self.flag("include_deleted")

    def term(self) -> int | None:
        """Return the term's id, or None for all; anything but one existing term fails the run."""
        text = self.text("enrollment_term_id", "enrollment_term")
        return self._existing("EnrollmentTerm", text, _one_term(self.world, text))

    def course(self) -> int | None:
        """Return the course's id, or None for all."""
        text = self.text("course_id", "course")
        return self._existing("Course", text, _find(self.world.courses, text, "course"))

    def _existing(self, kind: str, text: str, found: int | None) -> int | None:
        if text and found is None:
            raise ReportFailed(f"Couldn't find {kind} with 'id'={text}")
        return found

    def moment(self, name: str) -> datetime | None:
        """Return a date; without an offset it is in the school's zone."""
        return _read_date(self.text(name), self.world.zone)

    def within_account(self, column: str = "account_id", *, live: bool = False) -> pl.Expr:
        """Return the condition for rows of the run's account and those below it, or only the `live` ones."""
        if self.account_id == ROOT:
            return pl.lit(True)
        return pl.col(column).is_in(self.world.subtree(self.account_id, live=live))

    def courses(self) -> pl.DataFrame:
        """Return the courses of the run's account and term, in every state."""
        term = self.term()
        wanted = pl.lit(True) if term is None else pl.col("term_id") == term
        return self.world.courses.filter(self.within_account(), wanted)

    def associated(self, column: str = "user_id") -> pl.Expr:
        """Return the condition for people with an enrollment, role or group membership in the account.

        Canvas keeps these associations in a table of its own, which may lag behind; here they never do.
        """
        if self.account_id == ROOT:
            return pl.lit(True)
        world, present = self.world, pl.col("status") != "deleted"
        mine = world.courses.filter(self.within_account())["id"].implode()
        sections = world.sections.filter(
            pl.col("course_id").is_in(mine) | pl.col("home_course_id").is_in(mine)
        )
        enrolled = world.enrollments.filter(
            pl.col("section_id").is_in(sections["id"].implode()),
            ~pl.col("state").cast(pl.String).is_in(["deleted", "rejected"]),
            pl.col("type").cast(pl.String) != "StudentViewEnrollment",
        )
        roles = world.admins.filter(present, self.within_account())
        members = world.memberships.filter(
            present, pl.col("context_type") == "Account", self.within_account("context_id")
        )
        people = pl.concat([frame["user_id"] for frame in (enrolled, roles, members)]).unique()
        return pl.col(column).is_in(people.implode())

    @property
    def logins(self) -> pl.DataFrame:
        """The logins of the school and, where it trusts other schools, of those; `host` is null in its own."""
        logins = self.world.logins
        return logins if "host" in logins.columns else logins.with_columns(host=pl.lit(None, dtype=pl.String))

    @property
    def own_logins(self) -> pl.DataFrame:
        """The logins of the school itself."""
        return self.logins.filter(pl.col("host").is_null())

    def _usable_logins(self) -> pl.DataFrame:
        """Return the logins that may represent a person."""
        usable = pl.lit(True) if self.deleted else pl.col("status") != "deleted"
        trusted = pl.lit(True) if self.world.settings.trusted_accounts else pl.col("host").is_null()
        return self.logins.filter(usable, trusted)

    def best_logins(self) -> pl.DataFrame:
        """Return the login that represents each person, by `id`: one of the school before one it trusts."""
        return self._ids(_first_logins(self._usable_logins(), pl.col("host").is_not_null(), pl.col("status")))

    def joined_logins(self, *allowed: str) -> pl.DataFrame:
        """Return each person's first login in an allowed state, SIS logins first, if it is the school's."""
        first = _first_logins(self.logins.filter(pl.col("status").is_in(allowed)))
        return self._ids(first.filter(pl.col("host").is_null()))

    def _ids(self, logins: pl.DataFrame, key: str = "user_id") -> pl.DataFrame:
        host = pl.col("host").fill_null(self.world.host)
        return logins.select("integration_id", "status", id=key, user_sis="sis_id", root_account=host)

    def with_login(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return the rows of people with a usable login, with `user_sis`, `integration_id` and `root_account`.

        It is the best one of the person, or the one to which an enrollment is tied by `login_id`.
        """
        cells = ("user_sis", "integration_id", "root_account")
        if "login_id" not in rows.columns:
            return restrict(rows, self.best_logins(), "user_id", *cells)
        frame = attach(rows, self.best_logins(), "user_id", *cells)
        tied = self._ids(self._usable_logins(), "id").rename({cell: f"{cell} tied" for cell in cells})
        frame = attach(frame, tied, "login_id", *(f"{cell} tied" for cell in cells))
        is_tied = pl.col("root_account tied").is_not_null()
        frame = frame.with_columns(
            pl.when(is_tied).then(f"{cell} tied").otherwise(cell).alias(cell) for cell in cells
        )
        return frame.filter(pl.col("root_account").is_not_null()).drop(f"{cell} tied" for cell in cells)


def _first_logins(logins: pl.DataFrame, *order: pl.Expr) -> pl.DataFrame:
    by_name = pl.col("login").str.to_lowercase()
    ordered = logins.sort(*order, pl.col("sis_id").is_null(), by_name, "id")
    return ordered.unique("user_id", keep="first", maintain_order=True)
