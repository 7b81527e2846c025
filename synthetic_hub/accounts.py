"""Who publishes in the synthetic world: real organisations, invented persons and invented unknown organisations.

`data/accounts.csv` states facts about real namespaces; `data/prominence.csv` states how much of the invented world each
one is given, and by which former name it appears before a date.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache, cached_property
from pathlib import Path

import polars as pl

_DATA = Path(__file__).parent / "data"
FACTS_FILE = _DATA / "accounts.csv"
PROMINENCE_FILE = _DATA / "prominence.csv"

INTERNATIONAL = "international"
UNAFFILIATED = "unaffiliated"
UNMAPPED = "unmapped"
INDIVIDUAL = "individual"

_ADJECTIVES = [
    "amber", "brisk", "copper", "dapper", "eager", "fuzzy", "gentle", "hollow", "icy", "jolly", "kindly", "lunar",
    "mossy", "nimble", "opal", "plucky", "quiet", "rustic", "silver", "tidy", "upbeat", "velvet", "windy", "zesty",
]  # fmt: skip
_NOUNS = [
    "acorn", "badger", "comet", "dune", "ember", "fjord", "grotto", "heron", "inkwell", "juniper", "kettle", "lantern",
    "marble", "nutmeg", "otter", "pebble", "quartz", "raven", "saddle", "teapot", "umbrella", "violin", "walnut",
    "yarrow",
]  # fmt: skip
_GROUPS = ["Collective", "Foundry", "Guild", "Laboratory", "Orchard", "Works"]


@cache
def facts() -> pl.DataFrame:
    """Real namespaces: organisation, headquarters country and kind, one row per namespace and validity."""
    return pl.read_csv(FACTS_FILE).with_columns(pl.col("valid_from", "valid_to").str.to_date(strict=True))


@dataclass(frozen=True)
class Accounts:
    """All namespaces by number: first the real ones, then invented persons, then invented unknown organisations.

    `real` has one row per real account: its prominence, and its `kind`.
    """

    real: pl.DataFrame
    persons: int
    unknown_organizations: int

    @property
    def first_person(self) -> int:
        """The number of the first invented person."""
        return self.real.height

    @property
    def first_unknown(self) -> int:
        """The number of the first invented unknown organisation."""
        return self.real.height + self.persons

    @cached_property
    def number(self) -> dict[str, int]:
        """The number of each real namespace."""
        return {namespace: number for number, namespace in enumerate(self.real["namespace"])}

    def attribution(self, day: date) -> pl.DataFrame:
        """Who stands behind each account on a day, by the name it has then: `organization, country, kind`."""
        valid = facts().filter(
            (pl.col("valid_from").is_null() | (pl.col("valid_from") <= day))
            & (pl.col("valid_to").is_null() | (pl.col("valid_to") > day))
        )
        name = pl.when(pl.col("renamed_on") > day).then("renamed_from").otherwise("namespace")
        known = (
            self.real.select(name.alias("namespace"))
            .join(valid, on="namespace", how="left", maintain_order="left")
            .select(
                pl.col("organization").fill_null(UNAFFILIATED),
                "country",
                pl.col("kind").replace("person", INDIVIDUAL),
            )
        )
        person = {"organization": UNAFFILIATED, "country": UNAFFILIATED, "kind": INDIVIDUAL}
        unknown = dict.fromkeys(person, UNMAPPED)
        invented = [
            pl.select([pl.repeat(word, count).alias(column) for column, word in words.items()])
            for words, count in ((person, self.persons), (unknown, self.unknown_organizations))
        ]
        return pl.concat([known, *invented])

    def frame(self) -> pl.DataFrame:
        """Grain: account. Columns `account, namespace, former_name, renamed_on, type`."""
        known = self.real.select(
            "namespace",
            pl.col("renamed_from").alias("former_name"),
            "renamed_on",
            pl.when(pl.col("kind") == "person").then(pl.lit("person")).otherwise(pl.lit("organization")).alias("type"),
        )
        invented = _invented(self.persons, "person"), _invented(self.unknown_organizations, "organization")
        return pl.concat([known, *invented], how="diagonal").with_row_index("account")


def accounts_for(models: int) -> Accounts:
    """The accounts of a world of about so many repositories."""
    kinds = facts().group_by("namespace", maintain_order=True).agg(pl.col("kind").first())
    prominence = pl.read_csv(PROMINENCE_FILE).with_columns(pl.col("renamed_on").str.to_date(strict=True))
    real = prominence.join(kinds, on="namespace", how="left", maintain_order="left")
    return Accounts(real, persons=max(models // 8, 60), unknown_organizations=max(models // 100, 12))


def _invented(count: int, kind: str) -> pl.DataFrame:
    """Handles no real account has: two words and a number for a person, words and a group for an organisation."""
    number = pl.int_range(count, dtype=pl.Int64)
    adjective, noun = _word(_ADJECTIVES, number), _word(_NOUNS, number // len(_ADJECTIVES))
    rest = number // (len(_ADJECTIVES) * len(_NOUNS))
    handles = {
        "person": pl.concat_str(adjective, noun, rest * 7 + 101, separator="-"),
        "organization": pl.concat_str(
            adjective.str.to_titlecase(), noun.str.to_titlecase(), _word(_GROUPS, number), rest + 1
        ),
    }
    return pl.select(handles[kind].alias("namespace"), pl.lit(kind).alias("type"))


def _word(words: list[str], number: pl.Expr) -> pl.Expr:
    return pl.lit(pl.Series(words)).gather(number % len(words))
