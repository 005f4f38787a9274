"""Keyed pseudonyms for personal data, the same in every table and run, so that joins still work."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, cast

import pandas as pd
import polars as pl

from canvas_reports_nb.catalog.parameters import near
from canvas_reports_nb.exceptions import ParameterError, PersonalDataError, warn
from canvas_reports_nb.frames.describe import provenance_of, table_of
from canvas_reports_nb.frames.exchange import (
    LOWEST_PSEUDONYM,
    FrameT,
    as_kind_of,
    as_list,
    check_kinds,
    column_names,
    to_lazy,
)
from canvas_reports_nb.frames.provenance import ATTRS_KEY, Provenance

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from canvas_reports_nb.catalog.schemas import Table

_SHORTEST_KEY = 16
# Identities that are Canvas ids and stay numbers.
_NUMBERED = frozenset({"person", "enrollment", "eportfolio", "access_token"})
# Hexadecimal digits of a text pseudonym: 80 bits.
_DIGITS = 20
# Bytes that SHA-256 hashes at once.
_BLOCK = 64
_IDENTITY = re.compile("[a-z][a-z0-9_]*")
_DUPLICATE = re.compile(r"\.\d+$")
_DAY = r"^\d{4}-\d{2}-\d{2}"

Treatment: TypeAlias = Literal["number", "text", "day", "free text", "unknown", "keep"]
_REPLACED = ("number", "text", "day")


class _Rule(NamedTuple):
    """What happens to a column."""

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
    """Replace everything personal that the table's schema knows with pseudonyms.

    Parameters
    ----------
    frame : pandas, polars, Arrow or Dask frame
        A pandas index is dropped, because it may contain anything.
    key : bytes or str
        At least 16 bytes, best ``secrets.token_bytes(32)``. It is not stored anywhere. Anyone who has it can find
        out who a pseudonym is. A different key gives different pseudonyms.
    report, table : str, optional
        The table it is, if neither its provenance nor its columns identify it.
    free_text : {"drop", "keep"}
        What to do with personal text that people wrote: titles, pronouns, group names.
    keep : collection of str
        Columns to leave unchanged: unknown ones, free text, times. Columns that identify people can't be kept.
    identities : mapping of str to str, optional
        More columns to replace, and what each identifies: ``{"advisor": "person"}``. The same identity gives the
        same pseudonyms: ``person`` (Canvas ids of people), ``sis``, ``integration``, ``login``, ``name``,
        ``email``, ``ip``, ``token``, ``enrollment``, ``eportfolio``, ``access_token``, or a word of your own.

    Returns
    -------
    DataFrame
        The same kind of frame with its rows in the same order. Canvas ids stay Int64 (above all real ids), other
        identities become text such as ``login_3f09...``: 80 bits in hexadecimal. Empty cells stay empty. Personal
        times are cut to the day, in UTC. Grades, courses and states stay. The provenance of a pandas frame says
        that it is pseudonymized and omits file name and hash of the source.

    Warns
    -----
    ReportWarning
        Unknown columns were dropped, or free text or exact times were kept.

    Raises
    ------
    ParameterError
        The key is too short, the table unknown, or ``keep`` names a column that identifies people.

    Notes
    -----
    HMAC-SHA256 with a separate key per identity. The odds that two of a million people share an Int64 pseudonym
    are 1 in 9 million (of five million: 1 in 370,000); for texts 1 in 2 trillion. Pseudonyms are not anonymity:
    grades, courses and the order of rows may still identify people. A lazy result holds the key until it is
    collected.

    Examples
    --------
    >>> shared = crn.pseudonymize(grades, "a long secret phrase of your own")
    >>> shared["student name"].iloc[0].startswith("name_")
    True
    """
    check_kinds('"drop" or "keep"', str, free_text=free_text)
    rules = _rules(frame, report, table, keep, identities)
    secret = _secret(key)
    if free_text not in ("drop", "keep"):
        raise ParameterError(
            f"Unknown free_text {free_text!r}.", hint='Use "drop", which is safe, or "keep".'
        )
    _warn(rules, free_text, as_list(keep))
    left_out = {"unknown"} if free_text == "keep" else {"unknown", "free text"}
    kept = {name: rule for name, rule in rules.items() if rule.treatment not in left_out}
    # pandas columns that stay as they are need no conversion.
    changed = [name for name, rule in kept.items() if rule.treatment in _REPLACED]
    shown = changed if isinstance(frame, pd.DataFrame) and changed else list(kept)
    query = to_lazy(frame, shown)
    schema = query.collect_schema()
    columns = [_replaced(name, kept[name], schema[name], secret) for name in shown]
    made = as_kind_of(query.select(columns), frame)
    return _with_provenance(made, frame, kept)


def check_pseudonymized(
    frame: Any,
    *,
    report: str | None = None,
    table: str | None = None,
    keep: Collection[str] = (),
    identities: Mapping[str, str] | None = None,
) -> None:
    """Raise an error if a frame still contains personal data that the table's schema knows.

    It checks the cells, not the provenance, so it also works for a CSV or Parquet file that was read again. The
    arguments are those of `pseudonymize`.

    Raises
    ------
    PersonalDataError
        It names the columns with a value that is not a pseudonym, a time of day, free text, or unknown content.

    Examples
    --------
    >>> crn.check_pseudonymized(crn.pseudonymize(grades, "a long secret phrase of your own"))
    """
    rules = _rules(frame, report, table, keep, identities)
    query = to_lazy(frame)
    schema = query.collect_schema()
    suspect = {name: rule for name, rule in rules.items() if rule.treatment != "keep"}
    if not suspect:
        return
    checks = [_is_personal(name, rule, schema[name]).any().alias(name) for name, rule in suspect.items()]
    found = [name for name, personal in query.select(checks).collect().row(0, named=True).items() if personal]
    if found:
        raise PersonalDataError(
            f"The frame still contains personal data in {', '.join(found)}.",
            hint="Replace it with crn.pseudonymize(frame, key), or name columns that may stay: keep=[...].",
        )


def _secret(key: bytes | str) -> bytes:
    if not isinstance(key, bytes | bytearray | str):
        raise ParameterError("The key must be bytes or text.", hint="Make one: secrets.token_bytes(32).")
    secret = key.encode() if isinstance(key, str) else bytes(key)
    if len(secret) < _SHORTEST_KEY:
        raise ParameterError(
            f"The key has {len(secret)} bytes and needs at least {_SHORTEST_KEY}.",
            hint="Make one with secrets.token_bytes(32), and keep it away from the data.",
        )
    return secret


def _rules(
    frame: Any,
    report: str | None,
    table: str | None,
    keep: Collection[str],
    identities: Mapping[str, str] | None,
) -> dict[str, _Rule]:
    """Return what happens to each column, in the order of the frame."""
    check_kinds("its name", str | None, report=report, table=table)
    check_kinds(
        'what each column identifies, such as {"advisor": "person"}', Mapping | None, identities=identities
    )
    names, own, kept = column_names(frame), dict(identities or {}), as_list(keep)
    _check_names(names, kept, own)
    known = table_of(frame, report, table)
    if known is None and not (own or kept):
        raise ParameterError(
            "Unknown table: can't tell which of its columns are personal.",
            hint='Name the report with report="...", table="...", or what columns identify with identities=.',
        )
    rules = {name: _rule(known, name, own.get(name)) for name in names}
    if known and len(names) == 1 and names[0] in known.one_cell_results:
        return {names[0]: _Rule("keep")}
    return {**rules, **{name: _kept(name, rules[name]) for name in kept}}


def _kept(name: str, rule: _Rule) -> _Rule:
    if rule.identity:
        raise ParameterError(
            f"{name!r} identifies people ({rule.identity}) and can't be kept.",
            hint="Remove it from the frame or from keep=.",
        )
    return _Rule("keep")


def _check_names(names: list[str], keep: list[str], identities: Mapping[str, str]) -> None:
    for name in (*keep, *identities):
        if name not in names:
            raise ParameterError(f"The frame has no column {name!r}.", hint=near(str(name), names) or None)
    for name, identity in identities.items():
        if not (isinstance(identity, str) and _IDENTITY.fullmatch(identity)):
            raise ParameterError(
                f"Can't use {identity!r} as the identity of {name!r}.",
                hint="Use lower-case letters, digits and _, beginning with a letter.",
            )


def _rule(known: Table | None, name: str, identity: str | None) -> _Rule:
    # "name.1" is the second of two columns that the file calls "name".
    column = (known.column(name) or known.column(_DUPLICATE.sub("", name))) if known else None
    identity = identity or (column.identity if column else None)
    if identity is not None:
        return _Rule("number" if identity in _NUMBERED else "text", identity)
    if column is None:
        return _Rule("unknown")
    if not column.personal:
        return _Rule("keep")
    return _Rule("day", words=column.words) if column.kind == "timestamp" else _Rule("free text")


def _warn(rules: Mapping[str, _Rule], free_text: str, keep: list[str]) -> None:
    """Warn of columns that were dropped unasked, and of kept ones that may identify people."""
    unknown = [name for name, rule in rules.items() if rule.treatment == "unknown"]
    if unknown:
        warn(
            f"Dropped columns that may be personal: {', '.join(map(repr, unknown))}. "
            "Keep them with keep=[...], or name what they identify with identities={...}."
        )
    texts = [name for name, rule in rules.items() if rule.treatment == "free text" and free_text == "keep"]
    if texts or keep:
        warn(f"Kept unchanged, although they may name people: {', '.join(map(repr, [*texts, *keep]))}.")


def _replaced(name: str, rule: _Rule, dtype: pl.DataType, secret: bytes) -> pl.Expr:
    column = pl.col(name)
    if rule.treatment == "day":
        return _day(column, rule, dtype)
    if rule.treatment not in _REPLACED:
        return column
    kind = pl.Int64() if rule.treatment == "number" and dtype.is_numeric() else pl.String()
    pseudonym = _pseudonym(secret, rule, kind)

    def replace(cells: pl.Series) -> pl.Series:
        if cast("int", cells.approx_n_unique()) > len(cells) / 2:  # too few repeat to be worth a map
            made = [None if text is None else pseudonym(text) for text in cells.to_list()]
            return pl.Series(made, dtype=kind)
        distinct = cells.unique().drop_nulls()
        pseudonyms = pl.Series([pseudonym(text) for text in distinct.to_list()], dtype=kind)
        return cells.replace_strict(distinct, pseudonyms, default=None, return_dtype=kind)

    return _texts(column, dtype).map_batches(replace, return_dtype=kind, is_elementwise=True)


def _pseudonym(secret: bytes, rule: _Rule, kind: pl.DataType) -> Callable[[str], int | str]:
    """Return the function from a text to its pseudonym, a number or a text."""
    # One key per identity, so that equal logins and SIS ids get different pseudonyms.
    key = hmac.digest(secret, rule.identity.encode(), "sha256").ljust(_BLOCK, b"\0")
    # HMAC (RFC 2104) with the key hashed once, not again for each text.
    start, end = (hashlib.sha256(bytes(byte ^ pad for byte in key)) for pad in (0x36, 0x5C))

    def digest(text: str) -> bytes:
        inner, outer = start.copy(), end.copy()
        inner.update(text.encode())
        outer.update(inner.digest())
        return outer.digest()

    def number(text: str) -> int:
        return LOWEST_PSEUDONYM | int.from_bytes(digest(text)[:8]) >> 2

    def word(text: str) -> str:
        return f"{rule.identity}_{digest(text).hex()[:_DIGITS]}"

    if rule.treatment != "number":
        return word
    return number if kind.is_numeric() else lambda text: str(number(text))


def _texts(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Return the text to hash: a Canvas id is the same as integer, text or float."""
    if not dtype.is_float():
        return column.cast(pl.String)
    whole = column.cast(pl.Int64, strict=False)
    text = pl.when(whole == column).then(whole.cast(pl.String))
    return text.otherwise(column.fill_nan(None).cast(pl.String))


def _day(column: pl.Expr, rule: _Rule, dtype: pl.DataType) -> pl.Expr:
    if dtype.is_temporal():
        return column.dt.truncate("1d")
    # A column of times with a word such as "never" was loaded as text.
    texts = column.cast(pl.String)
    return pl.when(texts.is_in(list(rule.words))).then(texts).otherwise(texts.str.extract(f"({_DAY})", 0))


def _is_personal(name: str, rule: _Rule, dtype: pl.DataType) -> pl.Expr:
    """Whether a cell is not what `pseudonymize` would leave."""
    column = pl.col(name)
    texts = column.cast(pl.String)
    if rule.treatment == "number" and dtype.is_numeric():
        safe = column >= LOWEST_PSEUDONYM
    elif rule.treatment == "number":
        safe = texts.str.contains(r"^\d{19}$") & (texts.cast(pl.Int64, strict=False) >= LOWEST_PSEUDONYM)
    elif rule.treatment == "text":
        safe = texts.str.contains(rf"^{rule.identity}_[0-9a-f]{{{_DIGITS}}}$")
    elif rule.treatment == "day" and dtype.is_temporal():
        safe = column == column.dt.truncate("1d")
    elif rule.treatment == "day":
        safe = texts.str.contains(rf"{_DAY}( 00:00:00\+00:00)?$") | texts.is_in(list(rule.words))
    else:
        safe = pl.lit(value=False)
    return column.is_not_null() & ~safe.fill_null(value=False)


def _with_provenance(made: FrameT, frame: Any, rules: Mapping[str, _Rule]) -> FrameT:
    """Give a pandas frame its dtypes, and the part of its provenance that names nobody."""
    if not isinstance(made, pd.DataFrame):
        return made
    typed = frame[list(rules)].reset_index(drop=True)
    for name in (name for name, rule in rules.items() if rule.treatment in _REPLACED):
        typed[name] = made[name]
    typed.attrs = made.attrs
    provenance = provenance_of(frame)
    if provenance:
        notes = {
            name: "cut to the day" if rule.treatment == "day" else f"pseudonym ({rule.identity})"
            for name, rule in rules.items()
            if rule.treatment in _REPLACED
        }
        # A note quotes a cell, a file name may be a person's, and the hash of a short file can be guessed.
        changes = {"source": None, "sha256": None, "notes": {**notes, "file": "pseudonymized"}}
        typed.attrs = {ATTRS_KEY: Provenance.from_dict(provenance).replace(**changes).to_dict()}
    return cast("FrameT", typed)
