"""Links that open a file by themselves, and how their keys are kept out of what is shown or written.

The storage behind a Canvas signs its links in the query string; servers of before 2026 put a ``verifier`` there.
"""

from __future__ import annotations

import logging
import re

_API = "/api/v1/"
_KEY_IN_BODY = re.compile(rb'((?:verifier|token|Signature|X-Amz-[A-Za-z-]+)=)[^"&\\]+')
# Storages name their keys as they like, so every value goes; names tell enough of what was asked.
_VALUE = re.compile(r"(?<=[?&])([^=&]+)=[^&\"'>)]*")
_ADDRESS = re.compile(r"\S+\?\S+")
_CHATTY = ("urllib3.connectionpool", "urllib3.poolmanager", "urllib3.util.retry")


def without_query(url: str) -> str:
    """An address without its query string, where keys stand."""
    return url.partition("?")[0]


def body_without_keys(body: bytes) -> bytes:
    """The JSON of an answer with the keys taken off the links in it."""
    return _KEY_IN_BODY.sub(rb"\1", body)


def keep_keys_out_of_logs() -> None:
    """Hide the values in the query strings that urllib3 logs, those of Canvas's API left out.

    Its records at DEBUG hold every address asked. This holds for the whole process; to call it again changes
    nothing.
    """
    for name in _CHATTY:
        logging.getLogger(name).addFilter(_without_keys)


def _without_keys(record: logging.LogRecord) -> bool:
    said = record.getMessage()
    if "?" in said:
        record.msg, record.args = _ADDRESS.sub(_masked, said), ()
    return True


def _masked(address: re.Match[str]) -> str:
    return address[0] if _API in address[0] else _VALUE.sub(r"\1=***", address[0])
