"""Errors and JSON from the server's responses.

Canvas translates its messages, so status codes and keys decide. The one message matched is that of the
throttle, which is always English.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from canvas_reports_nb.canvas_api.models import ReportRun
from canvas_reports_nb.exceptions import (
    AuthenticationError,
    CanvasReportsError,
    DuplicateRunError,
    InvalidTermError,
    NotFoundError,
    NotPermittedError,
    ParameterError,
    ServerError,
    ThrottledError,
    UnexpectedAnswerError,
    UserAgentRefusedError,
)

if TYPE_CHECKING:
    from requests import Response

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_RENEW = "Create a new token in Canvas (Account, Settings, New Access Token), or check CANVAS_API_TOKEN."
_YEARS = range(1970, 2200)  # in which dates can be added and subtracted
_LATER = "Try again in a few minutes; Canvas or a proxy in between may have a problem."


def is_html(response: Response) -> bool:
    """Return whether the response is a web page, such as a login page or a proxy's error."""
    return "html" in response.headers.get("Content-Type", "").lower()


def json_body(response: Response) -> Any:
    """Return the JSON of a response; raise an error for a login page or anything else."""
    if is_html(response):
        raise AuthenticationError(
            "Canvas sent a web page, most likely its login page, instead of data.",
            hint=f"{_RENEW} If the token works, check that the address is that of your Canvas.",
            url=response.url,
        )
    try:
        return _decode(response)
    except (ValueError, RecursionError) as error:
        raise UnexpectedAnswerError(
            "Canvas sent a response that is not JSON.", hint=_LATER, url=response.url
        ) from error


def error_for(response: Response) -> CanvasReportsError | None:
    """Return the error that a response means; ``None`` for a success."""
    status, url = response.status_code, response.url
    if status < 400:  # noqa: PLR2004 - where errors begin (RFC 9110)
        return None
    body = _json_or_none(response)
    server_text = _server_message(body)
    error: CanvasReportsError
    match status:
        case 400:
            error = _bad_request(body, server_text, url)
        case 401:
            error = _unauthorized(body, server_text, url)
        case 403:
            error = _forbidden(response, body, server_text, url)
        case 404:
            error = NotFoundError("Canvas has nothing at this address.", url=url)
        case 409 if isinstance(body, dict) and "id" in body:
            error = DuplicateRunError("An equal run is already in progress.", ReportRun.from_api(body))
        case 429:
            error = _throttled(status, url)
        case _:
            kind = ServerError if status >= 500 else UnexpectedAnswerError  # noqa: PLR2004 - RFC 9110 again
            error = kind(f"Canvas responded with status {status}{server_text}.", hint=_LATER, url=url)
    return error


def retry_after(response: Response, now: datetime) -> float:
    """Return the seconds that the server asks us to wait, given as a number or a date (RFC 9110), or 0."""
    asked = response.headers.get("Retry-After", "").strip()
    if asked.isdecimal():
        return float(asked)
    until = http_date(asked)
    if until is None:
        return 0.0
    return max((until - (http_date(response.headers.get("Date")) or now)).total_seconds(), 0.0)


def http_date(text: str | None) -> datetime | None:
    """Return the time in an HTTP header; ``None`` if it is missing, invalid, or of another age."""
    with suppress(ValueError, TypeError, OverflowError, LookupError):
        moment = parsedate_to_datetime(text or "")
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        return moment if moment.year in _YEARS else None
    return None


def _bad_request(body: Any, server_text: str, url: str) -> CanvasReportsError:
    error = body.get("error") if isinstance(body, dict) else None
    if isinstance(error, str) and "term" in error:
        hint = 'Use a Canvas id, "sis_term_id:X", "default" or "current". canvas.terms() lists the terms.'
        return InvalidTermError(f"Canvas has no such term: {error}.", hint=hint, url=url)
    hint = "Compare the parameters with those that canvas.report(name) lists."
    return ParameterError(f"Canvas rejected the request as malformed{server_text}.", hint=hint, url=url)


def _unauthorized(body: Any, server_text: str, url: str) -> CanvasReportsError:
    # Older servers respond to a missing permission with 401 and this status.
    if isinstance(body, dict) and body.get("status") == "unauthorized":
        return _not_permitted(url)
    hint, reason = _RENEW, f"Canvas did not accept the token{server_text}."
    if isinstance(body, dict) and body.get("status") == "unverified":
        hint = "Log in to Canvas once as the token's owner and confirm the e-mail address."
    elif "scope" in server_text.casefold():
        reason = f"The token's scopes don't allow a call of {urlsplit(url).path}{server_text}."
        hint = (
            "A new token won't help. Ask a Canvas admin to add the scope of this call to its developer key."
        )
    return AuthenticationError(reason, hint=hint, url=url)


def _forbidden(response: Response, body: Any, server_text: str, url: str) -> CanvasReportsError:
    if isinstance(body, dict):  # JSON comes only from Canvas's own permission check
        return _not_permitted(url, server_text)
    if b"Rate Limit Exceeded" in response.content:
        return _throttled(response.status_code, url)
    return UserAgentRefusedError(
        "The request was rejected before Canvas checked any permission (403). A proxy or firewall may have "
        "blocked it, or removed the User-Agent that hosted Canvas requires.",
        hint="Ask the administrators of the proxy or firewall between this machine and Canvas.",
        url=url,
    )


def _not_permitted(url: str, server_text: str = "") -> NotPermittedError:
    hint = 'Ask a Canvas admin for the permission "Reports - manage" on this account.'
    return NotPermittedError(f"The token's owner may not do this{server_text}.", hint=hint, url=url)


def _throttled(status: int, url: str) -> ThrottledError:
    hint = "Send fewer requests at once; the limit resets within a minute."
    return ThrottledError(f"Canvas throttled this token ({status}, Rate Limit Exceeded).", hint=hint, url=url)


def _json_or_none(response: Response) -> Any:
    with suppress(ValueError, RecursionError):
        return None if is_html(response) else _decode(response)
    return None


def _decode(response: Response) -> Any:
    return _printable(response.json())


def _printable(value: Any) -> Any:
    """Replace half surrogate pairs and terminal control characters in all texts of a JSON value."""
    if isinstance(value, str):
        if value.isprintable():
            return value
        text = value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        return _CONTROL.sub("\ufffd", text)
    if isinstance(value, list):
        return [_printable(item) for item in value]
    return {_printable(k): _printable(v) for k, v in value.items()} if isinstance(value, dict) else value


def _server_message(body: Any) -> str:
    """Return the server's own message as " (message)", or ""."""
    if not isinstance(body, dict):
        return ""
    errors = body.get("errors", body.get("error"))
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        errors = errors[0].get("message")
    return f" ({errors})" if isinstance(errors, str) and errors else ""
