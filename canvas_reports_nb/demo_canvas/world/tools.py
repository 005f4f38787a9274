"""What people plugged in: external tools, developer keys, access tokens, ePortfolios."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from canvas_reports_nb.demo_canvas.world.catalogue import MOMENT, moments
from canvas_reports_nb.demo_canvas.world.people import GUEST

if TYPE_CHECKING:
    from datetime import datetime

    from canvas_reports_nb.demo_canvas.world.draws import Draws
    from canvas_reports_nb.demo_canvas.world.people import Pools

__all__ = ["developer_keys", "eportfolios", "external_tools", "tokens"]

_SITE_KEY = 10_000_000_000_000  # a global id is the shard's number times this, plus the id there


def external_tools(now: datetime) -> pl.DataFrame:
    """Return tools installed in accounts and courses; custom fields are written as Ruby prints a hash."""
    rows = [
        ("Account", 1, 701, "Plagiarism Check", "plagcheck", "public", "https://plag.example.com/lti",
         '{"mode"=>"strict", "min_words"=>"250"}', 900, False),
        ("Account", 1, 702, "Video, Live & Recorded", "video", "name_only", "https://video.example.com/launch?a=1&b=2",
         "{}", 2_400, False),
        ("Account", 7, 703, 'CAD "Studio"', None, "anonymous", "https://cad.example.org/lti", None, 400, False),
        ("Account", 18, 704, "Herd Book", "herd", "public", None, "{}", 3_100, False),
        ("Account", 13, 705, "Proof Checker", "proof", "email_only", "https://proof.example.org/",
         '{"locale"=>"$Canvas.locale"}', 120, True),
        ("Course", 501, 706, "Ship Simulator", "ship", "public", "https://ship.example.org/lti",
         '{"hull"=>"catamaran", "note"=>"say \\"ahoy\\""}', 160, False),
        ("Course", 504, 707, "外部ツール", "gaibu", "public", "https://tool.example.org/日本", "{}", 30, False),
        ("Course", 509, 708, "Left Behind", "left", "public", "https://left.example.org/", "{}", 90, False),
    ]  # fmt: skip
    names = [
        "context_type",
        "context_id",
        "id",
        "name",
        "tool_id",
        "privacy",
        "url",
        "custom",
        "age_days",
        "deleted",
    ]
    return pl.DataFrame(rows, schema=names, orient="row").with_columns(
        created_at=pl.lit(now, dtype=MOMENT) - pl.duration(days="age_days")
    )


def developer_keys() -> pl.DataFrame:
    """Return the account's keys, then those of the whole site; lists are written as Ruby prints them."""
    rows = [
        (_SITE_KEY * 1_234 + 11, "Registrar sync", False, "it@example.edu", "API Key", "None", "On",
         '["url:GET|/api/v1/accounts/:account_id/reports", "url:POST|/api/v1/accounts/:account_id/reports/:report"]'),
        (_SITE_KEY * 1_234 + 12, "Plagiarism Check", False, None, "LTI Key",
         '["assignment_selection", "course_navigation"]', "On", "All"),
        (_SITE_KEY * 1_234 + 13, None, False, "old, tool@example.edu", "API Key", "None", "Off", "All"),
        (_SITE_KEY * 1_234 + 14, 'Video "Live"', False, "video@example.com", "LTI Key", '["editor_button"]', "On",
         '["url:GET|/api/v1/courses/:id"]'),
        (21, "Mobile app", True, None, "API Key", "None", "Allow", "All"),
        (22, "Cartridge reader", True, "site@example.org", "LTI Key", "[]", "On", "All"),
    ]  # fmt: skip
    names = ["id", "name", "inherited", "contact", "kind", "placements", "status", "endpoints"]
    return pl.DataFrame(rows, schema=names, orient="row")


def tokens(draws: Draws, pools: Pools, now: datetime) -> pl.DataFrame:
    """Return access tokens of some teachers and of one student; dates are null where there never was one."""
    owners = np.concatenate(
        [
            np.array([2500, 2500, 2573, 2612], dtype=np.int64),
            pools.first_staff + np.arange(min(pools.staff, 36), dtype=np.int64),
        ]
    )
    ids = 9_001 + np.arange(len(owners), dtype=np.int64)
    hint = pl.Series([f"{bits % 36**5:05x}"[:5] for bits in draws.bits("token", ids).tolist()])
    age = pl.lit(pl.Series(draws.below("token age", ids, 700) + 1))
    life = pl.lit(pl.Series(draws.below("token life", ids, 900) + 1))
    purpose = pl.Series(["reports notebook", "grade sync, nightly", None, 'my "phone"', "R & Python"])
    today = pl.lit(now, dtype=MOMENT)
    made = today - pl.duration(days=age)
    expires = draws.chance("token expires", ids, 0.5)
    used = draws.chance("token used", ids, 0.7)
    status = draws.choose("token status", ids, [84, 4, 4, 8])
    has_key = pl.Series(draws.chance("token key", ids, 0.2))
    return pl.DataFrame({"id": ids, "user_id": owners}).with_columns(
        hint=hint,
        purpose=purpose.gather(draws.below("purpose", ids, 5)),
        created_at=made,
        expires_at=pl.when(pl.Series(expires)).then(made + pl.duration(days=life)),
        used_at=pl.when(pl.Series(used)).then(today - pl.duration(hours=age)),
        status=pl.Series(["active", "pending", "disabled", "deleted"]).gather(status),
        key_id=pl.when(has_key).then(pl.lit(_SITE_KEY * 1_234 + 11)),
        key_name=pl.when(has_key).then(pl.lit("Registrar sync")),
    )


def eportfolios(draws: Draws, pools: Pools, now: datetime) -> pl.DataFrame:
    """Return ePortfolios of students, of the guest, and of someone who left long ago."""
    students = pools.first_student + np.arange(0, pools.students, 40, dtype=np.int64)
    owners = np.concatenate([np.array([2573, GUEST, 2612, 2613], dtype=np.int64), students])
    ids = 5_001 + np.arange(len(owners), dtype=np.int64)
    titles = pl.Series(["My work", "Portfolio, second year", 'The "best" of me', "作品集", "Capstone 🚢"])
    age = draws.below("portfolio age", ids, 1_000) + 40
    return pl.DataFrame(
        {
            "id": ids,
            "user_id": owners,
            "name": titles.gather(draws.below("portfolio title", ids, 5)),
            "created_at": moments(int((now - timedelta(days=1)).timestamp()) - 86_400 * age),
            "updated_at": moments(int(now.timestamp()) - 86_400 * (age // 3)),
            "public": draws.chance("portfolio public", ids, 0.3),
            "status": pl.Series(["active", "deleted"]).gather(
                draws.choose("portfolio status", ids, [85, 15])
            ),
        }
    )
