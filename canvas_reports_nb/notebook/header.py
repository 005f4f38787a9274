"""The first line of the form: which school, which account, whose token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import ipywidgets as widgets

from canvas_reports_nb import _html
from canvas_reports_nb.notebook.controls import button, row
from canvas_reports_nb.settings import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd

_INDENT = " "


class Header:
    """School, host, badge, owner of the token; a switch among accounts; Refresh."""

    def __init__(
        self, url: str, account: str, switch: Callable[[str], None], refresh: Callable[[object], None]
    ) -> None:
        self._host, self._switch = urlsplit(url).netloc, switch
        self._school, self._owner = "", ""
        self._text = widgets.HTML()
        self._account = widgets.Dropdown(
            description="Account",
            options=[(_name_of(account), account)],
            disabled=True,
            layout=widgets.Layout(width="22em", max_width="100%"),
            style={"description_width": "initial"},
        ).add_class("crn-account")
        self._account.observe(self._switched, names="value")
        again = button("⟳", "crn-refresh", "Refresh: load the reports, terms and past runs again")
        again.on_click(refresh)
        self.box = row(self._text, self._account, again).add_class("crn-header")
        self._show()

    def _show(self) -> None:
        self._text.value = _html.header(
            "Canvas reports", self._school, self._host, badge_of(self._host), self._owner
        )

    def show(self, account: Mapping[str, Any], owner: str) -> None:
        """Show the name of the school, and who the token belongs to."""
        self._school, self._owner = str(account.get("name") or ""), owner
        self._show()

    def show_accounts(self, accounts: pd.DataFrame) -> None:
        """Offer these accounts, as `Connection.accounts` lists them."""
        current = str(self._account.value)
        found = []
        for each in accounts.to_dict("records"):
            is_root = not each["depth"]
            key = (
                "self"
                if is_root and current in ("self", str(each["account_id"]))
                else str(each["account_id"])
            )
            name = "Whole institution" if is_root else _INDENT * 2 * int(each["depth"]) + str(each["name"])
            found.append((name, current if is_root and key == "self" else key))
        if current not in [key for _, key in found]:
            found.insert(0, (_name_of(current), current))
        self._switch, switch = lambda _: None, self._switch
        self._account.options, self._account.value = found, current
        self._account.disabled = False
        self._switch = switch

    def _switched(self, change: Any) -> None:
        if change["new"] is not None:
            self._switch(str(change["new"]))


def _name_of(account: str) -> str:
    return "Whole institution" if account == "self" else f"Account {account}"


def badge_of(host: str) -> str:
    """Return what kind of Canvas this is, if not the real one: ``demo data``, ``beta`` or ``test``."""
    name = urlsplit(f"//{host}").hostname or ""
    if is_loopback(name):
        return "demo data"
    parts = name.split(".")
    return next((kind for kind in ("beta", "test") if kind in parts[1:-1]), "")
