"""What else must hold of the registry's files and between them: the rows that break it, what is wrong, the remedy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from pipeline.reference.lists import read_list
from pipeline.reference.registry_map import DEEPEST_OWNERSHIP, Files
from pipeline.reference.registry_rules import (
    EVIDENCE_BASES,
    FAR_FUTURE,
    FAR_PAST,
    INTERNATIONAL,
    PERSON,
    begins_before_the_last_has_ended,
    is_none_of,
)

OWN_NAME = "own_name"
"""How an account is known that bears its organisation's name; the check compares the two."""
ROLES = ("own", "canonical", "port", "reupload")
RULES_FOR_COMMUNITIES = ("author_group", "national_community", "host", "registered")
SEAT_RULES = ("head_office", "unit", "university", "state", *RULES_FOR_COMMUNITIES, "no_single_base")
"""By which rule of the policy an organisation is placed; see the methodology, "How an account is placed"."""
WORDS_OF_A_QUOTE = 20
WITH_EVIDENCE = ("seats", "owners", "accounts", "persons", "canonical_models")


@dataclass(frozen=True)
class LinkRule:
    """A statement about the rows of one file; `problem` names columns in braces, `decides` is as of a defect."""

    file: str
    offenders: Callable[[Files], pl.DataFrame]
    problem: str
    remedy: str
    decides: bool = True


def _no_row(file: str, is_broken: pl.Expr, problem: str, remedy: str, *, decides: bool = True) -> LinkRule:
    return LinkRule(file, lambda files: files[file].filter(is_broken), problem, remedy, decides)


def _unknown(file: str, column: str) -> LinkRule:
    return LinkRule(
        file,
        lambda files: files[file].join(files["organizations"], left_on=column, right_on="organization_id", how="anti"),
        f"{column} {{{column}}} is not in organizations.csv",
        "correct the id, or add a line for the organisation to organizations.csv",
    )


def refused_hosts() -> list[str]:
    """Hosts of pages that are no evidence: what they say is gathered from others, unnamed, or made by machine."""
    return read_list("registry/refused_sources.csv")["host"].to_list()


def _refused(file: str) -> LinkRule:
    host = pl.col("evidence").str.extract(r"^https?://(?:www\.)?([^/]+)").alias("host")
    return LinkRule(
        file,
        lambda files: files[file].with_columns(host).filter(pl.col("host").is_in(refused_hosts())),
        "the policy refuses {host} as evidence",
        "find a page of the organisation, a register or the press that says it, or write well_known and no address",
        decides=False,
    )


def _broken_seats(files: Files) -> pl.DataFrame:
    """Seats that do not begin where the one before ended; the first since ever, the last until further notice."""
    seats = files["seats"].sort("organization_id", "valid_from", nulls_last=False, maintain_order=True)
    before = pl.col("valid_to").shift(1).over("organization_id")
    is_last = pl.col("line") == pl.col("line").last().over("organization_id")
    return seats.filter(pl.col("valid_from").ne_missing(before) | (is_last & pl.col("valid_to").is_not_null()))


def _placed_communities(files: Files) -> pl.DataFrame:
    communities = files["organizations"].filter(kind="community")
    is_placed = (pl.col("country") != INTERNATIONAL) & is_none_of("rule", RULES_FOR_COMMUNITIES)
    return files["seats"].join(communities, on="organization_id", how="semi").filter(is_placed)


def _circles(files: Files) -> pl.DataFrame:
    """Owners' rows of organisations that own themselves in the end, at whatever time."""
    edges = files["owners"].select("organization_id", "owner_id").unique()
    upwards = edges.rename({"organization_id": "owner_id", "owner_id": "above"})
    reached = [edges]
    for _ in range(DEEPEST_OWNERSHIP):
        reached.append(reached[-1].join(upwards, on="owner_id").select("organization_id", owner_id="above").unique())
    circular = pl.concat(reached).filter(pl.col("organization_id") == pl.col("owner_id"))
    return files["owners"].join(circular, on="organization_id", how="semi")


def _owned_twice(files: Files) -> pl.DataFrame:
    closed = files["owners"].filter(pl.col("closed_on").is_not_null() | pl.col("announced_on").is_null())
    return closed.filter(begins_before_the_last_has_ended("organization_id", "closed_on", "ended_on"))


def _persons_and_organizations(files: Files) -> pl.DataFrame:
    """Persons' rows whose account is an organisation's at the same time."""
    begin, end = pl.col("valid_from").fill_null(FAR_PAST), pl.col("valid_to").fill_null(FAR_FUTURE)
    of_organizations = files["accounts"].select("namespace", since=begin, until=end)
    both = files["persons"].join(of_organizations, on="namespace")
    return both.filter((begin < pl.col("until")) & (pl.col("since") < end))


def _in_two_spellings(files: Files) -> pl.DataFrame:
    """Accounts whose name differs from another's by capitals alone, which the Hub does not allow."""
    spelled = pl.concat(files[file].select("namespace") for file in ("accounts", "persons")).unique()
    twice = spelled.filter(pl.col("namespace").str.to_lowercase().is_duplicated())
    return files["accounts"].join(twice, on="namespace", how="semi")


def _under_other_names(files: Files) -> pl.DataFrame:
    """Accounts that do not bear the name, the id or the web domain of their organisation, but for words such as AI."""

    def letters(column: str | pl.Expr) -> pl.Expr:
        value = pl.col(column) if isinstance(column, str) else column
        plain = value.str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}]", "")
        return plain.str.replace(r"(.)(ai|inc|labs?|org|team|hq|hf|research|tech|technology|technologies)$", "$1")

    domain = pl.col("website").str.extract(r"^https?://(?:www\.)?([^/]+)")
    names = ("name", "organization_id", pl.col("name").str.extract(r"\((.+)\)"), domain, domain.str.extract(r"^(.+)\."))
    is_own = pl.any_horizontal((letters(name) == letters("namespace")).fill_null(value=False) for name in names)
    told = files["organizations"].select("organization_id", "name", "website")
    return files["accounts"].filter(basis=OWN_NAME).join(told, on="organization_id").filter(~is_own)


LINKS = (
    *(_unknown(file, "organization_id") for file in ("seats", "owners", "accounts", "canonical_models")),
    _unknown("owners", "owner_id"),
    *(
        _no_row(
            file,
            pl.col(column).is_duplicated(),
            f"the {column} {{{column}}} is listed more than once",
            "keep one of its rows",
        )
        for file, column in (("organizations", "organization_id"), ("canonical_models", "model_id"))
    ),
    _no_row(
        "organizations",
        pl.col("name").is_null() | pl.col("name").is_duplicated(),
        "the name {name} is missing or another organisation's too",
        "give every organisation one line and a name of its own",
    ),
    _no_row(
        "organizations",
        pl.col("kind") == PERSON,
        "a person is among the organisations, which have countries",
        "move the account to persons.csv",
    ),
    LinkRule(
        "organizations",
        lambda files: files["organizations"].join(files["seats"], on="organization_id", how="anti"),
        "the organisation has no seat",
        "add its line to seats.csv, with international if there is no single base",
    ),
    LinkRule(
        "seats",
        _broken_seats,
        "the seats of the organisation overlap or leave days without one",
        "leave valid_from of its first seat and valid_to of its last empty; let each begin where the one before ends",
    ),
    _no_row(
        "seats",
        is_none_of("rule", SEAT_RULES) | ((pl.col("rule") == "no_single_base") != (pl.col("country") == INTERNATIONAL)),
        "rule {rule} does not lead to country {country}",
        f"choose one of {', '.join(SEAT_RULES)}; no_single_base goes with international alone",
        decides=False,
    ),
    LinkRule(
        "seats",
        _placed_communities,
        "a community is placed in {country} by no rule that allows it",
        f"choose one of {', '.join(RULES_FOR_COMMUNITIES)} if it holds, else international and no_single_base",
        decides=False,
    ),
    _no_row(
        "seats",
        pl.col("quote").str.split(" ").list.len() > WORDS_OF_A_QUOTE,
        f"the quotation has more than {WORDS_OF_A_QUOTE} words",
        "keep the words that say where the organisation is",
        decides=False,
    ),
    LinkRule(
        "owners",
        _circles,
        "the organisation owns itself through its owners",
        "remove the row that is wrong, or end one before the other begins",
    ),
    LinkRule(
        "owners",
        _owned_twice,
        "the organisation has two owners at once",
        "give the earlier row an ended_on, or name the one that controls it",
    ),
    _no_row(
        "owners",
        (pl.col("closed_on") < pl.col("announced_on"))
        | (pl.col("ended_on") <= pl.coalesce("closed_on", "announced_on")),
        "the purchase is closed before it was announced, or ends before it began",
        "write the days in the order announced_on, closed_on, ended_on",
    ),
    LinkRule(
        "persons",
        _persons_and_organizations,
        "the account is an organisation's in accounts.csv at the same time",
        "keep it in one of the two files, or end one row where the other begins",
    ),
    _no_row(
        "accounts",
        is_none_of("role", ROLES),
        "role {role} is not known",
        f"choose one of {', '.join(ROLES)}",
        decides=False,
    ),
    LinkRule(
        "accounts",
        _in_two_spellings,
        "the account is there in two spellings",
        "keep the one in the address of its page: the Hub has no two names that differ by capitals alone",
        decides=False,
    ),
    LinkRule(
        "accounts",
        _under_other_names,
        "the account does not bear its organisation's name, which own_name claims",
        "write well_known, or read with a page that says whose it is",
        decides=False,
    ),
    *(
        _no_row(
            file,
            is_none_of("basis", (*EVIDENCE_BASES, OWN_NAME)),
            "basis {basis} is not known",
            "write read if the evidence was opened and says so, own_name if an account bears its organisation's name, "
            "else well_known",
            decides=False,
        )
        for file in WITH_EVIDENCE
    ),
    *(_refused(file) for file in WITH_EVIDENCE),
)
