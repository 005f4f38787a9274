"""Keys in links, and how they stay out of logs, pickles and the HTTP cache.

File storages sign their links in the query string; Canvas servers before 2026 add a ``verifier`` to it.
"""

from __future__ import annotations

import logging
import re
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_KEY_IN_BODY = re.compile(rb'((?:verifier|token|Signature|X-Amz-[A-Za-z-]+)=)[^"&\\]+')
# Every storage has its own names for keys, so every value is masked but those that help to find errors.
_SHOWN = {"page", "per_page", "include[]", "include%5B%5D", "workflow_state[]", "workflow_state%5B%5D"}
_VALUE = re.compile(r"(?<=[?&])([^=&]+)=[^&\"'>)]*")
_ADDRESS = re.compile(r"\S+\?\S+")
_LOGGERS = ("urllib3.connectionpool", "urllib3.poolmanager", "urllib3.util.retry")
_IS_SENDING: ContextVar[bool] = ContextVar("is_sending", default=False)


def without_query(url: str) -> str:
    """Return an address without its query string, which may contain keys."""
    return url.partition("?")[0]


def body_without_keys(body: bytes) -> bytes:
    """Return the JSON of a response without the keys in its links."""
    return _KEY_IN_BODY.sub(rb"\1", body)


@contextmanager
def redacted_logs() -> Iterator[None]:
    """Mask the keys of links in what urllib3 logs about the requests sent inside.

    At DEBUG urllib3 logs every requested address, and it has no setting to leave a part out. So a filter is added
    to its loggers, before any handler. The filter leaves the log lines about all other requests unchanged.
    """
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_mask_keys)  # has no effect the second time
    token = _IS_SENDING.set(True)
    try:
        yield
    finally:
        _IS_SENDING.reset(token)


def _mask_keys(record: logging.LogRecord) -> bool:
    if _IS_SENDING.get() and "?" in (message := record.getMessage()):
        record.msg, record.args = _ADDRESS.sub(_mask_values, message), ()
    return True


def _mask_values(address: re.Match[str]) -> str:
    return _VALUE.sub(lambda found: found[0] if found[1] in _SHOWN else f"{found[1]}=***", address[0])
