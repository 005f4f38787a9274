"""The JSON objects of the demo Canvas."""

import hashlib
import hmac
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from .canvas import Canvas
from .runs import Run, RunState, has_file, stored_parameters
from .world import World

USER_ID = 501
USER_NAME = "R. Quill"


def local_time(instant: datetime, zone: str) -> str:
    """Write an instant in a zone, in whole seconds; `Z` only where the zone is UTC."""
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
        "parameters": stored_parameters(run, state),
        "current_line": state.current_line,
        "status": status,
        "report": run.report,
        "created_at": local_time(run.created_at, world.zone),
        "started_at": None if state.started_at is None else local_time(state.started_at, world.zone),
        "ended_at": None if state.ended_at is None else local_time(state.ended_at, world.zone),
        "file_url": None,
    }
    if not canvas.settings.old:
        body |= {
            "run_time": _run_time(run, state, canvas.clock.now()),
            "message": _message(canvas, world, run, state),
            "user": _user(canvas),
        }
    if has_file(run, state):
        body["file_url"] = f"{canvas.hosts.api}/accounts/{run.account_id}/files/{run.attachment_id}/download"
        body["attachment"] = _attachment(canvas, run, state)
    return body


def file_uuid(canvas: Canvas, run: Run) -> str:
    """Return the name of a run's file on the files host, which nobody can guess."""
    digest = hmac.digest(canvas.secret, b"file %d" % run.attachment_id, hashlib.sha256)
    return str(uuid.UUID(bytes=digest[:16]))


def account_body(world: World, row: Mapping[str, object]) -> dict[str, object]:
    """Return the Account object of a row of the university's accounts."""
    return {
        "id": row["id"],
        "name": row["name"],
        "workflow_state": row["status"],
        "parent_account_id": row["parent_id"],
        "root_account_id": None if row["parent_id"] is None else 1,
        "default_time_zone": world.zone,
        "sis_account_id": row["sis_id"],
        "integration_id": row["integration_id"],
    }


def user_body(world: World) -> dict[str, object]:
    """Return the User object of the token's owner."""
    return {
        "id": USER_ID,
        "name": USER_NAME,
        "short_name": USER_NAME,
        "time_zone": world.zone,
        "locale": "en",
    }


def stringified(body: object) -> object:
    """Return a copy in which every id is text."""
    if isinstance(body, list):
        return [stringified(item) for item in body]
    if isinstance(body, dict):
        return {k: str(v) if _is_id(k, v) else stringified(v) for k, v in body.items()}
    return body


def _is_id(key: str, value: object) -> bool:
    return (key == "id" or key.endswith("_id")) and isinstance(value, int) and not isinstance(value, bool)


def _run_time(run: Run, state: RunState, now: datetime) -> float:
    since = state.started_at or run.created_at
    return max(0.0, round(((state.ended_at or now) - since).total_seconds(), 3))


def _message(canvas: Canvas, world: World, run: Run, state: RunState) -> str | None:
    title, made = run.report.replace("_", " ").title(), run.made()
    if state.status == "error":
        return f"Generating the report, {title}, failed."
    if state.status == "aborted":
        return f"Generating the report, {title}, stopped."
    if made is None or not has_file(run, state):
        return None
    account = next((r["name"] for r in world.accounts.to_dicts() if r["id"] == run.account_id), "")
    settings = f"Account: {account}; {made.summary}"
    return f"{canvas.types[run.report].title} report successfully generated with the following settings. {settings}"


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
    old = {"uuid": file_uuid(canvas, run)} if canvas.settings.old else {}
    return {
        "id": run.attachment_id,
        "folder_id": 310,
        "display_name": made.name,
        "filename": made.name,
        **old,
        "upload_status": "success",
        "content-type": content_type(made.name),
        "url": url + (f"&verifier={old['uuid']}" if old else ""),
        "size": made.file.stat().st_size,
        "created_at": at,
        "updated_at": at,
        "unlock_at": None,
        "locked": False,
        "hidden": False,
        "lock_at": None,
        "hidden_for_user": False,
        "thumbnail_url": None,
        "modified_at": at,
        "mime_class": "file",
        "media_entry_id": None,
        "category": "uncategorized",
        "locked_for_user": False,
    }


def content_type(name: str) -> str:
    """Return the media type Canvas gives a report file of this name."""
    return "application/zip" if name.lower().endswith(".zip") else "text/csv"


def course_body(row: Mapping[str, object]) -> dict[str, object]:
    """Return the Course object of a row of the university's courses."""
    return {
        "id": row["id"],
        "name": row["name"],
        "course_code": row["code"],
        "account_id": row["account_id"],
        "enrollment_term_id": row["term_id"],
        "workflow_state": row["status"],
        "sis_course_id": row["sis_id"],
    }


def term_body(row: Mapping[str, object], zone: str) -> dict[str, object]:
    """Return the EnrollmentTerm object of a row of the university's terms."""

    def time(name: str) -> str | None:
        value = row.get(name)
        return (
            local_time(value.replace(tzinfo=value.tzinfo or UTC), zone)
            if isinstance(value, datetime)
            else None
        )

    return {
        "id": row["id"],
        "name": row["name"],
        "start_at": time("start_at"),
        "end_at": time("end_at"),
        "created_at": time("created_at"),
        "workflow_state": row["status"],
        "sis_term_id": row["sis_id"],
    }
