"""The synthetic university: the same for a seed, of one piece, and odd in every way real files are."""

import itertools
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from canvas_reports_nb.demo_canvas.world import NOW, World, build_world
from canvas_reports_nb.demo_canvas.world.draws import Draws
from canvas_reports_nb.demo_canvas.world.learning import letter, submitted_between
from canvas_reports_nb.demo_canvas.world.people import GUEST
from tests.benchmarks.university import measured

_FRAMES = [name for name, kind in World.__annotations__.items() if kind == "pl.DataFrame"]


@pytest.fixture(scope="module")
def world() -> World:
    return build_world()


def test_equal_arguments_give_equal_worlds(world: World):
    again = build_world()
    for name in _FRAMES:
        assert_frame_equal(getattr(world, name), getattr(again, name))


def test_rows_keep_their_order_also_where_frames_are_joined_in_parallel():
    first, again = (build_world(seed=3, enrollments=20_000) for _ in range(2))
    for name in _FRAMES:
        assert_frame_equal(getattr(first, name), getattr(again, name))


def test_another_seed_gives_another_world(world: World):
    other = build_world(seed=7)
    assert not world.enrollments.equals(other.enrollments)
    assert not world.users.equals(other.users)


def test_every_table_has_rows_and_a_unique_id(world: World):
    for name in _FRAMES:
        frame = getattr(world, name)
        assert frame.height > 0, name
        if "id" in frame.columns:
            assert frame["id"].is_unique().all(), name


@pytest.mark.parametrize("size", [50, 3_000, 40_000])
def test_enrollments_number_what_was_asked_and_join(size: int):
    world = build_world(enrollments=size)
    rows = world.enrollments
    assert rows.height == size
    for key, table in (
        ("user_id", world.users),
        ("course_id", world.courses),
        ("section_id", world.sections),
    ):
        assert rows[key].is_in(table["id"].implode()).all(), key
    own = rows.join(world.sections.select(section_id="id", home="course_id"), on="section_id")
    assert (own["course_id"] == own["home"]).all()
    drawn = ~pl.col("id").is_between(77_001, 78_000)
    students = rows.filter(pl.col("type") == "StudentEnrollment", drawn)
    assert students.select("user_id", "section_id").is_unique().all()
    observers = rows.filter(pl.col("type") == "ObserverEnrollment").select("user_id", "associated_user_id")
    links = world.observer_links.select(user_id="observer_id", associated_user_id="student_id")
    assert observers.join(links, on=observers.columns, how="anti").is_empty()


def test_every_role_and_state_occurs(world: World):
    big = build_world(enrollments=20_000)
    assert big.enrollments["type"].n_unique() == 6
    assert set(big.enrollments["role_id"]) == {3, 4, 5, 6, 7, 8, 41}
    assert big.enrollments["state"].n_unique() == 7
    assert set(world.courses["status"]) == {"unpublished", "available", "completed", "deleted"}


@pytest.mark.parametrize("size", [50, 3_000])
def test_the_showpieces_are_in_a_world_of_any_size(size: int):
    world = build_world(enrollments=size)
    null = world.users.filter(id=2573).row(0, named=True)
    assert (null["name"], null["sis_id"]) == ("Null O'Neil", "000481")
    course = world.courses.filter(id=501).row(0, named=True)
    assert (course["name"], course["sis_id"], course["code"]) == (
        'Naval Architecture, "The Basics"',
        "00123",
        "NA",
    )
    assert {"007E2", "1e5"} <= set(world.courses["sis_id"])
    assert GUEST in world.enrollments["user_id"]
    assert world.users.filter(id=GUEST)["given"].item() == ""
    assert world.logins.filter(user_id=2573)["status"].to_list() == ["active", "suspended"]
    assert world.courses["name"].str.contains("\n").any()


@settings(max_examples=25)
@given(st.datetimes(datetime(2025, 1, 15), datetime(2045, 1, 1)))
def test_exactly_one_term_is_current_whenever_the_world_is_made(moment: datetime):
    now = moment.replace(tzinfo=UTC)
    world = build_world(enrollments=60, now=now)
    active = world.terms.filter(status="active")
    running = active.filter(pl.lit(world.now).is_between("start_at", "end_at"))
    assert running["id"].to_list() == [world.current_term]
    assert active.filter(pl.col("start_at") > world.now).height == 1
    assert active.filter(pl.col("end_at") < world.now).height == 7
    assert (world.enrollments["last_activity_at"].drop_nulls() <= world.now).all()


def test_a_time_before_the_calendar_is_refused():
    with pytest.raises(ValueError, match="no calendar"):
        build_world(now=datetime(2020, 1, 1, tzinfo=UTC))


def test_draws_do_not_depend_on_order_or_company():
    draws, ids = Draws(5), np.arange(1_000)
    shuffled = np.random.default_rng(0).permutation(ids)
    assert (draws.bits("x", ids)[shuffled] == draws.bits("x", shuffled)).all()
    assert (draws.bits("x", ids) != draws.bits("y", ids)).all()


def test_draws_have_the_shape_they_promise():
    draws, ids = Draws(1), np.arange(200_000)
    assert abs(draws.normal("n", ids).mean()) < 0.01
    assert abs(draws.normal("n", ids).std() - 1.0) < 0.01
    assert abs(draws.chance("c", ids, 0.3).mean() - 0.3) < 0.005
    parts = np.bincount(draws.choose("w", ids, [1, 2, 7])) / len(ids)
    assert np.allclose(parts, [0.1, 0.2, 0.7], atol=0.005)


@pytest.mark.parametrize(("score", "grade"), [(97.25, "A"), (88.0, "B+"), (60.99, "F"), (None, None)])
def test_letters_follow_the_scheme(score: float | None, grade: str | None):
    frame = pl.DataFrame({"score": [score]}, schema={"score": pl.Float64})
    assert frame.select(letter(pl.col("score"))).item() == grade


def test_a_longer_window_never_has_fewer_hand_ins(world: World):
    begins = world.courses.select(course_id="id", begins_at=pl.coalesce("start_at", "created_at"))
    rows = world.enrollments.join(begins, on="course_id")
    found = [
        submitted_between(world.draws, rows, NOW - timedelta(days=days), NOW) for days in (1, 7, 30, 4_000)
    ]
    totals = [int(part.sum()) for part in found]
    assert 0 < totals[0] < totals[1] < totals[2] < totals[3]
    assert all((short <= long).all() for short, long in itertools.pairwise(found))
    assert not found[3][rows["last_activity_at"].is_null().to_numpy()].any()


@pytest.mark.parametrize(("measure", "least", "most"), [
    ("class size, smallest", 3, 8), ("class size, median", 18, 30), ("class size, largest", 200, 300),
    ("courses per student and term", 4, 5), ("students back after a term, %", 85, 95),
    ("names per course code", 1, 1), ("terms per course code", 2, 9), ("A and A-, concluded, %", 36, 44),
    ("D, F, W, concluded, %", 9, 13), ("A and A-, current term, %", 10, 45), ("activity from 7 to 24 h, %", 99, 100),
    ("logins older than activity, %", 0, 0),
])  # fmt: skip
def test_it_looks_like_a_university(measures: dict[str, float], measure: str, least: float, most: float):
    assert least <= measures[measure] <= most


@pytest.fixture(scope="module")
def measures() -> dict[str, float]:
    return dict(measured(build_world(enrollments=60_000)))


def test_the_first_rows_are_ordinary(world: World):
    fixed = {2500, 2572, 2573, 2599, 2600, 2610, 2611, 2612, 2613, GUEST}
    assert not fixed & set(world.logins.head(15)["user_id"])
    assert not fixed & set(world.enrollments.head(15)["user_id"])
    assert world.courses.head(15)["id"].is_between(201, 499).all()
    assert world.sections.head(15)["id"].min() >= 20_001
    assert fixed <= set(world.logins["user_id"])


def test_a_student_takes_a_class_once_a_term(world: World):
    seats = world.enrollments.filter(
        pl.col("type") == "StudentEnrollment", ~pl.col("id").is_between(77_001, 78_000)
    )
    pairs = seats.group_by("user_id", "course_id").len()
    assert pairs["len"].max() <= 2, "in a second section at most"
