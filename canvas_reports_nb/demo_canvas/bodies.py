"""The JSON objects of the demo Canvas."""

import hashlib
import hmac
import uuid
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from zoneinfo import ZoneInfo

from .canvas import Canvas
from .runs import Run, RunState, has_file, stored_parameters
from .world import World

USER_ID = 501
USER_NAME = "R. Quill"
_PLAIN_FILE: Mapping[str, object] = MappingProxyType(
    {"folder_id": 310, "upload_status": "success", "mime_class": "file", "category": "uncategorized"}
    | dict.fromkeys(("locked", "locked_for_user", "hidden", "hidden_for_user"), False)
    | dict.fromkeys(("lock_at", "unlock_at", "thumbnail_url", "media_entry_id"))
)
"""The fields with equal values in every report file."""


def local_time(instant: datetime, zone: str) -> str:
    """Return an instant in a zone, in whole seconds; `Z` only if the zone is UTC."""
    text = instant.astimezone(ZoneInfo(zone)).isoformat(timespec="seconds")
    return text.replace("+00:00", "Z")


def run_body(canvas: Canvas, world: World, run: Run, state: RunState) -> dict[str, object]:
    """Return the Report object of a run."""
    status = state.status
    for scenario in canvas.scenarios:
        status = scenario.status(status, state.share)
    body: dict[str, object] = {
        "id": run.id,
        "progress": state.progress,
        "parameters": stored_parameters(run, state, world.settings.locale),
        "current_line": state.current_line,
        "status": status,
        "report": run.report,
        "created_at": local_time(run.created_at, world.zone),
        "started_at": None if state.started_at is None else local_time(state.started_at, world.zone),
        "ended_at": None if state.ended_at is None else local_time(state.ended_at, world.zone),
        "file_url": None,
    }
    if not canvas.options.old:
        body |= {
            "run_time": _run_time(run, state, canvas.clock.now()),
            "message": _message(canvas, world, run, state),
            "user": _user(canvas),
        }
    if has_file(run, state):
        body["file_url"] = f"{canvas.hosts.api}/accounts/{run.account_id}/files/{run.attachment_id}/download"
        shown: dict[str, object] | None = _attachment(canvas, run, state)
        for scenario in canvas.scenarios:
            shown = shown and scenario.attachment(shown)
        body["attachment"] = shown
    return body


def file_uuid(canvas: Canvas, run: Run) -> str:
    """Return the verifier of a run's file, which opens it on an old server."""
    digest = hmac.digest(canvas.secret, b"file %d" % run.attachment_id, hashlib.sha256)
    return str(uuid.UUID(bytes=digest[:16]))


def _picked(row: Mapping[str, object], *same: str, **named: str) -> dict[str, object]:
    return {name: row[name] for name in same} | {name: row[source] for name, source in named.items()}


def account_body(world: World, row: Mapping[str, object], *, sees_sis: bool) -> dict[str, object]:
    """Return the Account object of one row of the accounts; SIS ids need a right on the root account."""
    is_root = row["parent_id"] is None
    body = _picked(row, "id", "name", workflow_state="status", parent_account_id="parent_id") | {
        "root_account_id": None if is_root else 1,
        "uuid": hashlib.sha256(f"account {row['id']}".encode()).hexdigest()[:40],
        "default_storage_quota_mb": 500,
        "default_user_storage_quota_mb": 50,
        "default_group_storage_quota_mb": 50,
        "default_time_zone": world.zone,
        "default_time_zone_friendly_name": "Mountain Time (US & Canada)",
        "course_template_id": None,
    }
    if is_root or not sees_sis:
        return body
    return body | _picked(row, "integration_id", sis_account_id="sis_id") | {"sis_import_id": None}


def course_body(row: Mapping[str, object]) -> dict[str, object]:
    """Return the Course object of one row of the courses."""
    renamed = {"course_code": "code", "enrollment_term_id": "term_id", "workflow_state": "status"}
    return _picked(row, "id", "name", "account_id", sis_course_id="sis_id", **renamed)


def term_body(world: World, row: Mapping[str, object], *, sees_sis: bool) -> dict[str, object]:
    """Return the EnrollmentTerm object of one row of the terms."""
    times = {
        name: local_time(at, "UTC") if isinstance(at := row.get(name), datetime) else None
        for name in ("start_at", "end_at", "created_at")
    }
    periods = world.grading_periods.filter(term_id=row["id"])["set_id"]
    group = {"grading_period_group_id": periods[0] if len(periods) else None}
    sis = _picked(row, sis_term_id="sis_id") if sees_sis else {}
    return _picked(row, "id", "name", workflow_state="status") | times | group | sis


def user_body(world: World) -> dict[str, object]:
    """Return the User object of the token's owner."""
    names = {"name": USER_NAME, "short_name": USER_NAME}
    return {"id": USER_ID, **names, "time_zone": world.zone, "locale": "en"}


def stringified(body: object) -> object:
    """Return a copy with every id as text."""
    if isinstance(body, list):
        return [stringified(item) for item in body]
    if isinstance(body, dict):
        return {k: _text_of_ids(v) if _is_id(k) else stringified(v) for k, v in body.items()}
    return body


def _is_id(key: str) -> bool:
    return key in ("id", "ids") or key.endswith(("_id", "_ids"))


def _text_of_ids(value: object) -> object:
    if isinstance(value, list):
        return [_text_of_ids(item) for item in value]
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else stringified(value)


def _run_time(run: Run, state: RunState, now: datetime) -> float:
    since = state.started_at or run.created_at
    return max(0.0, round(((state.ended_at or now) - since).total_seconds(), 3))


def _message(canvas: Canvas, world: World, run: Run, state: RunState) -> str | None:
    # Canvas titles a run by its type here, with CSV in capitals, and by its listed title on success.
    name, made = run.report.replace("_", " ").title().replace("Csv", "CSV"), run.made()
    if state.ended_at is None or state.status not in ("error", "aborted", "complete", "deleted"):
        return None
    if state.status in ("error", "aborted"):
        return f"Generating the report, {name}, {'failed' if state.status == 'error' else 'stopped'}."
    if made is None or not has_file(run, state):
        return None
    account = next((r["name"] for r in world.accounts.to_dicts() if r["id"] == run.account_id), "")
    title = canvas.types[run.report].title
    return (
        f"{title} report successfully generated with the following settings. "
        f"Account: {account}; {made.summary}"
    )


def _user(canvas: Canvas) -> dict[str, object]:
    return {
        "id": USER_ID,
        "anonymous_id": "dx",
        "display_name": USER_NAME,
        "avatar_image_url": f"{canvas.hosts.api}/images/avatar.png",
        "html_url": f"{canvas.hosts.api}/users/{USER_ID}",
        "pronouns": None,
    }


def _attachment(canvas: Canvas, run: Run, state: RunState) -> dict[str, object]:
    made = run.made()
    if made is None or made.file is None:
        raise LookupError(run.id)
    at = local_time(state.ended_at or made.at, "UTC")
    url = f"{canvas.hosts.api}/files/{run.attachment_id}/download?download_frd=1"
    old = {"uuid": file_uuid(canvas, run)} if canvas.options.old else {}
    return {
        **_PLAIN_FILE,
        **old,
        "id": run.attachment_id,
        "display_name": made.name,
        "filename": made.name,
        "content-type": content_type(made.name),
        "url": url + (f"&verifier={old['uuid']}" if old else ""),
        "size": made.file.stat().st_size,
        **dict.fromkeys(("created_at", "updated_at", "modified_at"), at),
    }


def content_type(name: str) -> str:
    """Return the media type Canvas gives a report file of this name."""
    return "application/zip" if name.lower().endswith(".zip") else "text/csv"
