"""What a refusal of the server means: status, headers and body to one of our errors. Pure.

The texts of Canvas can be translated, so status codes and keys decide; the one text that is
matched is the fixed English of the throttle.
"""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

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

_RENEW = "Make a new token in Canvas (Account, Settings, New Access Token), or check CANVAS_API_TOKEN."
_LATER = "Canvas or something before it is in trouble; try again in a few minutes."


def is_html(response: Response) -> bool:
    """Whether a web page came where data was expected: a login page, a proxy's error."""
    return "html" in response.headers.get("Content-Type", "").lower()


def json_body(response: Response) -> Any:
    """The JSON of an answer.

    Raises
    ------
    AuthenticationError
        A login page came instead.
    UnexpectedAnswerError
        Not JSON.
    """
    if is_html(response):
        raise AuthenticationError(
            "Canvas sent a web page, most likely its login page, instead of data.",
            hint=f"{_RENEW} If the token is good, check that the address is Canvas's own.",
            url=response.url,
        )
    try:
        return _decoded(response)
    except (ValueError, RecursionError) as error:
        raise UnexpectedAnswerError("The answer is not JSON.", hint=_LATER, url=response.url) from error


def error_for(response: Response) -> CanvasReportsError | None:
    """The error an answer stands for; ``None`` for a success."""
    status, url = response.status_code, response.url
    if status < 400:  # noqa: PLR2004 - the boundary of RFC 9110
        return None
    body = _json_or_none(response)
    said = _said(body)
    refused: CanvasReportsError
    match status:
        case 400:
            refused = _bad_request(body, said, url)
        case 401:
            refused = _unauthorized(body, said, url)
        case 403:
            refused = _forbidden(response, body, said, url)
        case 404:
            refused = NotFoundError("Canvas knows nothing at this address.", url=url)
        case 409 if isinstance(body, dict) and "id" in body:
            refused = DuplicateRunError("An equal run is in flight already.", ReportRun.from_api(body))
        case 429:
            refused = _throttled(status, url)
        case _:
            kind = ServerError if status >= 500 else UnexpectedAnswerError  # noqa: PLR2004 - RFC 9110 again
            refused = kind(f"Canvas answered {status}{said}.", hint=_LATER, url=url)
    return refused


def retry_after(response: Response) -> float:
    """Seconds the server asks to be left alone, 0 where it asks nothing: a number or a date (RFC 9110)."""
    asked = response.headers.get("Retry-After", "").strip()
    if asked.isdecimal():
        return float(asked)
    until = _date(asked)
    if until is None:
        return 0.0
    # Against the server's own clock where it tells it: ours may be wrong by hours.
    now = _date(response.headers.get("Date", "")) or datetime.now(UTC)
    return max((until - now).total_seconds(), 0.0)


def _date(text: str) -> datetime | None:
    with suppress(ValueError):
        moment = parsedate_to_datetime(text)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None


def _bad_request(body: Any, said: str, url: str) -> CanvasReportsError:
    error = body.get("error") if isinstance(body, dict) else None
    if isinstance(error, str) and "term" in error:
        return InvalidTermError(
            f"Canvas knows no such term: {error}.",
            hint="Give a Canvas id, sis_term_id:X, default or current.",
            url=url,
        )
    return ParameterError(
        f"Canvas refused the request as malformed{said}.",
        hint="Compare its parameters with those of canvas.report(name).",
        url=url,
    )


def _unauthorized(body: Any, said: str, url: str) -> CanvasReportsError:
    # Servers before the change to 403 say "unauthorized" with 401 where a right is missing.
    if isinstance(body, dict) and body.get("status") == "unauthorized":
        return _not_permitted(url)
    return AuthenticationError(f"Canvas did not accept the token{said}.", hint=_RENEW, url=url)


def _forbidden(response: Response, body: Any, said: str, url: str) -> CanvasReportsError:
    if isinstance(body, dict):  # only Canvas's own check of rights answers in JSON
        return _not_permitted(url, said)
    if b"Rate Limit Exceeded" in response.content:
        return _throttled(response.status_code, url)
    return UserAgentRefusedError(
        "The request was refused before Canvas looked at its rights (403). Hosted Canvas does so where a "
        "User-Agent is missing; this package sends one, so something on the way removed it, or refuses for "
        "reasons of its own.",
        hint="Ask who runs the proxy or firewall between this machine and Canvas.",
        url=url,
    )


def _not_permitted(url: str, said: str = "") -> NotPermittedError:
    return NotPermittedError(
        f"The token's owner may not do this{said}.",
        hint='Ask a Canvas admin for the right "Reports - manage" on this account.',
        url=url,
    )


def _throttled(status: int, url: str) -> ThrottledError:
    return ThrottledError(
        f"Canvas throttles this token ({status}, Rate Limit Exceeded).",
        hint="Run fewer requests at once; the limit refills within a minute.",
        url=url,
    )


def _json_or_none(response: Response) -> Any:
    if is_html(response):
        return None
    try:
        return _decoded(response)
    except (ValueError, RecursionError):
        return None


def _decoded(response: Response) -> Any:
    told = response.json()
    if b"\\ud" not in response.content.lower():
        return told
    # Half a surrogate pair is good JSON and no text: no frame, file or terminal takes it.
    text = json.dumps(told, ensure_ascii=False).encode("utf-16-le", "surrogatepass")
    return json.loads(text.decode("utf-16-le", "replace"))


def _said(body: Any) -> str:
    """The server's own words, as " (words)"."""
    if not isinstance(body, dict):
        return ""
    errors = body.get("errors", body.get("error"))
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        errors = errors[0].get("message")
    return f" ({errors})" if isinstance(errors, str) and errors else ""
