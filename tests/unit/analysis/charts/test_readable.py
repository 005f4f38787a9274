"""Every chart is readable with any names and numbers, on light and on dark pages, and for every color vision."""

from collections.abc import Callable
from datetime import timedelta
from itertools import combinations
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.text import Text

from canvas_reports_nb.analysis import charts
from canvas_reports_nb.analysis.charts import look
from canvas_reports_nb.frames.provenance import ATTRS_KEY
from tests.unit.analysis.charts.samples import MONDAY, export, runs

ODD = ("An introduction to the history of welding " * 4, "高等学校における物理学入門" * 9, "x" * 300)
SCRIPTS = (
    "العربية للمبتدئين",
    "עברית",
    "🧪 Chemistry 👩🏽‍🔬",
    "日本語",
    "Ünïcode $x^2$ \\alpha",
    "हिन्दी",
    "a\nb\tc",
)


def names(kind: str, count: int) -> list[str]:
    made = ["Course"] if kind == "plain" else [*ODD, *SCRIPTS]
    return [f"{made[at % len(made)]} {at}" if at >= len(made) else made[at] for at in range(count)]


def seen(rows: int) -> pd.DataFrame:
    days = [MONDAY - timedelta(days=at % 150) for at in range(rows)]
    return pd.DataFrame({"user id": range(rows), "last access at": days}).astype(
        {"last access at": "datetime64[us, UTC]"}
    )


def graded(names: list[str], students: int = 12) -> pd.DataFrame:
    """Return an export in which the courses have from no to all students fail, in as many terms."""
    rows = [(course, student) for course in range(len(names)) for student in range(students)]
    scores = [30.0 if student * len(names) < course * students else 85.5 for course, student in rows]
    terms = {
        "term": [f"{names[course]} {1990 + course}" for course, _ in rows],
        "term id": [c for c, _ in rows],
    }
    columns = {"course id": terms["term id"], "course": [names[course] for course, _ in rows]}
    return export(scores, **columns, **terms)


def enrolled(names: list[str], each: int = 1) -> dict[str, pd.DataFrame]:
    ids = [at for at in range(len(names)) for _ in range(each)]
    columns = {
        "canvas_course_id": ids,
        "canvas_user_id": range(len(ids)),
        "canvas_enrollment_id": range(len(ids)),
    }
    states = [names[at % 9] for at in ids]
    kinds = {"base_role_type": "StudentEnrollment", "role": [names[at] for at in ids], "status": states}
    courses = pd.DataFrame({"canvas_course_id": range(len(names)), "canvas_term_id": range(len(names))})
    start = [MONDAY + timedelta(days=at) for at in range(len(names))]
    terms = pd.DataFrame({"canvas_term_id": range(len(names)), "name": names, "start_date": start})
    return {"enrollments": pd.DataFrame({**columns, **kinds}), "courses": courses, "terms": terms}


def stored(names: list[str], mb: float) -> pd.DataFrame:
    frame = pd.DataFrame({"id": range(len(names)), "short name": names, "storage used in MB": mb})
    host = "canvas.a-rather-long-name-of-a-university-in-the-mountains.example.edu"
    run = {"account": "sis_account_id:OFFICE OF THE REGISTRAR", "report": "course_storage_csv"}
    frame.attrs[ATTRS_KEY] = {"host": host, **run, "ended_at": "2026-03-02T10:00:00+00:00"}
    return frame


def missing(frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
    return frame.assign(
        **{
            name: frame[name].astype("object").map(lambda _: None).astype(frame[name].dtype)
            for name in columns
        }
    )


#: Each chart, drawn with some names.
NAMED: dict[str, Callable[[list[str]], Axes]] = {
    "grades": lambda names: charts.grade_distribution(graded(names)),
    "dfw": lambda names: charts.dfw_by_course(graded(names)),
    "rates": lambda names: charts.rates_over_terms(graded(names)),
    "storage": lambda names: charts.storage_pareto(stored(names, 12_345.6)),
    "terms": lambda names: charts.enrollments_over_terms(enrolled(names, each=3)),
    "roles": lambda names: charts.role_by_state(enrolled(names, each=3)["enrollments"]),
    "runs": lambda names: charts.run_durations(runs(len(names))),
    "calendar": lambda names: charts.last_access_calendar(seen(len(names)), weeks=5 * len(names)),
}
SCORES = ("current score", "final score", "course", "term")
#: Large numbers, and nothing but missing values.
EXTREME: dict[str, Callable[[], Axes]] = {
    "large roles": lambda: charts.role_by_state(enrolled(names("plain", 8), each=12_345)["enrollments"]),
    "large terms": lambda: charts.enrollments_over_terms(enrolled(names("plain", 6), each=12_345)),
    "missing storage": lambda: charts.storage_pareto(
        missing(stored(["ART", "BIO"], 5.0), "short name", "storage used in MB")
    ),
    "missing grades": lambda: charts.grade_distribution(missing(graded(["a"]), *SCORES)),
    "missing dfw": lambda: charts.dfw_by_course(missing(graded(["a"]), *SCORES)),
    "missing rates": lambda: charts.rates_over_terms(missing(graded(["a"]), *SCORES)),
    "missing roles": lambda: charts.role_by_state(missing(enrolled(["a"])["enrollments"], "role", "status")),
    "missing access": lambda: charts.last_access_calendar(missing(seen(3), "last access at")),
}
CASES = {
    **EXTREME,
    **{
        f"{chart} {count} {kind}": (lambda draw=draw, kind=kind, count=count: draw(names(kind, count)))
        for chart, draw in NAMED.items()
        for kind in ("plain", "odd")
        for count in (1, 100)
    },
}


def texts(ax: Axes) -> list[Text]:
    """Return the texts that are drawn in the figure of a chart."""
    figure = ax.get_figure(root=True)
    ticks = {
        label: low <= tick.get_loc() <= high
        for each in figure.axes
        for axis in (each.xaxis, each.yaxis)
        for low, high in [sorted(axis.get_view_interval())]
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks())
        for label in (tick.label1, tick.label2)
    }
    hidden = {
        label
        for each in figure.axes
        for axis in (each.xaxis, each.yaxis)
        if not axis.get_visible()
        for label in axis.findobj(Text)
    }
    return [
        text
        for text in figure.findobj(Text)
        if text.get_text().strip() and text.get_visible() and text not in hidden and ticks.get(text, True)
    ]


def contrast(one: Any, other: Any) -> float:
    dark, light = sorted(map(look.luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("name", CASES)
def test_texts_stay_in_the_picture_and_apart(name):
    # Every other chart on a dark page.
    with plt.style.context("dark_background" if list(CASES).index(name) % 2 else "default"):
        ax = CASES[name]()
    figure = ax.get_figure(root=True)
    figure.draw_without_rendering()
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts(ax)]
    page = figure.bbox
    assert [
        (text, box) for text, box in boxes if min(box.x0, box.y0, page.x1 - box.x1, page.y1 - box.y1) < -1
    ] == []
    assert [
        (one, other)
        for (one, here), (other, there) in combinations(boxes, 2)
        if min(here.x1, there.x1) - max(here.x0, there.x0) > 1
        and min(here.y1, there.y1) - max(here.y0, there.y0) > 1
    ] == []
    if name.split()[0] in {"storage", "terms"}:
        assert not ax.xaxis.get_visible(), "the numbers are at the bars"
    if name.split()[0] in {"dfw", "storage", "terms", "roles"}:
        rows = ax.viewLim.height
        assert 0.225 < abs(ax.get_window_extent().height / figure.dpi / rows) < (0.45 if abs(rows) > 9 else 2)
    pages = {text: figure.get_facecolor() for text in texts(ax)}
    if "roles" in name:  # numbers on tinted cells
        (mesh,) = ax.collections
        shades = mesh.get_facecolors().reshape(*mesh.get_array().shape, 4)
        pages |= {text: shades[int(text.get_position()[1]), int(text.get_position()[0])] for text in ax.texts}
    assert [text for text, behind in pages.items() if contrast(text.get_color(), behind) < 4.5] == []


# Machado, Oliveira and Fernandes (2009), for people who lack one kind of cones; in linear RGB.
VISION = {
    "all cones": np.eye(3),
    "no red": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "no green": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "no blue": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
XYZ = np.array([[0.4125, 0.3576, 0.1804], [0.2127, 0.7152, 0.0722], [0.0193, 0.1192, 0.9503]])


def lab(color: Any, vision: Any) -> Any:
    """Return a color as seen, in CIELAB, where a distance of 2.3 is just noticeable."""
    part = np.array(to_rgb(color))
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    light = XYZ @ np.clip(np.asarray(vision) @ linear, 0, 1) / XYZ.sum(axis=1)
    x, y, z = np.where(light > 0.008856, np.cbrt(light), 7.787 * light + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("theme", [look.LIGHT, look.DARK], ids=["light", "dark"])
def test_every_color_vision_tells_the_colors_apart(theme, vision):
    for colors in (theme.colors, theme.tints):
        seen_as = [lab(color, VISION[vision]) for color in colors]
        assert min(np.linalg.norm(one - other) for one, other in combinations(seen_as, 2)) > 14


@pytest.mark.parametrize(
    ("theme", "page"), [(look.LIGHT, "white"), (look.DARK, "black")], ids=["light", "dark"]
)
def test_colors_stand_out_from_their_page(theme, page):
    for color in (theme.strong, theme.text, theme.faint, *theme.colors):
        assert contrast(color, page) >= 4.5
    assert contrast(theme.strong, page) > contrast(theme.text, page) > contrast(theme.faint, page)
    # The smallest numbers of a color scale.
    assert contrast(theme.tints[0], page) > 1.4
