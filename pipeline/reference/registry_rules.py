"""What makes the registry sound: each rule with its offending rows, what is wrong in each, and the remedy.

The rules about one file are at once the checks of the compiled map and what `census registry check` prints with line
numbers; a rule holds for every file that has its columns. The rules between files are in `registry_links`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files

import polars as pl
import pycountry

from pipeline.schema.declaration import Severity

COUNTRY_CODES = frozenset(country.alpha_2 for country in pycountry.countries)
INTERNATIONAL = "international"
MEMBERS_NOT_COUNTRIES = (INTERNATIONAL, "unaffiliated", "unmapped")
PERSON = "individual"
KINDS = ("company", "university", "research_institute", "nonprofit", "government", "community", PERSON)
EVIDENCE_BASES = ("read", "well_known")
OWN_NAME = "own_name"
"""How an account is known that bears its organisation's name; the check compares the two."""
ROLES = ("own", "canonical", "port", "reupload")
SEAT_RULES = {
    "head_office": "where the organisation says its head office is, or where its management works",
    "unit": "a unit with a name and a seat of its own: at that seat, whoever owns it",
    "university": "a university or a laboratory of one: where that part of the university is",
    "state": "a body of a state, or a national project: the country that runs it",
    "registered": "an association or foundation: where it is registered",
    "host": "a joint project, or one under a foundation: the seat of the body that runs the account",
    "author_group": "authors of a work, without a body of their own, all at institutions of one country: that country",
    "national_community": "a community that by its own words is one country's: that country",
    "no_single_base": "none of these: international",
}
RULES_FOR_COMMUNITIES = ("author_group", "national_community", "host", "registered")
WORDS_OF_A_QUOTE = 20


@dataclass(frozen=True)
class RegistryRule:
    """A statement about every row of a registry's file.

    `offenders` keeps the rows that break it, with all their columns. `problem` says of such a row what is wrong with
    it, `remedy` what mends it.
    """

    name: str
    meaning: str
    columns: tuple[str, ...]
    offenders: Callable[[pl.LazyFrame], pl.LazyFrame]
    problem: pl.Expr
    remedy: str
    severity: Severity = "critical"


def refused_hosts() -> list[str]:
    """Hosts of pages that are no evidence: what they say is gathered from others, unnamed, or made by machine."""
    return pl.read_csv(str(files("pipeline.reference") / "registry" / "refused_sources.csv"))["host"].to_list()


def overlapping_periods(rows: pl.LazyFrame, key: str = "namespace") -> pl.LazyFrame:
    """Rows that begin before another row of the same key has ended."""
    begin = pl.col("valid_from").fill_null(pl.date(1, 1, 1))
    ended_before = pl.col("valid_to").fill_null(pl.date(9999, 1, 1)).cum_max().shift(1).over(key)
    return rows.sort(key, "valid_from", nulls_last=False, maintain_order=True).filter(begin < ended_before)


def _where(condition: pl.Expr) -> Callable[[pl.LazyFrame], pl.LazyFrame]:
    return lambda rows: rows.filter(condition)


def _is_blank(column: str) -> pl.Expr:
    return pl.col(column).is_null() | (pl.col(column).str.strip_chars() == "")


def _is_none_of(column: str, words: tuple[str, ...]) -> Callable[[pl.LazyFrame], pl.LazyFrame]:
    return _where(~pl.col(column).is_in(words).fill_null(value=False))


def _given(column: str) -> pl.Expr:
    return pl.format(f"{column} {{}}", pl.col(column).fill_null("(none)"))


def _orphans(registry: pl.LazyFrame) -> pl.LazyFrame:
    """Rows whose parent is nowhere, or the organisation itself; in files that do not name the ultimate owner too."""
    organizations = registry.select(pl.col("organization").alias("parent")).unique()
    alone = registry.filter(pl.col("parent").is_not_null() & pl.col("ultimate_owner").is_null())
    orphans = alone.join(organizations, on="parent", how="anti")
    return pl.concat([orphans, registry.filter(pl.col("parent") == pl.col("organization"))])


def _in_two_countries(registry: pl.LazyFrame) -> pl.LazyFrame:
    """Current rows whose organisation has another country in another current row."""
    current = registry.filter(pl.col("valid_to").is_null() & pl.col("country").is_not_null())
    several = current.group_by("organization").agg(pl.col("country").n_unique()).filter(pl.col("country") > 1)
    return current.join(several.select("organization"), on="organization", how="semi")


_is_person = pl.col("kind") == PERSON
_is_read = pl.col("basis") == "read"
_host = pl.col("evidence").str.extract(r"^https?://(?:www\.)?([^/]+)")
_OF_ALL_FILES = (
    RegistryRule(
        "namespaces_are_names",
        "Every row names a namespace as the Hub writes it.",
        ("namespace",),
        _where(_is_blank("namespace") | pl.col("namespace").str.contains(r"[\s/]")),
        pl.format("{} is not a namespace", pl.col("namespace").fill_null("nothing")),
        "write the account's name as it stands in the address of its page, in the same case",
    ),
    RegistryRule(
        "kinds_are_known",
        "Every kind is one of the declared kinds.",
        ("kind",),
        _is_none_of("kind", KINDS),
        pl.format("{} is not known", _given("kind")),
        f"choose one of {', '.join(KINDS)}",
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
        "evidence_is_an_address",
        "Evidence is a public address.",
        ("evidence",),
        _where(~pl.col("evidence").str.contains(r"^https?://[^\s/]+\.\S+$").fill_null(_is_read.not_())),
        pl.format("{} is not a public address", _given("evidence")),
        "give the address of a page that supports the row, beginning with https://",
        "warning",
    ),
    RegistryRule(
        "what_was_read_says_when",
        "Rows that were read, and only they, say on which day.",
        ("basis", "checked_on"),
        _where(_is_read != pl.col("checked_on").is_not_null()),
        pl.when(_is_read)
        .then(pl.lit("the day of reading is missing"))
        .otherwise(pl.lit("a day of reading is given, but the row is not `read`")),
        "checked_on is the day on which the evidence was opened; leave it empty where it was not",
        "warning",
    ),
)
_OF_THE_MAP = (
    RegistryRule(
        "organizations_are_named",
        "Every row names an organisation.",
        ("organization",),
        _where(_is_blank("organization")),
        pl.lit("the organisation is not named"),
        "name who stands behind the account, or remove the row so that it counts as unmapped",
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
        ("parent", "organization", "ultimate_owner"),
        _orphans,
        pl.format("parent {} is not another organisation of the registry", "parent"),
        "write the parent's name as in its own row, add that row, or leave the parent empty",
        "warning",
    ),
    RegistryRule(
        "basis_is_stated",
        "Every row says how it is known.",
        ("organization", "basis"),
        _is_none_of("basis", EVIDENCE_BASES),
        pl.format("{} is not known", _given("basis")),
        "write read if the evidence was opened and says so, else well_known",
        "warning",
    ),
)
RULES = (*_OF_ALL_FILES, *_OF_THE_MAP)
"""Of the compiled map, and of a registry in one file."""

RULES_OF_THE_FILES = (
    *_OF_ALL_FILES,
    RegistryRule(
        "roles_are_known",
        "Every account has a declared role.",
        ("role",),
        _is_none_of("role", ROLES),
        pl.format("{} is not known", _given("role")),
        f"choose one of {', '.join(ROLES)}",
        "warning",
    ),
    RegistryRule(
        "seats_follow_a_rule",
        "Every seat names the rule of the policy that it follows.",
        ("rule",),
        _where(
            ~pl.col("rule").is_in(list(SEAT_RULES)).fill_null(value=False)
            | ((pl.col("rule") == "no_single_base") != (pl.col("country") == INTERNATIONAL))
        ),
        pl.format("{} does not lead to country {}", _given("rule"), pl.col("country").fill_null("(none)")),
        f"choose one of {', '.join(SEAT_RULES)}; no_single_base goes with international alone",
        "warning",
    ),
    RegistryRule(
        "files_state_their_basis",
        "Every row says how it is known.",
        ("basis",),
        _is_none_of("basis", (*EVIDENCE_BASES, OWN_NAME)),
        pl.format("{} is not known", _given("basis")),
        "write read if the evidence was opened and says so, own_name if an account bears its organisation's name, "
        "else well_known",
        "warning",
    ),
    RegistryRule(
        "sources_are_not_refused",
        "No row rests on a source that the policy refuses.",
        ("evidence",),
        lambda rows: rows.filter(_host.is_in(refused_hosts()).fill_null(value=False)),
        pl.format("the policy refuses {} as evidence", _host),
        "find a page of the organisation, a register or the press that says it, or write well_known and no address",
        "warning",
    ),
    RegistryRule(
        "quotes_are_short",
        "No quotation has more than 20 words.",
        ("quote",),
        _where(pl.col("quote").str.split(" ").list.len() > WORDS_OF_A_QUOTE),
        pl.lit(f"the quotation has more than {WORDS_OF_A_QUOTE} words"),
        "keep the words that say where the organisation is",
        "warning",
    ),
)
