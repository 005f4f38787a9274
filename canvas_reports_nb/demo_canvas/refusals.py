"""The ways in which Canvas refuses: status, body and headers of each."""

from collections.abc import Mapping
from types import MappingProxyType

CHALLENGE: Mapping[str, str] = MappingProxyType({"WWW-Authenticate": 'Bearer realm="canvas-lms"'})
NO_HEADERS: Mapping[str, str] = MappingProxyType({})
PLAIN_TEXT = "text/plain; charset=utf-8"
LOGIN_PAGE = """<!DOCTYPE html>
<html lang="en"><head><title>Log in to Canvas</title></head>
<body><form action="/login/canvas" method="post"><label>Login <input name="unique_id"></label></form></body>
</html>
"""
GATEWAY_PAGE = (
    "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n"
)


class Refusal(Exception):  # noqa: N818 - a response to send, not a fault of the program
    """A response other than the one asked for; a text body is sent as it is, any other as JSON."""

    def __init__(
        self,
        status: int,
        body: object,
        headers: Mapping[str, str] = NO_HEADERS,
        media_type: str = "text/html; charset=utf-8",
    ) -> None:
        super().__init__(status)
        self.status = status
        self.body = body
        self.headers = headers
        self.media_type = media_type


def not_found() -> Refusal:
    """Refuse an unknown account, type, run or page, and the abort of a finished run."""
    return Refusal(404, {"errors": [{"message": "The specified resource does not exist."}]})


def unauthenticated() -> Refusal:
    """Refuse a request without credentials."""
    body = {"status": "unauthenticated", "errors": [{"message": "user authorization required"}]}
    return Refusal(401, body, CHALLENGE)


def invalid_token() -> Refusal:
    """Refuse an unknown token, and one of an application after its hour."""
    return Refusal(401, {"errors": [{"message": "Invalid access token."}]}, CHALLENGE)


def expired_token(since: str, *, old: bool) -> Refusal:
    """Refuse a token whose fixed expiry was at `since`; to older servers it is unknown."""
    if old:
        return invalid_token()
    body = {"errors": [{"message": "Expired access token.", "expired_at": since}]}
    return Refusal(401, body, CHALLENGE)


def revoked_token(*, old: bool) -> Refusal:
    """Refuse a deleted token; to older servers it is unknown."""
    if old:
        return invalid_token()
    return Refusal(401, {"errors": [{"message": "Revoked access token."}]}, CHALLENGE)


def insufficient_scopes() -> Refusal:
    """Refuse a call that is not among the scopes of the token's developer key."""
    return Refusal(401, {"errors": [{"message": "Insufficient scopes on access token."}]})


def unverified() -> Refusal:
    """Refuse an owner who has not confirmed an e-mail address yet."""
    message = "Complete registration by clicking the \u201cfinish the registration process\u201d link sent to your email."
    return Refusal(401, {"status": "unverified", "errors": [{"message": message}]})


def invalid_masquerade() -> Refusal:
    """Refuse to act as another user, which the token's owner may not."""
    return Refusal(401, {"errors": "Invalid as_user_id"})


def not_a_root_account() -> Refusal:
    """Refuse the terms of a sub-account."""
    return Refusal(400, {"message": "Terms only belong to root_accounts."})


def no_permission(*, old: bool) -> Refusal:
    """Refuse what the token's owner may not do; older servers send 401."""
    body = {"status": "unauthorized", "errors": [{"message": "user not authorized to perform that action"}]}
    return Refusal(401 if old else 403, body, {"Cache-Control": "no-cache, no-store"})


def no_user_agent() -> Refusal:
    """Refuse a request without a User-Agent, as hosted Canvas does."""
    return Refusal(403, "403 Forbidden\n", media_type=PLAIN_TEXT)


def throttled(status: int) -> Refusal:
    """Refuse a token that used up its throttle: 403 or, where so configured, 429."""
    phrase = {403: "Forbidden", 429: "Too Many Requests"}[status]
    text = f"{status} {phrase} (Rate Limit Exceeded)\n"
    return Refusal(status, text, {"X-Rate-Limit-Remaining": "0.0"}, PLAIN_TEXT)


def invalid_term(text: str) -> Refusal:
    """Refuse an unknown term."""
    return Refusal(400, {"error": f"invalid enrollment_term_id '{text}'"})


def server_fault(report_id: int) -> Refusal:
    """Report that something broke."""
    error = {"message": "An error occurred.", "error_code": "internal_server_error"}
    return Refusal(500, {"errors": [error], "error_report_id": report_id})


def bad_gateway() -> Refusal:
    """Respond as the load balancer in front of a Canvas that is down."""
    return Refusal(502, GATEWAY_PAGE)


def login_page() -> Refusal:
    """Show what a web address shows to someone who is not logged in."""
    return Refusal(200, LOGIN_PAGE)
