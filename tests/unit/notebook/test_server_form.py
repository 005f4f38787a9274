"""The server's own form of a report, read as fields."""

from typing import Any

import pytest

from canvas_reports_nb.notebook.server_form import read_form

FORMS = [
    (
        (
            '<label>Term <select name="parameters[enrollment_term_id]"><option value="">All</option>'
            '<optgroup label="Active"><option value="13">Spring</option></optgroup></select></label>'
        ),
        [("enrollment_term_id", "term", "Term", (("Spring", "13"),), True)],
    ),
    (
        '<label><input type="checkbox" name="parameters[deep]" value="1"> Deep &amp; slow</label>',
        [("deep", "switch", "Deep & slow", (), "1")],
    ),
    (
        '<input type="text" class="datetime_field" id="s" name="parameters[start_at]"><label for="s">From:</label>',
        [("start_at", "date", "From", (), True)],
    ),
    (
        (
            "<label><input type=radio name=parameters[order] value=users checked>Users</label>"
            "<label><input type=radio name=parameters[order] value=courses>Courses</label>"
        ),
        [("order", "choice", "Order", (("Users", "users"), ("Courses", "courses")), True)],
    ),
    (
        (
            '<select name="parameters[state][]"><option value="all">All<option value="active">Active</select>'
            '<label>Days <input type="number" name="parameters[days]"></label>'
        ),
        [
            ("state", "choices", "State", (("All", "all"), ("Active", "active")), True),
            ("days", "integer", "Days", (), True),
        ],
    ),
    (
        '<input name="utf8" value="x"><input type=hidden name="parameters[k]"><button>Run</button><p>Text</p>',
        [],
    ),
    ('<label>Weeks <input name="parameters[weeks]">', [("weeks", "text", "Weeks", (), True)]),
    ("", []),
]


@pytest.mark.parametrize(("markup", "fields"), FORMS)
def test_a_servers_form_is_read(markup: str, fields: list[tuple[Any, ...]]) -> None:
    assert [(f.name, f.kind, f.label, f.options, f.sends) for f in read_form(markup)] == fields
