"""What must hold between the registry's files: the file and the rows that break it, what is wrong, and the remedy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from pipeline.reference.registry_map import DEEPEST_OWNERSHIP, FAR_FUTURE, FAR_PAST, Files
from pipeline.reference.registry_rules import (
    INTERNATIONAL,
    OWN_NAME,
    PERSON,
    RULES_FOR_COMMUNITIES,
    overlapping_periods,
)

EVERY_FILE_WITH_IDS = ("seats", "owners", "accounts", "canonical_models")


@dataclass(frozen=True)
class LinkRule:
    """A statement about rows of one file that other rows or files are needed to judge; `decides` as of a defect."""

    file: str
    offenders: Callable[[Files], pl.DataFrame]
    problem: pl.Expr
    remedy: str
    decides: bool = True


def _unknown(file: str, column: str) -> LinkRule:
    def offenders(files: Files) -> pl.DataFrame:
        known = files["organizations"].select(pl.col("organization_id").alias(column))
        return files[file].join(known, on=column, how="anti")

    return LinkRule(
        file,
        offenders,
        pl.format(f"{column} {{}} is not in organizations.csv", pl.col(column).fill_null("(none)")),
        "correct the id, or add a line for the organisation to organizations.csv",
    )


def _is_repeated(file: str, column: str) -> LinkRule:
    return LinkRule(
        file,
        lambda files: files[file].filter(pl.col(column).is_duplicated()),
        pl.format(f"the {column} {{}} is listed more than once", column),
        "keep one of its rows",
    )


def _broken_seats(files: Files) -> pl.DataFrame:
    """Seats that do not begin where the one before ended; the first since ever, the last until further notice."""
    seats = files["seats"].sort("organization_id", "valid_from", nulls_last=False, maintain_order=True)
    before = pl.col("valid_to").shift(1).over("organization_id")
    is_last = pl.col("line") == pl.col("line").last().over("organization_id")
    return seats.filter(pl.col("valid_from").ne_missing(before) | (is_last & pl.col("valid_to").is_not_null()))


def _without_a_seat(files: Files) -> pl.DataFrame:
    return files["organizations"].join(files["seats"], on="organization_id", how="anti")


def _placed_communities(files: Files) -> pl.DataFrame:
    communities = files["organizations"].filter(pl.col("kind") == "community").select("organization_id")
    return (
        files["seats"]
        .join(communities, on="organization_id", how="semi")
        .filter(
            (pl.col("country") != INTERNATIONAL) & ~pl.col("rule").is_in(RULES_FOR_COMMUNITIES).fill_null(value=False)
        )
    )


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
    periods = closed.with_columns(valid_from="closed_on", valid_to="ended_on")
    return overlapping_periods(periods.lazy(), "organization_id").collect()


def _persons_and_organizations(files: Files) -> pl.DataFrame:
    """Persons' rows whose account is an organisation's at the same time."""
    begin, end = pl.col("valid_from").fill_null(FAR_PAST), pl.col("valid_to").fill_null(FAR_FUTURE)
    of_organizations = files["accounts"].select("namespace", since=begin, until=end)
    both = files["persons"].join(of_organizations, on="namespace")
    return both.filter((begin < pl.col("until")) & (pl.col("since") < end))


def _in_two_spellings(files: Files) -> pl.DataFrame:
    """Accounts whose name differs from another's by capitals alone, which the Hub does not allow."""
    spelled = pl.concat([files["accounts"].select("namespace"), files["persons"].select("namespace")]).unique()
    twice = spelled.filter(pl.col("namespace").str.to_lowercase().is_duplicated())
    return files["accounts"].join(twice, on="namespace", how="semi")


def _under_other_names(files: Files) -> pl.DataFrame:
    named = files["accounts"].filter(pl.col("basis") == OWN_NAME)
    told = named.join(files["organizations"].select("organization_id", "name", "website"), on="organization_id")
    return told.filter(~_is_own_name())


def _is_own_name() -> pl.Expr:
    """Whether an account bears the name, the id or the web domain of its organisation, but for words such as AI."""

    def plain(value: pl.Expr) -> pl.Expr:
        letters = value.str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}]", "")
        return letters.str.replace(r"(.)(ai|inc|labs?|org|team|hq|hf|research|tech|technology|technologies)$", "$1")

    domain = pl.col("website").str.extract(r"^https?://(?:www\.)?([^/]+)")
    names = ("name", "organization_id", pl.col("name").str.extract(r"\((.+)\)"), domain, domain.str.extract(r"^(.+)\."))
    account = plain(pl.col("namespace"))
    columns = (pl.col(name) if isinstance(name, str) else name for name in names)
    return pl.any_horizontal((plain(column) == account).fill_null(value=False) for column in columns)


LINKS = (
    *(_unknown(file, "organization_id") for file in EVERY_FILE_WITH_IDS),
    _unknown("owners", "owner_id"),
    _is_repeated("organizations", "organization_id"),
    _is_repeated("canonical_models", "model_id"),
    LinkRule(
        "organizations",
        lambda files: files["organizations"].filter(pl.col("name").is_null() | pl.col("name").is_duplicated()),
        pl.format("the name {} is missing or another organisation's too", pl.col("name").fill_null("")),
        "give every organisation one line and a name of its own",
    ),
    LinkRule(
        "organizations",
        lambda files: files["organizations"].filter(pl.col("kind") == PERSON),
        pl.lit("a person is among the organisations, which have countries"),
        "move the account to persons.csv",
    ),
    LinkRule(
        "organizations",
        _without_a_seat,
        pl.lit("the organisation has no seat"),
        "add its line to seats.csv, with international if there is no single base",
    ),
    LinkRule(
        "seats",
        _broken_seats,
        pl.lit("the seats of the organisation overlap or leave days without one"),
        "leave valid_from of its first seat and valid_to of its last empty; let each begin where the one before ends",
    ),
    LinkRule(
        "seats",
        _placed_communities,
        pl.format("a community is placed in {} by no rule that allows it", "country"),
        f"choose one of {', '.join(RULES_FOR_COMMUNITIES)} if it holds, else international and no_single_base",
        decides=False,
    ),
    LinkRule(
        "owners",
        _circles,
        pl.lit("the organisation owns itself through its owners"),
        "remove the row that is wrong, or end one before the other begins",
    ),
    LinkRule(
        "owners",
        _owned_twice,
        pl.lit("the organisation has two owners at once"),
        "give the earlier row an ended_on, or name the one that controls it",
    ),
    LinkRule(
        "owners",
        lambda files: files["owners"].filter(
            (pl.col("closed_on") < pl.col("announced_on"))
            | (pl.col("ended_on") <= pl.coalesce("closed_on", "announced_on"))
        ),
        pl.lit("the purchase is closed before it was announced, or ends before it began"),
        "write the days in the order announced_on, closed_on, ended_on",
    ),
    LinkRule(
        "persons",
        _persons_and_organizations,
        pl.lit("the account is an organisation's in accounts.csv at the same time"),
        "keep it in one of the two files, or end one row where the other begins",
    ),
    LinkRule(
        "accounts",
        _in_two_spellings,
        pl.lit("the account is there in two spellings"),
        "keep the one in the address of its page: the Hub has no two names that differ by capitals alone",
        decides=False,
    ),
    LinkRule(
        "accounts",
        _under_other_names,
        pl.lit("the account does not bear its organisation's name, which own_name claims"),
        "write well_known, or read with a page that says whose it is",
        decides=False,
    ),
)
