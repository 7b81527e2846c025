"""What makes the reviewed registry sound: each rule with its offending rows, what is wrong in each, and the remedy.

The same rules are the checks of `attribution/organizations` and what `census registry check` prints with line numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl
import pycountry

from pipeline.schema.declaration import Severity
from pipeline.tables.columns import DEVELOPER_KINDS

COUNTRY_CODES = frozenset(country.alpha_2 for country in pycountry.countries)
INTERNATIONAL = "international"
PERSON = "individual"
EVIDENCE_BASES = ("read", "well_known")


@dataclass(frozen=True)
class RegistryRule:
    """A statement about every row of a registry.

    `offenders` keeps the rows that break it, with all their columns. `problem` says of such a row what is wrong with
    it, `remedy` what mends it. Rules about `columns` that a file does not have do not apply to it.
    """

    name: str
    meaning: str
    columns: tuple[str, ...]
    offenders: Callable[[pl.LazyFrame], pl.LazyFrame]
    problem: pl.Expr
    remedy: str
    severity: Severity = "critical"


def _where(condition: pl.Expr) -> Callable[[pl.LazyFrame], pl.LazyFrame]:
    return lambda rows: rows.filter(condition)


def _is_blank(column: str) -> pl.Expr:
    return pl.col(column).is_null() | (pl.col(column).str.strip_chars() == "")


def overlapping_periods(registry: pl.LazyFrame) -> pl.LazyFrame:
    """Rows that begin before another row of the namespace has ended."""
    begin = pl.col("valid_from").fill_null(pl.date(1, 1, 1))
    end = pl.col("valid_to").fill_null(pl.date(9999, 1, 1))
    ended_before = end.cum_max().shift(1).over("namespace")
    return registry.sort("namespace", "valid_from", nulls_last=False, maintain_order=True).filter(begin < ended_before)


def _orphans(registry: pl.LazyFrame) -> pl.LazyFrame:
    organizations = registry.select(pl.col("organization").alias("parent")).unique()
    orphans = registry.filter(pl.col("parent").is_not_null()).join(organizations, on="parent", how="anti")
    own_parents = registry.filter(pl.col("parent") == pl.col("organization"))
    return pl.concat([orphans, own_parents])


def _in_two_countries(registry: pl.LazyFrame) -> pl.LazyFrame:
    """Current rows whose organisation has another country in another current row."""
    current = registry.filter(pl.col("valid_to").is_null() & pl.col("country").is_not_null())
    several = current.group_by("organization").agg(pl.col("country").n_unique()).filter(pl.col("country") > 1)
    return current.join(several.select("organization"), on="organization", how="semi")


_is_person = pl.col("kind") == PERSON

RULES = (
    RegistryRule(
        "namespaces_are_names",
        "Every row names a namespace as the Hub writes it.",
        ("namespace",),
        _where(_is_blank("namespace") | pl.col("namespace").str.contains(r"[\s/]")),
        pl.format("{} is not a namespace", pl.col("namespace").fill_null("nothing")),
        "write the account's name as it stands in the address of its page, in the same case",
    ),
    RegistryRule(
        "organizations_are_named",
        "Every row names an organisation.",
        ("organization",),
        _where(_is_blank("organization")),
        pl.lit("the organisation is not named"),
        "name who stands behind the account, or remove the row so that it counts as unmapped",
    ),
    RegistryRule(
        "kinds_are_known",
        "Every kind is one of the declared kinds.",
        ("kind",),
        _where(~pl.col("kind").is_in(DEVELOPER_KINDS).fill_null(value=False)),
        pl.format("kind {} is not known", pl.col("kind").fill_null("(none)")),
        f"choose one of {', '.join(DEVELOPER_KINDS)}",
    ),
    RegistryRule(
        "countries_exist",
        "Every country is an ISO 3166-1 alpha-2 code, or `international`.",
        ("country",),
        _where(~pl.col("country").is_in([*COUNTRY_CODES, INTERNATIONAL])),
        pl.format("country {} is not an ISO 3166-1 alpha-2 code", "country"),
        "write the two letters of the headquarters' country (GB, not UK), or international where there is no base",
    ),
    RegistryRule(
        "persons_alone_have_no_country",
        "Organisations have a country, persons have none.",
        ("country", "kind"),
        _where(_is_person != pl.col("country").is_null()),
        pl.when(_is_person).then(pl.lit("a person is given a country")).otherwise(pl.lit("the country is missing")),
        "leave the country of an individual empty; give every other row one, or remove the row",
    ),
    RegistryRule(
        "periods_end_after_they_begin",
        "A row's period ends after it begins.",
        ("valid_from", "valid_to"),
        _where(pl.col("valid_to") <= pl.col("valid_from")),
        pl.format("the row ends on {}, not after it begins on {}", "valid_to", "valid_from"),
        "valid_to is the first day on which the row holds no longer",
    ),
    RegistryRule(
        "periods_do_not_overlap",
        "No namespace belongs to two organisations at once.",
        ("namespace", "valid_from", "valid_to"),
        overlapping_periods,
        pl.lit("the namespace is in two organisations at once"),
        "end the earlier row's valid_to on or before the later row's valid_from",
    ),
    RegistryRule(
        "organizations_are_in_one_country",
        "No organisation has its headquarters in two countries today.",
        ("organization", "country", "valid_to"),
        _in_two_countries,
        pl.format("{} is in {} here and elsewhere in another row that holds today", "organization", "country"),
        "decide by the policy for dual headquarters, or give the units names of their own",
        "warning",
    ),
    RegistryRule(
        "parents_exist",
        "Every parent is another organisation of the registry.",
        ("parent", "organization"),
        _orphans,
        pl.format("parent {} is not another organisation of the registry", "parent"),
        "write the parent's name as in its own row, add that row, or leave the parent empty",
        "warning",
    ),
    RegistryRule(
        "evidence_is_an_address",
        "Every row has a public address that supports it.",
        ("evidence",),
        _where(~pl.col("evidence").str.contains(r"^https?://[^\s/]+\.\S+$").fill_null(value=False)),
        pl.format("evidence {} is not a public address", pl.col("evidence").fill_null("(none)")),
        "give the address of a page that supports the row, beginning with https://",
        "warning",
    ),
    RegistryRule(
        "basis_is_stated",
        "Every row says how it is known.",
        ("basis",),
        _where(~pl.col("basis").is_in(EVIDENCE_BASES).fill_null(value=False)),
        pl.format("basis {} is not known", pl.col("basis").fill_null("(none)")),
        "write read if the evidence was opened and says so, else well_known",
        "warning",
    ),
    RegistryRule(
        "what_was_read_says_when",
        "Rows that were read, and only they, say on which day.",
        ("basis", "checked_on"),
        _where((pl.col("basis") == "read") != pl.col("checked_on").is_not_null()),
        pl.when(pl.col("basis") == "read")
        .then(pl.lit("the day of reading is missing"))
        .otherwise(pl.lit("a day of reading is given, but the row is not `read`")),
        "checked_on is the day on which the evidence was opened; leave it empty where it was not",
        "warning",
    ),
)
