"""Who publishes in the synthetic world: real organisations, invented persons and invented unknown organisations.

`cast.csv` states facts about real namespaces; `prominence.csv` states how much of the invented world each one is
given, and by which former name it appears before a date.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

import polars as pl

HERE = Path(__file__).parent

INTERNATIONAL = "international"
UNAFFILIATED = "unaffiliated"
UNMAPPED = "unmapped"
INDIVIDUAL = "individual"

CHINESE_FAMILIES = ("Qwen", "DeepSeek", "Other China")

_ADJECTIVES = [
    "amber",
    "brisk",
    "copper",
    "dapper",
    "eager",
    "fuzzy",
    "gentle",
    "hollow",
    "icy",
    "jolly",
    "kindly",
    "lunar",
    "mossy",
    "nimble",
    "opal",
    "plucky",
    "quiet",
    "rustic",
    "silver",
    "tidy",
    "upbeat",
    "velvet",
    "windy",
    "zesty",
]
_NOUNS = [
    "acorn",
    "badger",
    "comet",
    "dune",
    "ember",
    "fjord",
    "grotto",
    "heron",
    "inkwell",
    "juniper",
    "kettle",
    "lantern",
    "marble",
    "nutmeg",
    "otter",
    "pebble",
    "quartz",
    "raven",
    "saddle",
    "teapot",
    "umbrella",
    "violin",
    "walnut",
    "yarrow",
]
_GROUPS = ["Collective", "Foundry", "Guild", "Laboratory", "Orchard", "Works"]


@cache
def facts() -> pl.DataFrame:
    """Real namespaces: organisation, headquarters country and kind, one row per namespace and validity."""
    return pl.read_csv(HERE / "cast.csv", try_parse_dates=False).with_columns(
        pl.col("valid_from", "valid_to").str.to_date(strict=True)
    )


@cache
def prominence() -> pl.DataFrame:
    """How much of the invented world each current namespace is given, one row per account."""
    return pl.read_csv(HERE / "prominence.csv").with_columns(pl.col("renamed_on").str.to_date(strict=True))


@cache
def attribution_on(day: date) -> pl.DataFrame:
    """Organisation, country and kind of each real namespace on a day: `namespace, organization, country, kind`."""
    valid = facts().filter(
        (pl.col("valid_from").is_null() | (pl.col("valid_from") <= day))
        & (pl.col("valid_to").is_null() | (pl.col("valid_to") > day))
    )
    return valid.select(
        "namespace",
        pl.col("organization").fill_null(UNAFFILIATED),
        "country",
        pl.col("kind").replace("person", INDIVIDUAL),
    )


@dataclass(frozen=True)
class Attribution:
    """Organisation, country and kind of a real namespace on a day."""

    organization: str
    country: str
    kind: str


@dataclass(frozen=True)
class Accounts:
    """All namespaces by number: first the cast, then invented persons, then invented unknown organisations."""

    cast: pl.DataFrame
    persons: int
    unknown_organizations: int

    @property
    def first_person(self) -> int:
        """The number of the first invented person."""
        return self.cast.height

    @property
    def first_unknown(self) -> int:
        """The number of the first invented unknown organisation."""
        return self.cast.height + self.persons

    def attributions(self, day: date) -> list[Attribution]:
        """Who stands behind each cast account on a day, by the name the account has then."""
        known = {row[0]: Attribution(*row[1:]) for row in attribution_on(day).iter_rows()}
        renames = self.cast.select("namespace", "renamed_from", "renamed_on").iter_rows()
        return [known[former if moved is not None and moved > day else present] for present, former, moved in renames]

    def frame(self) -> pl.DataFrame:
        """Grain: account. Columns `account, namespace, former_name, renamed_on, type`."""
        known = self.cast.select(
            "namespace",
            pl.col("renamed_from").alias("former_name"),
            "renamed_on",
            pl.when(pl.col("kind") == "person").then(pl.lit("person")).otherwise(pl.lit("organization")).alias("type"),
        )
        invented = pl.concat(
            [
                _invented(self.persons, "-").with_columns(pl.lit("person").alias("type")),
                _invented(self.unknown_organizations, "").with_columns(pl.lit("organization").alias("type")),
            ]
        ).select(
            "namespace",
            pl.lit(None, dtype=pl.String).alias("former_name"),
            pl.lit(None, dtype=pl.Date).alias("renamed_on"),
            "type",
        )
        return pl.concat([known, invented]).with_row_index("account")


def accounts_for(models: int) -> Accounts:
    """The accounts of a world of about so many repositories."""
    kinds = facts().group_by("namespace", maintain_order=True).agg(pl.col("kind").first())
    cast = prominence().join(kinds, on="namespace", how="left", maintain_order="left")
    return Accounts(cast, persons=max(models // 8, 60), unknown_organizations=max(models // 100, 12))


def _invented(count: int, separator: str) -> pl.DataFrame:
    """Handles no real account bears: two words and a number for a person, words and a group for an organisation."""
    number = pl.int_range(count, dtype=pl.Int64)
    adjective = _word(_ADJECTIVES, number)
    noun = _word(_NOUNS, number // len(_ADJECTIVES))
    rest = number // (len(_ADJECTIVES) * len(_NOUNS))
    if separator:
        handle = pl.concat_str(adjective, noun, (rest * 7 + 101).cast(pl.String), separator=separator)
    else:
        handle = pl.concat_str(
            adjective.str.to_titlecase(), noun.str.to_titlecase(), _word(_GROUPS, number), (rest + 1).cast(pl.String)
        )
    return pl.select(handle.alias("namespace"))


def _word(words: list[str], number: pl.Expr) -> pl.Expr:
    return pl.lit(pl.Series(words)).gather(number % len(words))
