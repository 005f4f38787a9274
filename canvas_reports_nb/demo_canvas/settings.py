"""The account settings of the demo university, which change columns and cells of its reports."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self

LOCALES: Mapping[str, tuple[str, str]] = {"en": (".", ","), "de": (",", "."), "fr": (",", "\u202f")}
"""Decimal mark and thousands mark of the languages on offer."""
SEPARATORS = (",", ";", "locale")


@dataclass(frozen=True, slots=True)
class Settings:
    """Switches of the root account and of the token's owner, as `serve(settings=...)` takes them."""

    integration_ids: bool = True
    """The integration ids in both grade exports."""
    pronouns: bool = True
    """The pronouns in the users file."""
    grade_override: bool = True
    """The override columns in both grade exports."""
    separator: str = ","
    """Of the outcome reports: "," or ";", or "locale" for ";" where the decimal mark is a comma."""
    byte_order_mark: bool = False
    """Whether the outcome reports begin with one."""
    locale: str = "en"
    """Language of the account, which decides how outcome_export_csv prints numbers."""
    mastery_scales: bool = False
    """Account-level mastery scales: outcome_export_csv has 8 columns."""
    hidden_points: bool = False
    """Outcome results show no points."""
    temporary_enrollments: bool = False
    """Columns for the source of a temporary enrollment."""
    institutional_tags: bool = False
    """Three more files of provisioning_csv and sis_export_csv."""
    trusted_accounts: bool = False
    """Trust in another school, where the guest has a login: the `root_account` column in the enrollments and admins files."""

    @classmethod
    def of(cls, chosen: Mapping[str, object]) -> Self:
        """Return the settings with the chosen ones changed; ValueError names what is wrong."""
        known = {field.name: field for field in fields(cls)}
        allowed = {"separator": SEPARATORS, "locale": tuple(LOCALES)}
        for name, value in chosen.items():
            if name not in known:
                raise ValueError(f"Unknown setting {name!r}. Use any of {', '.join(known)}.")
            options = allowed.get(name, (True, False))
            if value not in options:
                listed = ", ".join(map(repr, options))
                raise ValueError(f"Can't set {name} to {value!r}. Use one of {listed}.")
        return cls(**chosen)  # type: ignore[arg-type]  # checked above

    @property
    def decimal_comma(self) -> bool:
        """Whether the locale writes a comma before decimals."""
        return LOCALES[self.locale][0] == ","

    @property
    def delimiter(self) -> str:
        """The separator between the cells of the outcome reports."""
        by_locale = ";" if self.decimal_comma else ","
        return by_locale if self.separator == "locale" else self.separator

    def number(self, value: float | None) -> str | None:
        """Return a number as the locale writes it."""
        if value is None:
            return None
        point, thousands = LOCALES[self.locale]
        return f"{value:,}".translate({ord("."): point, ord(","): thousands})
