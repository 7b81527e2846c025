"""The registry's vocabulary, and what makes its rows sound: each rule with what is wrong in a row and the remedy.

The rules are the checks of the compiled map and of a registry in one file. Each holds for every file of the registry
that has its columns; what else must hold of and between the files is in `registry_links`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import polars as pl
import pycountry

from pipeline.schema.declaration import Severity

COUNTRY_CODES = frozenset(country.alpha_2 for country in pycountry.countries)
INTERNATIONAL = "international"
MEMBERS_NOT_COUNTRIES = (INTERNATIONAL, "unaffiliated", "unmapped")
PERSON = "individual"
KINDS = ("company", "university", "research_institute", "nonprofit", "government", "community", PERSON)
EVIDENCE_BASES = ("read", "well_known")
FAR_PAST, FAR_FUTURE = date(1, 1, 1), date(9999, 1, 1)


@dataclass(frozen=True)
class RegistryRule:
    """A statement about every row: `is_broken` is true of a row that breaks it, and names the columns that it needs.

    `problem` says of such a row, of which it names columns in braces, what is wrong with it; `remedy` what mends it.
    """

    name: str
    meaning: str
    is_broken: pl.Expr
    problem: str
    remedy: str
    severity: Severity = "critical"


def is_blank(column: str) -> pl.Expr:
    """Whether a column says nothing."""
    return pl.col(column).fill_null("").str.strip_chars() == ""


def is_none_of(column: str, words: tuple[str, ...]) -> pl.Expr:
    """Whether a column says something else than one of the words."""
    return ~pl.col(column).is_in(words).fill_null(value=False)


def begins_before_the_last_has_ended(key: str, begin: str = "valid_from", end: str = "valid_to") -> pl.Expr:
    """Whether a row begins before an earlier row of the same key has ended."""
    began = pl.col(begin).fill_null(FAR_PAST)
    ended_before = pl.col(end).fill_null(FAR_FUTURE).cum_max().shift(1)
    return began < ended_before.over(key, order_by=began)


_is_current = pl.col("valid_to").is_null() & pl.col("country").is_not_null()
_is_read = pl.col("basis") == "read"
_parent_is_nowhere = ~pl.col("parent").is_in(pl.col("organization").implode()) & pl.col("ultimate_owner").is_null()
RULES = (
    RegistryRule(
        "namespaces_are_names",
        "Every row names a namespace as the Hub writes it.",
        is_blank("namespace") | pl.col("namespace").str.contains(r"[\s/]"),
        "{namespace} is not a namespace",
        "write the account's name as it stands in the address of its page, in the same case",
    ),
    RegistryRule(
        "kinds_are_known",
        "Every kind is one of the declared kinds.",
        is_none_of("kind", KINDS),
        "kind {kind} is not known",
        f"choose one of {', '.join(KINDS)}",
    ),
    RegistryRule(
        "countries_exist",
        "Every country is an ISO 3166-1 alpha-2 code, or `international`.",
        ~pl.col("country").is_in([*COUNTRY_CODES, INTERNATIONAL]),
        "country {country} is not an ISO 3166-1 alpha-2 code",
        "write the two letters of the headquarters' country (GB, not UK), or international where there is no base",
    ),
    RegistryRule(
        "periods_end_after_they_begin",
        "A row's period ends after it begins.",
        pl.col("valid_to") <= pl.col("valid_from"),
        "the row ends on {valid_to}, not after it begins on {valid_from}",
        "valid_to is the first day on which the row holds no longer",
    ),
    RegistryRule(
        "periods_do_not_overlap",
        "No namespace belongs to two organisations at once.",
        begins_before_the_last_has_ended("namespace"),
        "the namespace is in two organisations at once",
        "end the earlier row's valid_to on or before the later row's valid_from",
    ),
    RegistryRule(
        "evidence_is_an_address",
        "Evidence is a public address.",
        ~pl.col("evidence").str.contains(r"^https?://[^\s/]+\.\S+$").fill_null(_is_read.not_()),
        "evidence {evidence} is not a public address",
        "give the address of a page that supports the row, beginning with https://",
        "warning",
    ),
    RegistryRule(
        "what_was_read_says_when",
        "Rows that were read, and only they, say on which day.",
        _is_read != pl.col("checked_on").is_not_null(),
        "checked_on {checked_on} does not go with basis {basis}",
        "checked_on is the day on which the evidence was opened; leave it empty where it was not",
        "warning",
    ),
    RegistryRule(
        "organizations_are_named",
        "Every row names an organisation.",
        is_blank("organization"),
        "the organisation is not named",
        "name who stands behind the account, or remove the row so that it counts as unmapped",
    ),
    RegistryRule(
        "persons_alone_have_no_country",
        "Organisations have a country, persons have none.",
        (pl.col("kind") == PERSON) != pl.col("country").is_null(),
        "country {country} does not go with kind {kind}",
        "leave the country of an individual empty; give every other row one, or remove the row",
    ),
    RegistryRule(
        "organizations_are_in_one_country",
        "No organisation has its headquarters in two countries today.",
        _is_current & (pl.col("country").filter(_is_current).n_unique().over("organization") > 1),
        "{organization} is in {country} here and elsewhere in another row that holds today",
        "decide by the policy for dual headquarters, or give the units names of their own",
        "warning",
    ),
    RegistryRule(
        "parents_exist",
        "Every parent is another organisation of the registry.",
        _parent_is_nowhere | (pl.col("parent") == pl.col("organization")),
        "parent {parent} is not another organisation of the registry",
        "write the parent's name as in its own row, add that row, or leave the parent empty",
        "warning",
    ),
    RegistryRule(
        "basis_is_stated",
        "Every row says how it is known.",
        is_none_of("basis", EVIDENCE_BASES) & pl.col("organization").is_not_null(),
        "basis {basis} is not known",
        "write read if the evidence was opened and says so, else well_known",
        "warning",
    ),
)
"""Of the compiled map, and of a registry in one file."""
