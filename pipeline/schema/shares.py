"""The words in which readers ask for a share: populations, attributions and periods, and for single models."""

from dataclasses import dataclass
from datetime import date

import polars as pl

from pipeline.months import add_months, months_between


@dataclass(frozen=True)
class Population:
    """Which repositories' downloads are shared out, by what `models/models` says of them."""

    name: str
    meaning: str
    has: str | None = None
    """The column that must hold, where one must."""
    counts_flagged: bool = True

    def has_model(self) -> pl.Expr:
        """Whether a repository is of it."""
        holds = pl.col(self.has) if self.has else pl.lit(value=True)
        return holds if self.counts_flagged else holds & ~pl.col("is_flagged")


_WITH_FLAGGED = (
    Population("all", "all models"),
    Population("new", "models at most 365 days old at each month's close", "is_new"),
    Population("language_models", "text and vision-language models", "is_language_model"),
)
POPULATIONS = (
    *_WITH_FLAGGED,
    *(
        Population(
            f"{whole.name}_unflagged", f"{whole.meaning}, without flagged traffic", whole.has, counts_flagged=False
        )
        for whole in _WITH_FLAGGED
    ),
)
POPULATION_NAMES = tuple(population.name for population in POPULATIONS)
ATTRIBUTIONS = ("uploader", "origin")
PERIODS = ("month", "trailing_12_months", "year_to_date", "cumulative")
TRAILING = PERIODS[1]


def months_promised(period: str, last: date, first_published: date) -> list[date]:
    """The months that the name of a period which ends with `last` stands for."""
    firsts = {"month": last, TRAILING: add_months(last, -11), "year_to_date": last.replace(month=1)}
    return months_between(firsts.get(period, first_published), last)


REMAINDER = "(all other models)"
"""The `hub_id` of the published rows that hold all models of a country which are not listed one by one."""


def downloads_column(population: str) -> str:
    """The column of the facts of single models that holds the downloads of a population."""
    return "downloads" if population == "all" else f"downloads_{population}"
