"""What people plugged in: external tools, developer keys, access tokens, ePortfolios."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl

from canvas_reports_nb.demo_canvas.data import table

from .catalogue import DAY, MOMENT, moments
from .draws import Draws
from .people import GUEST, Pools

# A global id is the number of the site's part (a shard) times 10^13, plus the id there.
_SYNC_KEY = 12_340_000_000_000_011


def external_tools(now: datetime) -> pl.DataFrame:
    """Return tools installed in accounts and courses; custom fields are written as Ruby prints a hash."""
    age = pl.duration(days="age_days")
    return table("external_tools").with_columns(created_at=pl.lit(now, dtype=MOMENT) - age)


def tokens(draws: Draws, pools: Pools, now: datetime) -> pl.DataFrame:
    """Return access tokens of some teachers and of one student; dates are null where there never was one."""
    known = np.array([2500, 2500, 2573, 2612], dtype=np.int64)
    owners = np.concatenate([known, pools.first_staff + np.arange(min(pools.staff, 36), dtype=np.int64)])
    ids = 9_001 + np.arange(len(owners), dtype=np.int64)
    hint = pl.Series([f"{bits % 36**5:05x}"[:5] for bits in draws.bits("token", ids).tolist()])
    age = pl.lit(pl.Series(draws.below("token age", ids, 700) + 1))
    life = pl.lit(pl.Series(draws.below("token life", ids, 900) + 1))
    purpose = pl.Series(["reports notebook", "grade sync, nightly", None, 'my "phone"', "R & Python"])
    today = pl.lit(now, dtype=MOMENT)
    made = today - pl.duration(days=age)
    expires, used, has_key = (
        pl.Series(draws.chance(f"token {what}", ids, part))
        for what, part in (("expires", 0.5), ("used", 0.7), ("key", 0.2))
    )
    return pl.DataFrame({"id": ids, "user_id": owners}).with_columns(
        hint=hint,
        purpose=purpose.gather(draws.below("purpose", ids, 5)),
        created_at=made,
        expires_at=pl.when(expires).then(made + pl.duration(days=life)),
        used_at=pl.when(used).then(today - pl.duration(hours=age)),
        status=draws.pick("token status", ids, ["active", "pending", "disabled", "deleted"], [84, 4, 4, 8]),
        key_id=pl.when(has_key).then(pl.lit(_SYNC_KEY)),
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
            "created_at": moments(int((now - timedelta(days=1)).timestamp()) - DAY * age),
            "updated_at": moments(int(now.timestamp()) - DAY * (age // 3)),
            "public": draws.chance("portfolio public", ids, 0.3),
            "status": draws.pick("portfolio status", ids, ["active", "deleted"], [85, 15]),
        }
    )
