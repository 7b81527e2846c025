"""Compiles the registry's files into one map: a row for each account and period in which nothing about it changed."""

from __future__ import annotations

import polars as pl

from pipeline.reference.registry_rules import DEEPEST_OWNERSHIP, FAR_FUTURE, FAR_PAST, PERSON, Files

MAP_COLUMNS = (
    *("namespace", "organization", "country", "kind", "parent", "valid_from", "valid_to"),
    *("ultimate_owner", "ultimate_owner_country", "announced_owner_country", "legal_country"),
    *("evidence", "basis", "account_basis", "checked_on", "note"),
)


def compile_map(files: Files) -> pl.DataFrame:
    """The map with the `line` that names the account and the columns of `MAP_COLUMNS`, in the order of the namespaces.

    Organisations are placed by their seat on each day, and owned by who had closed the purchase by then.
    """
    seats = _periods(files["seats"], "valid_from", "valid_to")
    owned, announced = (_ownership(files["owners"], begins) for begins in ("closed_on", "announced_on"))
    of_seat = ("country", "legal_country", "evidence", "basis", "checked_on", "note")
    rows = _held(_cut(files, seats, pl.concat([owned, announced])), seats, of_seat, "_seat")
    rows = _topmost(_topmost(_held(rows, owned, ("owner_id",), ""), owned, "ultimate"), announced, "announced")
    for owner in ("ultimate", "announced"):
        rows = _held(rows, seats, ("country",), f"_of_{owner}", key=owner)
    names = files["organizations"].select("organization_id", "name")
    for owner, name in (("organization_id", "organization"), ("owner_id", "parent"), ("ultimate", "ultimate_owner")):
        rows = rows.join(names.rename({"organization_id": owner, "name": name}), owner, "left")
    told = rows.join(files["organizations"].select("organization_id", "kind", "website"), "organization_id", "left")
    page = pl.concat_str(pl.lit("https://huggingface.co/"), "namespace")
    pieces = told.select(
        *("line", "namespace", "organization", "kind", "parent", "ultimate_owner"),
        pl.when(pl.col("begin") != FAR_PAST).then("begin").alias("valid_from"),
        pl.when(pl.col("end") != FAR_FUTURE).then("end").alias("valid_to"),
        country="country_seat",
        legal_country="legal_country_seat",
        ultimate_owner_country="country_of_ultimate",
        announced_owner_country="country_of_announced",
        evidence=pl.coalesce("evidence_seat", "evidence", "website", page),
        basis="basis_seat",
        account_basis="basis",
        checked_on="checked_on_seat",
        note=pl.concat_str("note", "note_seat", separator="; ", ignore_nulls=True).replace("", None),
    )
    persons = files["persons"].with_columns(
        kind=pl.lit(PERSON), organization="name", account_basis="basis", evidence=pl.coalesce("evidence", page)
    )
    mapped = pl.concat([pieces, persons.drop("name")], how="diagonal").select("line", *MAP_COLUMNS)
    return merge_periods(mapped.sort(pl.col("namespace").str.to_lowercase(), "namespace", "valid_from"))


def _periods(rows: pl.DataFrame, begin: str, end: str) -> pl.DataFrame:
    return rows.with_columns(
        pl.col(begin).fill_null(FAR_PAST).alias("begin"), pl.col(end).fill_null(FAR_FUTURE).alias("end")
    )


def _ownership(owners: pl.DataFrame, begins: str) -> pl.DataFrame:
    """Who owned what and when, if owning `begins` on that day: since ever if no day is known, until the next owner."""
    is_known = pl.col(begins).is_not_null() | pl.col("announced_on").is_null()
    began = owners.filter(is_known).with_columns(pl.coalesce(begins, "closed_on").alias("began_on"))
    periods = _periods(began, "began_on", "ended_on").sort("organization_id", "begin", maintain_order=True)
    next_begin = pl.col("begin").shift(-1).over("organization_id")
    return periods.select("organization_id", "owner_id", "begin", pl.min_horizontal("end", next_begin).alias("end"))


def _cut(files: Files, seats: pl.DataFrame, owned: pl.DataFrame) -> pl.DataFrame:
    """Accounts in pieces: those of organisations that move or are owned, cut wherever any seat or owner changes."""
    accounts = _periods(files["accounts"], "valid_from", "valid_to")
    days = pl.concat(rows.select(start=side) for rows in (seats, owned) for side in ("begin", "end")).unique()
    moved = seats.filter(pl.col("organization_id").is_duplicated())
    changing = pl.concat(rows.select("organization_id") for rows in (moved, owned))
    cuts = accounts.join(changing, "organization_id", "semi").join(days, how="cross")
    starts = [
        accounts.select("line", start="begin"),
        cuts.filter(pl.col("start").is_between("begin", "end", closed="none")).select("line", "start"),
    ]
    return (
        accounts.join(pl.concat(starts), "line")
        .sort("line", "start")
        .with_columns(pl.col("start").shift(-1).over("line").fill_null(pl.col("end")).alias("end"), begin="start")
        .drop("start")
    )


def _held(
    rows: pl.DataFrame, facts: pl.DataFrame, columns: tuple[str, ...], suffix: str, key: str = "organization_id"
) -> pl.DataFrame:
    """Rows with what held of the organisation `key` when each begins, null where nothing did."""
    told = facts.select(
        pl.col("organization_id").alias(key),
        pl.col("begin").alias("since"),
        pl.col("end").alias("until"),
        *(pl.col(column).alias(f"{column}{suffix}") for column in columns),
    )
    held = (
        rows.select("line", "begin", key).join(told, key).filter(pl.col("begin").is_between("since", "until", "left"))
    )
    return rows.join(held.drop(key, "since", "until"), ["line", "begin"], "left")


def _topmost(rows: pl.DataFrame, owned: pl.DataFrame, name: str) -> pl.DataFrame:
    """Rows with the owner above whom there is none when each begins; the organisation itself if nobody owns it."""
    found = rows.with_columns(pl.col("organization_id").alias(name))
    for _ in range(DEEPEST_OWNERSHIP):
        found = _held(found, owned, ("owner_id",), "_above", key=name)
        found = found.with_columns(pl.coalesce("owner_id_above", name).alias(name)).drop("owner_id_above")
    return found


def merge_periods(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of a namespace that follow on one another and say the same of it as one row, in the order of the rows."""
    said = pl.struct(pl.exclude("line", "valid_from", "valid_to"))
    follows = (pl.col("valid_from") == pl.col("valid_to").shift(1)) & (said == said.shift(1))
    run = (~follows.fill_null(value=False)).cum_sum().alias("run")
    merged = rows.group_by(run, maintain_order=True).agg(pl.exclude("valid_to").first(), pl.col("valid_to").last())
    return merged.select(rows.columns)
