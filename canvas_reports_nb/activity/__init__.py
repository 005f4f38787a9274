"""Who was there and which courses are used: the activity reports, joined and counted once.

These reports have a row an enrolment or a row a login. Every analysis here counts people by their Canvas
id, and a student once in a course. Times are UTC, storage is in megabytes as Canvas reports it, shares lie
between 0 and 1, counts are ``Int64``.
"""

from canvas_reports_nb.activity.cleaning import clean_up
from canvas_reports_nb.activity.seen import last_access_by_week
from canvas_reports_nb.activity.silent import no_submissions, zero_activity

__all__ = ["clean_up", "last_access_by_week", "no_submissions", "zero_activity"]
