"""Which column of which table of a run points to which other table."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

__all__ = ["KNOWN", "Pointer", "pointers"]

_KEYS = {
    "users": "user_id",
    "accounts": "account_id",
    "terms": "term_id",
    "courses": "course_id",
    "sections": "section_id",
    "groups": "group_id",
    "group_categories": "group_category_id",
}
# A column with "canvas_" before it holds Canvas ids, the same without it SIS ids; a file may have both.
_POINTERS = {
    "accounts": {"parent_id": "accounts", "parent_account_id": "accounts"},
    "courses": {"account_id": "accounts", "term_id": "terms", "blueprint_course_id": "courses"},
    "sections": {"course_id": "courses", "account_id": "accounts"},
    "enrollments": {
        "course_id": "courses",
        "user_id": "users",
        "section_id": "sections",
        "associated_user_id": "users",
        "temporary_enrollment_source_user_id": "users",
    },
    "groups": {"group_category_id": "group_categories", "account_id": "accounts", "course_id": "courses"},
    "group_membership": {"group_id": "groups", "user_id": "users"},
    "group_categories": {"account_id": "accounts", "course_id": "courses"},
    "xlist": {"xlist_course_id": "courses", "section_id": "sections", "nonxlist_course_id": "courses"},
    "user_observers": {"observer_id": "users", "student_id": "users"},
    "admins": {"user_id": "users", "account_id": "accounts"},
}
#: The tables that point or are pointed to.
KNOWN = tuple(dict.fromkeys([*_KEYS, *_POINTERS]))


class Pointer(NamedTuple):
    """A column of a table, and the column of another that has what it names."""

    table: str
    column: str
    target: str
    key: str


def pointers(held: Mapping[str, Collection[str]]) -> Iterator[Pointer]:
    """Those between the columns at hand, given by table: Canvas ids and SIS ids."""
    for table, columns in _POINTERS.items():
        for column, target in columns.items():
            for prefix in ("canvas_", ""):
                pointer = Pointer(table, prefix + column, target, prefix + _KEYS[target])
                if pointer.column in held.get(table, ()) and pointer.key in held.get(target, ()):
                    yield pointer
