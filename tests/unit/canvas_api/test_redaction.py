"""Keys in links never reach a log or the disk; the addresses of the API stay readable."""

import logging
import threading

import pytest

from canvas_reports_nb.canvas_api.redaction import body_without_keys, redacted_logs, without_query

API = "/api/v1/accounts/self/reports?per_page=100&include%5B%5D=description_html"


@pytest.mark.parametrize(
    ("logger", "message", "arguments", "shown"),
    [
        (
            "urllib3.connectionpool",
            '%s://%s:%s "%s %s %s" %s %s',
            ("https", "files.example.org", 443, "GET", "/f/7?download=1&token=hidden", "HTTP/1.1", 200, 12),
            'https://files.example.org:443 "GET /f/7?download=***&token=*** HTTP/1.1" 200 12',
        ),
        ("urllib3.connectionpool", "GET %s", (API,), f"GET {API}"),
        (
            "urllib3.poolmanager",
            "Redirecting %s -> %s",
            (f"https://canvas.example.edu{API}", "https://files.example.org/x?X-Amz-Signature=hidden"),
            f"Redirecting https://canvas.example.edu{API} -> https://files.example.org/x?X-Amz-Signature=***",
        ),
        (
            "urllib3.connectionpool",
            "GET %s",
            ("/api/v1/buckets/b/x?X-Amz-Signature=hidden&page=2",),
            "GET /api/v1/buckets/b/x?X-Amz-Signature=***&page=2",
        ),
        ("urllib3.util.retry", "(url='%s')", ("/files/9/download?verifier=hidden",), "verifier=***')"),
        ("urllib3.connectionpool", "100 %% of %s", ("it",), "100 % of it"),
    ],
)
def test_urllib3_logs_no_key(
    caplog: pytest.LogCaptureFixture, logger: str, message: str, arguments: tuple[object, ...], shown: str
) -> None:
    for _ in range(2):
        with redacted_logs():
            pass
    with caplog.at_level(logging.DEBUG, logger), redacted_logs():
        logging.getLogger(logger).debug(message, *arguments)
    (record,) = caplog.records
    assert record.getMessage().endswith(shown)
    assert "hidden" not in repr(vars(record))
    assert len(logging.getLogger(logger).filters) == 1


def test_the_log_lines_of_other_requests_stay_as_they_are(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("urllib3.connectionpool")
    with caplog.at_level(logging.DEBUG, logger.name), redacted_logs():
        other = threading.Thread(target=logger.debug, args=("GET %s", "/maps?zoom=7"))
        other.start()
        other.join()
    with caplog.at_level(logging.DEBUG, logger.name):
        logger.debug("GET %s", "/maps?zoom=8")
    assert [record.getMessage() for record in caplog.records] == ["GET /maps?zoom=7", "GET /maps?zoom=8"]


def test_a_link_and_a_body_without_keys() -> None:
    assert without_query("https://a.example.org/f?token=hidden") == "https://a.example.org/f"
    body = b'{"url": "https://a.example.org/f?verifier=hidden&x=1", "n": "Signature=hidden"}'
    assert b"hidden" not in body_without_keys(body)
    assert b'"https://a.example.org/f?verifier=&x=1"' in body_without_keys(body)
