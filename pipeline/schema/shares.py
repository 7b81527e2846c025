"""The words in which readers ask for a share: populations, attributions and periods."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Population:
    """Which repositories' downloads are shared out, by what `models/models` says of them."""

    name: str
    meaning: str
    has: str | None = None
    """The column that must hold, where one must."""
    counts_flagged: bool = True


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
