"""An option out of its range is named with its value and with what to give."""

from collections.abc import Callable
from functools import partial
from inspect import unwrap
from typing import Any

import pandas as pd
import pytest

import canvas_reports_nb as crn
from canvas_reports_nb import activity, grades, provisioning
from canvas_reports_nb.analysis import access, charts, diffing
from canvas_reports_nb.analysis.grades.letters import CLASSES, _check_scheme
from canvas_reports_nb.analysis.privacy import publishing
from canvas_reports_nb.analysis.sis import Reconciliation
from canvas_reports_nb.exceptions import CanvasReportsError

ANY: Any = None
COUNTS = pd.DataFrame({"course": ["A", "B"], "n": [3, 19]})
PERSON = pd.DataFrame({"login": ["ada"], "advisor": ["Bo"]})
HIDDEN = {"login": "login", "advisor": "name"}
LONG = "a long secret phrase"
STARTS = "Give whole numbers in ascending order, such as bands=(2, 10, 20, 30, 40, 50, 100)."
TOKENS = partial(access.tokens, ANY, now="2026-03-02")
ALERTS = partial(activity.alerts, ANY, grades=ANY)
NO_NUMBERS = ("many", None, True)
NO_SHARES = (-0.1, 1.1, *NO_NUMBERS)
#: Functions, options, values that they don't take, and the advice.
RANGES: list[tuple[Callable[..., object], str, tuple[Any, ...], str]] = [
    *((TOKENS, name, NO_NUMBERS, f"Give a number of days: {name}=30.") for name in ("idle", "old", "soon")),
    *((ALERTS, name, NO_NUMBERS, f"Give a number: {name}=2.") for name in ("below", "courses")),
    (ALERTS, "quiet", NO_SHARES, "Give a share from 0 to 1: quiet=0.5."),
    (partial(activity.clean_up, ANY), "heavy", NO_NUMBERS, "Give a number of megabytes: heavy=1000."),
    (partial(activity.retention, ANY, today="2026-03-02"), "keep", NO_NUMBERS, "Give a number of years: keep=5."),
    (partial(Reconciliation.to_sis_csv, ANY), "limit", NO_SHARES, "Give a share from 0 to 1: limit=0.05."),
    (partial(unwrap(provisioning.census), ANY), "full_load", (0, -1, *NO_NUMBERS), "Give credit hours: full_load=15."),
    (partial(unwrap(provisioning.readiness), ANY, today="2026-03-02"), "within", NO_NUMBERS,
     "Give a number of days: within=14."),
    (partial(unwrap(provisioning.section_sizes), ANY), "bands", ((), (0, 2), (2, 2), (3, 2), (1.5,)), STARTS),
    (partial(crn.publish, COUNTS), "cap", (0.5, 1), "Give a share above 0.5 and below 1, such as cap=0.95."),
    (partial(charts.storage_pareto, ANY), "top", (0, -1, 1.5, "2"), "Give a whole number, 1 or more."),
]  # fmt: skip


KEY = "Name one or more columns, each once, other than after, at, before, column, newer, older."


def cases() -> list[tuple[Callable[[], object], str]]:
    """Return calls and their whole messages."""
    made: list[tuple[Callable[[], object], str]] = [
        (lambda: activity.alerts(ANY), ("alerts needs at least one report.\n"
         'Add grades=canvas.read_report("grade_export_csv"), silent= or no_submissions=.')),
        (lambda: crn.pseudonymize(PERSON, LONG, free_text="hide", identities=HIDDEN),
         "Unknown free_text 'hide'.\nUse \"drop\", which is safe, or \"keep\"."),
        (lambda: crn.pseudonymize(PERSON, 7, identities=HIDDEN),
         "The key must be bytes or text.\nMake one: secrets.token_bytes(32)."),
        (lambda: crn.pseudonymize(PERSON, b"x" * 15, identities=HIDDEN),
         ("The key has 15 bytes and needs at least 16.\n"
         "Make one with secrets.token_bytes(32), and keep it away from the data.")),
        (lambda: crn.pseudonymize(PERSON, LONG), ("Unknown table: can't tell which of its columns are personal.\n"
         'Name the report with report="...", table="...", or what columns identify with identities=.')),
        (lambda: crn.pseudonymize(PERSON, LONG, identities=HIDDEN, keep=["advisor"]),
         "'advisor' identifies people (name) and can't be kept.\nRemove it from the frame or from keep=."),
        (lambda: crn.pseudonymize(PERSON, LONG, identities={"login": "Log in"}),
         ("Can't use 'Log in' as the identity of 'login'.\n"
         "Use lower-case letters, digits and _, beginning with a letter.")),
        (lambda: crn.pseudonymize(PERSON, LONG, free_text=7), "Can't use 7 as free_text=.\nGive \"drop\" or \"keep\"."),
        (lambda: crn.publish(COUNTS, minimum=1), "minimum=1 hides nothing.\nUse 2 or more; 5 and 10 are common."),
        (lambda: crn.publish(COUNTS, by="n", count="course"), ("The column 'course' has no numbers.\n"
         "Name the column of counts: count=.")),
        (lambda: crn.publish(COUNTS, by="n", count="n"), ("by=['n'] can't identify a cell.\n"
         "Name the columns that do, without the count.")),
        (lambda: crn.publish(COUNTS.assign(n=[1, -2])), ("'n' contains a negative or fractional number.\n"
         "Use counts of people.")),
        (lambda: crn.publish(COUNTS.assign(suppressed=0)), (f"The table already has a column {publishing.HIDDEN!r}.\n"
         "Use the table it was made from.")),
        (lambda: crn.definition(COUNTS), ("This DataFrame carries no definition.\n"
         "Pass a pandas, Dask or Arrow frame that an analysis returned, or the analysis itself: "
         "crn.definition(crn.grades.rates).")),
        (lambda: grades.rates(PERSON, by=[]), ("by= is empty.\n"
         "Use one or more of course, section, term, account.")),
        (lambda: _check_scheme({"EW": "X!"}), ("scheme= gives the letter 'EW' the unknown class 'X!'.\n"
         f"Use one of {', '.join(CLASSES)}.")),
        (lambda: unwrap(provisioning.contacts)(ANY, per="term"), "Unknown per 'term'.\nUse \"course\" or \"section\"."),
        (lambda: unwrap(provisioning.section_sizes)(ANY, crosslists="both"),
         "Unknown crosslists='both'.\nUse \"merge\" or \"home\"."),
        (lambda: unwrap(provisioning.section_sizes)({}, "term"),
         ("section_sizes needs the table 'courses' for by='term'.\n"
          "Read it from the same run, with courses=True.")),
        (lambda: Reconciliation.to_sis_csv(ANY, drop="all"),
         'Unknown drop=\'all\'.\nUse one of "deleted", "inactive", "completed".'),
        *((lambda key=key: diffing._check_key(key), f"{list(key)} can't be the key of a diff.\n{KEY}")
          for key in ([], ["a", "a"], ["at"], [7])),
        (lambda: diffing._documented_key(COUNTS, None, None, set()), ("No key is documented for this frame.\n"
         'Name the report with report="...", table="...", or the key columns with key=["..."].')),
    ]  # fmt: skip
    for call, name, values, advice in RANGES:
        made += [
            (partial(call, **{name: value}), f"Can't use {name}={value!r}.\n{advice}") for value in values
        ]
    return made


@pytest.mark.parametrize(("call", "message"), cases(), ids=range(len(cases())))
def test_an_option_out_of_its_range_is_explained(call: Callable[[], object], message: str) -> None:
    with pytest.raises(CanvasReportsError) as caught:
        call()
    assert str(caught.value) == message


@pytest.mark.parametrize("value", ["soon", "2026-13-01", 7, None])
def test_what_is_not_a_day_is_explained(value: Any) -> None:
    for call, name, day in (
        (partial(access.tokens, ANY), "now", "2026-03-02"),
        (partial(activity.retention, ANY), "today", "2026-08-20"),
        (partial(unwrap(provisioning.readiness), ANY), "today", "2026-08-20"),
        *(
            [(partial(unwrap(provisioning.readiness), ANY, today="2026-03-02"), "seen_since", "2026-08-20")]
            * bool(value)
        ),
    ):
        with pytest.raises(CanvasReportsError) as caught:
            call(**{name: value})
        assert str(caught.value) == f'Can\'t read {name}={value!r}.\nGive a date: {name}="{day}".'
