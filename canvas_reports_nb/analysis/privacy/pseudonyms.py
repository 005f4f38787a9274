"""Pseudonyms in place of personal data: keyed, and the same in every table and run, so that joins still hold."""

from __future__ import annotations

import hmac
import re
import warnings
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, cast

import polars as pl

from canvas_reports_nb.catalog.parameters import near
from canvas_reports_nb.exceptions import ParameterError, PersonalDataError, ReportWarning
from canvas_reports_nb.frames.describe import provenance_of, table_of
from canvas_reports_nb.frames.exchange import (
    LOWEST_PSEUDONYM,
    FrameT,
    as_kind_of,
    column_names,
    to_lazy,
)
from canvas_reports_nb.frames.provenance import ATTRS_KEY, Provenance

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from canvas_reports_nb.catalog.schemas import Column, Table

_SHORTEST_KEY = 16
#: Identities that are Canvas ids, and stay numbers.
_NUMBERED = frozenset({"person", "enrollment", "eportfolio", "access_token"})
#: Hexadecimal digits of a text: 80 bits.
_DIGITS = 20
_IDENTITY = re.compile("[a-z][a-z0-9_]*")
_TURN = re.compile(r"\.\d+$")
_DAY = r"^\d{4}-\d{2}-\d{2}"

Treatment: TypeAlias = Literal["number", "text", "day", "free text", "unknown", "as it is"]


class _Rule(NamedTuple):
    """What becomes of a column."""

    treatment: Treatment
    identity: str = ""
    words: tuple[str, ...] = ()


def pseudonymize(
    frame: FrameT,
    key: bytes | str,
    *,
    report: str | None = None,
    table: str | None = None,
    free_text: Literal["drop", "keep"] = "drop",
    keep: Collection[str] = (),
    identities: Mapping[str, str] | None = None,
) -> FrameT:
    """Put pseudonyms in place of everything personal that the table's schema knows.

    Parameters
    ----------
    frame : pandas, polars, Arrow or Dask frame
        A pandas index is left out: it may hold anything.
    key : bytes or str
        At least 16 bytes, best ``secrets.token_bytes(32)``; who has it can find out whom a pseudonym stands
        for. It is kept nowhere. Another key gives other pseudonyms.
    report, table : str, optional
        Which table it is, where the frame neither says nor shows it by its columns.
    free_text : {"drop", "keep"}
        What to do with personal text that people wrote: titles, pronouns, names of groups.
    keep : collection of str
        Columns to leave as they are: unknown ones, free text, times. An identity can't be kept.
    identities : mapping of str to str, optional
        Further columns to put pseudonyms in, and what each identifies: ``{"advisor": "person"}``. The same
        identity gives the same pseudonym: ``person`` (Canvas ids of people), ``sis``, ``integration``,
        ``login``, ``name``, ``email``, ``ip``, ``token``, ``enrollment``, ``eportfolio``, ``access_token``, or
        a word of yours.

    Returns
    -------
    DataFrame
        Of the same kind, its rows in the same order. Canvas ids stay Int64 (the top of 63 bits is set, so none
        is a real id), other identities become text such as ``login_3f09...``: 80 bits in hexadecimal. Empty
        cells stay empty. Personal times are cut to their day, UTC. Marks, courses and states stay. A pandas
        frame says in its provenance that it is pseudonymized; file name and hash of the source are left out.

    Warns
    -----
    ReportWarning
        Unknown columns were dropped; free text or exact times were kept.

    Raises
    ------
    ParameterError
        The key is too short, the table unknown, or ``keep`` names an identity.

    Notes
    -----
    HMAC-SHA256 with a key of its own for each identity. The odds that two of a million people share an Int64
    pseudonym are 1 in 9 million (of five million: 1 in 370,000); for texts 1 in 2 trillion. Pseudonyms are
    not anonymity: marks, courses and the order of the rows may still tell who somebody is. A lazy result
    holds the key until it is collected.
    """
    rules = _rules(frame, report, table, keep, identities)
    secret = _secret(key)
    if free_text not in ("drop", "keep"):
        raise ParameterError(
            f"free_text={free_text!r} is neither 'drop' nor 'keep'.", hint="Dropping is the safe one."
        )
    _warn(rules, free_text, keep)
    left_out = {"unknown"} if free_text == "keep" else {"unknown", "free text"}
    kept = {name: rule for name, rule in rules.items() if rule.treatment not in left_out}
    query = to_lazy(frame)
    held = query.collect_schema()
    made = as_kind_of(
        query.select(_replaced(name, rule, held[name], secret) for name, rule in kept.items()), frame
    )
    return _signed(made, frame, kept)


def check_pseudonymized(
    frame: Any,
    *,
    report: str | None = None,
    table: str | None = None,
    keep: Collection[str] = (),
    identities: Mapping[str, str] | None = None,
) -> None:
    """Fail where a frame still holds personal data that the table's schema knows.

    It looks at the cells, not at what the frame says of itself, so it also judges a CSV or Parquet file that
    was read again. The arguments are those of `pseudonymize`.

    Raises
    ------
    PersonalDataError
        The columns are named: with a value that is no pseudonym, a time of day, free text, or unknown.
    """
    rules = _rules(frame, report, table, keep, identities)
    query = to_lazy(frame)
    held = query.collect_schema()
    suspect = {name: rule for name, rule in rules.items() if rule.treatment != "as it is"}
    if not suspect:
        return
    told = query.select(_telling(name, rule, held[name]).any().alias(name) for name, rule in suspect.items())
    found = [name for name, tells in told.collect().row(0, named=True).items() if tells]
    if found:
        raise PersonalDataError(
            f"Personal data is left in: {', '.join(found)}.",
            hint="crn.pseudonymize(frame, key) replaces it; name what may stay: keep=[...].",
        )


def _secret(key: bytes | str) -> bytes:
    if not isinstance(key, bytes | bytearray | str):
        raise ParameterError("The key must be bytes or text.", hint="Make one: secrets.token_bytes(32).")
    secret = key.encode() if isinstance(key, str) else bytes(key)
    if len(secret) < _SHORTEST_KEY:
        raise ParameterError(
            f"The key has {len(secret)} bytes; at least {_SHORTEST_KEY} are needed.",
            hint="Make one and keep it away from the data: secrets.token_bytes(32).",
        )
    return secret


def _rules(
    frame: Any,
    report: str | None,
    table: str | None,
    keep: Collection[str],
    identities: Mapping[str, str] | None,
) -> dict[str, _Rule]:
    """What to do with each column, in their order."""
    names, own = column_names(frame), dict(identities or {})
    wanted = (keep,) if isinstance(keep, str) else tuple(keep)
    for name in (*wanted, *own):
        if name not in names:
            raise ParameterError(f"The frame has no column {name!r}.", hint=near(name, names) or None)
    known = table_of(frame, report, table)
    if known is None and not (own or wanted):
        raise ParameterError(
            "Nobody knows which columns of this frame are personal.",
            hint='Say which report it is, report="...", table="...", or what its columns identify: identities=.',
        )
    for name, identity in own.items():
        if not _IDENTITY.fullmatch(identity):
            raise ParameterError(
                f"{identity!r}, for {name!r}, is no identity.",
                hint="Lower-case letters, digits and _ make one.",
            )
    rules = {name: _rule(_column(known, name), own.get(name)) for name in names}
    if known and len(names) == 1 and names[0] in known.one_cell_results:
        return {names[0]: _Rule("as it is")}
    for name in wanted:
        if rules[name].identity:
            raise ParameterError(
                f"{name!r} identifies people ({rules[name].identity}) and can't be kept.",
                hint="Leave the column out of the frame, or out of keep=.",
            )
        rules[name] = _Rule("as it is")
    return rules


def _column(known: Table | None, name: str) -> Column | None:
    """The column of this name; ``name.1`` is the second of two that the file calls the same."""
    return (known.column(name) or known.column(_TURN.sub("", name))) if known else None


def _rule(column: Column | None, identity: str | None) -> _Rule:
    named = identity or (column.identity if column else None)
    if named is not None:
        return _Rule("number" if named in _NUMBERED else "text", named)
    if column is None:
        return _Rule("unknown")
    if not column.personal:
        return _Rule("as it is")
    return _Rule("day", words=column.words) if column.kind == "timestamp" else _Rule("free text")


def _warn(rules: Mapping[str, _Rule], free_text: str, keep: Collection[str]) -> None:
    """Say what is lost without being asked for, and what may still tell who somebody is."""
    unknown = [name for name, rule in rules.items() if rule.treatment == "unknown"]
    if unknown:
        warnings.warn(
            f"Dropped, for nobody knows whether they are personal: {', '.join(map(repr, unknown))}. "
            "Leave them with keep=[...], or name what they identify with identities={...}.",
            ReportWarning,
            stacklevel=3,
        )
    texts = [name for name, rule in rules.items() if rule.treatment == "free text" and free_text == "keep"]
    told = [*texts, *((keep,) if isinstance(keep, str) else keep)]
    if told:
        warnings.warn(
            f"Kept as they are, and they may name people: {', '.join(map(repr, told))}.",
            ReportWarning,
            stacklevel=3,
        )


def _replaced(name: str, rule: _Rule, dtype: pl.DataType, secret: bytes) -> pl.Expr:
    column = pl.col(name)
    if rule.treatment == "day":
        return _day(column, rule, dtype)
    if rule.treatment not in ("number", "text"):
        return column
    one = _pseudonym(secret, rule)
    numeric = rule.treatment == "number" and dtype.is_numeric()

    def each(cells: pl.Series) -> pl.Series:
        different = cells.unique().drop_nulls()
        made = pl.Series([one(text) for text in different.to_list()], dtype=pl.String)
        return cells.replace_strict(different, made, default=None, return_dtype=pl.String)

    replaced = _texts(column, dtype).map_batches(each, return_dtype=pl.String, is_elementwise=True)
    return replaced.cast(pl.Int64) if numeric else replaced


def _pseudonym(secret: bytes, rule: _Rule) -> Callable[[str], str]:
    """The function from a text to its pseudonym."""
    # One key for each identity: what is a login here and a SIS id there must not show as the same.
    own = hmac.digest(secret, rule.identity.encode(), "sha256")

    def number(text: str) -> str:
        return str(LOWEST_PSEUDONYM | int.from_bytes(hmac.digest(own, text.encode(), "sha256")[:8]) >> 2)

    def word(text: str) -> str:
        return f"{rule.identity}_{hmac.digest(own, text.encode(), 'sha256').hex()[:_DIGITS]}"

    return number if rule.treatment == "number" else word


def _texts(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """The spelling that is hashed: a Canvas id is the same whether it came as integer, text or float."""
    if dtype.is_float():
        whole = column.cast(pl.Int64, strict=False)
        return (
            pl.when(whole == column)
            .then(whole.cast(pl.String))
            .otherwise(column.fill_nan(None).cast(pl.String))
        )
    return column.cast(pl.String)


def _day(column: pl.Expr, rule: _Rule, dtype: pl.DataType) -> pl.Expr:
    if dtype.is_temporal():
        return column.dt.truncate("1d")
    # A column that holds one word, such as "never", was kept as text.
    texts = column.cast(pl.String)
    return pl.when(texts.is_in(list(rule.words))).then(texts).otherwise(texts.str.extract(f"({_DAY})", 0))


def _telling(name: str, rule: _Rule, dtype: pl.DataType) -> pl.Expr:
    """Which cells are not what `pseudonymize` leaves."""
    column = pl.col(name)
    texts = column.cast(pl.String)
    if rule.treatment == "number" and dtype.is_numeric():
        fine = column >= LOWEST_PSEUDONYM
    elif rule.treatment == "number":
        fine = texts.str.contains(r"^\d{19}$") & (texts.cast(pl.Int64, strict=False) >= LOWEST_PSEUDONYM)
    elif rule.treatment == "text":
        fine = texts.str.contains(rf"^{rule.identity}_[0-9a-f]{{{_DIGITS}}}$")
    elif rule.treatment == "day" and dtype.is_temporal():
        fine = column == column.dt.truncate("1d")
    elif rule.treatment == "day":
        fine = texts.str.contains(rf"{_DAY}( 00:00:00\+00:00)?$") | texts.is_in(list(rule.words))
    else:
        fine = pl.lit(value=False)
    return column.is_not_null() & ~fine.fill_null(value=False)


def _signed(made: FrameT, frame: Any, rules: Mapping[str, _Rule]) -> FrameT:
    """A pandas frame with its dtypes and the part of its provenance that names nobody."""
    import pandas as pd  # noqa: PLC0415 - only for those who hold such a frame

    if not isinstance(made, pd.DataFrame):
        return made
    untouched = [name for name, rule in rules.items() if rule.treatment not in ("number", "text", "day")]
    typed = made.astype({name: frame.dtypes[name] for name in untouched})
    carried = provenance_of(frame)
    if carried:
        kept = Provenance.from_dict(carried)
        # A note quotes a cell, a file's name may be a person's, and the hash of a short file can be guessed at.
        typed.attrs = {ATTRS_KEY: kept.replace(source=None, sha256=None, notes=_notes(rules)).to_dict()}
    return cast("FrameT", typed)


def _notes(rules: Mapping[str, _Rule]) -> dict[str, str]:
    said: Iterable[tuple[str, str]] = (
        (name, "cut to the day" if rule.treatment == "day" else f"pseudonym ({rule.identity})")
        for name, rule in rules.items()
        if rule.treatment in ("number", "text", "day")
    )
    return {**dict(said), "file": "pseudonymized"}
