"""Keys in links stay out of logs and off the disk; what only tells what was asked stays readable."""

import logging

import pytest

from canvas_reports_nb.canvas_api import redaction as links

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
        ("urllib3.util.retry", "(url='%s')", ("/files/9/download?verifier=hidden",), "verifier=***')"),
        ("urllib3.connectionpool", "100 %% of %s", ("it",), "100 % of it"),
    ],
)
def test_urllib3_logs_no_key(
    caplog: pytest.LogCaptureFixture, logger: str, message: str, arguments: tuple[object, ...], shown: str
) -> None:
    for _ in range(2):
        links.keep_keys_out_of_logs()
    with caplog.at_level(logging.DEBUG, logger):
        logging.getLogger(logger).debug(message, *arguments)
    (record,) = caplog.records
    assert record.getMessage().endswith(shown)
    assert "hidden" not in repr(vars(record))
    assert len(logging.getLogger(logger).filters) == 1


def test_a_link_and_a_body_without_keys() -> None:
    assert links.without_query("https://a.example.org/f?token=hidden") == "https://a.example.org/f"
    body = b'{"url": "https://a.example.org/f?verifier=hidden&x=1", "n": "Signature=hidden"}'
    assert b"hidden" not in links.body_without_keys(body)
    assert b'"https://a.example.org/f?verifier=&x=1"' in links.body_without_keys(body)
