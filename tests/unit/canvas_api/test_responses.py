"""The error that each known error response of Canvas becomes."""

import json
from typing import Any

import pytest
import requests

from canvas_reports_nb import exceptions as exc
from canvas_reports_nb.canvas_api.responses import error_for, json_body

JSON, TEXT, HTML = "application/json; charset=utf-8", "text/plain; charset=utf-8", "text/html; charset=utf-8"
URL = "https://canvas.example.edu/api/v1/accounts/1/reports?token=hidden"
RUN = {"id": 81234, "report": "grade_export_csv", "status": "running"}
UNAUTHORIZED = {
    "status": "unauthorized",
    "errors": [{"message": "user not authorised to perform that action"}],
}


def answer(status: int, body: Any, kind: str = JSON) -> requests.Response:
    """Make a response as `requests` returns it."""
    response = requests.Response()
    response.status_code, response.url = status, URL
    response.headers["Content-Type"] = kind
    response.encoding = "utf-8"
    response._content = (body if isinstance(body, str) else json.dumps(body)).encode()
    return response


def errors(message: str, **more: Any) -> dict[str, Any]:
    return {"errors": [{"message": message}], **more}


@pytest.mark.parametrize(
    ("response", "error", "says"),
    [
        (
            answer(401, errors("user authorization required", status="unauthenticated")),
            exc.AuthenticationError,
            "",
        ),
        (answer(401, errors("Invalid access token.")), exc.AuthenticationError, "Invalid access token."),
        (answer(401, errors("Jeton expiré.")), exc.AuthenticationError, "Jeton expiré."),
        (answer(401, errors("Insufficient scopes on access token.")), exc.AuthenticationError, "scopes"),
        (
            answer(401, errors("Insufficient scopes on access token.")),
            exc.AuthenticationError,
            "developer key",
        ),
        (answer(401, errors("Sign up.", status="unverified")), exc.AuthenticationError, "confirm the e-mail"),
        (answer(401, {"errors": "Invalid as_user_id"}), exc.AuthenticationError, "Invalid as_user_id"),
        (answer(401, ""), exc.AuthenticationError, "token"),
        (answer(401, UNAUTHORIZED), exc.NotPermittedError, "admin"),
        (answer(403, UNAUTHORIZED), exc.NotPermittedError, "Reports - manage"),
        (
            answer(403, {"status": "non autorisé", "errors": [{"message": "Interdit"}]}),
            exc.NotPermittedError,
            "Interdit",
        ),
        (answer(403, "403 Forbidden (Rate Limit Exceeded)\n", TEXT), exc.ThrottledError, "403"),
        (answer(429, "429 Too Many Requests (Rate Limit Exceeded)\n", TEXT), exc.ThrottledError, "429"),
        (answer(429, ""), exc.ThrottledError, "429"),
        (answer(403, "A User-Agent header is required.", TEXT), exc.UserAgentRefusedError, "proxy"),
        (answer(403, "<h1>Forbidden</h1>", HTML), exc.UserAgentRefusedError, ""),
        (answer(404, errors("The specified resource does not exist.")), exc.NotFoundError, ""),
        (answer(404, "<h1>Page Not Found</h1>", HTML), exc.NotFoundError, ""),
        (answer(400, {"error": "invalid enrollment_term_id '99'"}), exc.InvalidTermError, "'99'"),
        (answer(400, {"errors": [{"message": "nope"}]}), exc.ParameterError, "nope"),
        (answer(400, {"error": {"type": "odd"}}), exc.ParameterError, ""),
        (answer(400, []), exc.ParameterError, ""),
        (answer(409, RUN), exc.DuplicateRunError, "already in progress"),
        (answer(409, errors("conflict")), exc.UnexpectedAnswerError, "409"),
        (answer(422, ["odd"]), exc.UnexpectedAnswerError, "422"),
        (answer(500, errors("An error occurred.", error_report_id=7)), exc.ServerError, "An error occurred."),
        (answer(502, "<html><h1>Bad Gateway</h1>", HTML), exc.ServerError, "502"),
        (answer(503, ""), exc.ServerError, "503"),
    ],
    ids=lambda value: (
        f"{value.status_code} {value.text[:40]}" if isinstance(value, requests.Response) else ""
    ),
)
def test_the_error_for_a_response(
    response: requests.Response, error: type[exc.CanvasReportsError], says: str
) -> None:
    refused = error_for(response)
    assert type(refused) is error
    assert says in str(refused)
    assert "hidden" not in f"{refused} {refused!r} {refused.url}"
    assert "<h1>" not in str(refused)


def test_the_run_in_progress_is_on_the_error() -> None:
    refused = error_for(answer(409, {**RUN, "id": "81234"}))
    assert isinstance(refused, exc.DuplicateRunError)
    assert (refused.run.id, refused.run.status, refused.run_id) == (81234, "running", 81234)


@pytest.mark.parametrize("status", [200, 201, 206, 302, 304])
def test_a_success_has_no_error(status: int) -> None:
    assert error_for(answer(status, errors("odd"))) is None


def test_json_body() -> None:
    assert json_body(answer(200, [RUN])) == [RUN]
    assert json_body(answer(200, RUN, TEXT)) == RUN


@pytest.mark.parametrize(
    ("body", "kind", "error"),
    [
        ("<html>Log in to Canvas</html>", HTML, exc.AuthenticationError),
        ("", HTML, exc.AuthenticationError),
        ("", JSON, exc.UnexpectedAnswerError),
        ("while(1);[]", JSON, exc.UnexpectedAnswerError),
        ("user_id,name\n", "text/csv", exc.UnexpectedAnswerError),
    ],
)
def test_a_response_without_json(body: str, kind: str, error: type[exc.CanvasReportsError]) -> None:
    with pytest.raises(error) as caught:
        json_body(answer(200, body, kind))
    assert type(caught.value) is error


def test_control_characters_never_reach_a_terminal() -> None:
    sent = {"message\x1b": ["a\x1b]0;x\x07b", {"c": "\x9b2J\x7f"}], "kept": "tab\t, line\r\n, \u00e9\u200f"}
    shown = json_body(answer(200, sent))
    assert shown == {"message\ufffd": ["a\ufffd]0;x\ufffdb", {"c": "\ufffd2J\ufffd"}], "kept": sent["kept"]}
    error = error_for(answer(500, {"errors": [{"message": "\x1b[2J"}]}))
    assert "\x1b" not in str(error)
