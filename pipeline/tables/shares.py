"""Group `shares`: who holds which part of the month's downloads."""

from __future__ import annotations

from dataclasses import dataclass, replace

import polars as pl

from pipeline.schema.declaration import DECIMAL, Column, ColumnOf, Rule, Table, TableFrames, columns_of
from pipeline.tables.columns import (
    ANY_COUNTRY,
    ANY_ORGANIZATION,
    BASIS,
    COUNTRY,
    COUNTRY_PATTERN,
    MEASURED,
    MONTH,
    OF_POPULATION,
    WEIGHTED,
)


@dataclass(frozen=True)
class Population:
    """Which repositories' downloads are shared out, by what `listings/model_downloads` says of them."""

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
WINDOWS = ("month", "trailing_12_months", "year_to_date", "cumulative")
NOT_KNOWN = ("unmapped", "unknown", "none")
"""Members that stand for what is not known or not declared, in whatever dimension."""

WINDOW = Column(
    "window",
    pl.String,
    "`month`, `trailing_12_months`, `year_to_date` or `cumulative` (since the first published month), ending with "
    "`month`.",
    values=("month",),
)
MONTHS_IN_WINDOW = Column("months_in_window", pl.Int32, "Months that the window really holds.", "months")
IS_COMPLETE = Column("is_complete", pl.Boolean, "Whether the window holds every month that its name promises.")
POPULATION = Column(
    "population",
    pl.String,
    "; ".join(f"`{population.name}`: {population.meaning}" for population in POPULATIONS) + ".",
    values=POPULATION_NAMES,
)
ATTRIBUTION = Column(
    "attribution",
    pl.String,
    "`uploader`: the account that published the repository; `origin`: the roots that it derives from.",
    values=ATTRIBUTIONS,
)
DIMENSION = Column("dimension", pl.String, "What the members are, such as `country`, `organization` or `licence`.")
MEMBER = Column("member", pl.String, "The member of the dimension; those that stand for what is not known included.")
WITHIN_PATTERN = r"^(all|[A-Z]{2}|[a-z]+)$"
WITHIN = Column(
    "within",
    pl.String,
    "Whose downloads are shared out: `all`, or those of one country by uploader.",
    pattern=WITHIN_PATTERN,
)
DOWNLOADS = Column("downloads", DECIMAL, "Numerator: the member's downloads in the window.", "downloads", minimum=0)
MODELS = Column(
    "models",
    pl.Int64,
    "Repositories behind the numerator (by origin: those that derive from the member at least in part); in a longer "
    "window, those of its last month.",
    "repositories",
)
DENOMINATOR = Column("denominator", DECIMAL, "All downloads that are shared out.", "downloads")
SHARE = Column("share", pl.Float64, "`downloads` / `denominator`.", "fraction", minimum=0, maximum=1)
COVERAGE = Column(
    "coverage",
    pl.Float64,
    "Part of the denominator whose member is known (not `unmapped`, `unknown` or `none`).",
    "fraction",
    minimum=0,
    maximum=1,
)

GROUP_COLUMNS = ("month", "window", "population", "attribution", "dimension")
"""What a denominator is stated for: shares sum to 1 within each combination."""
IN_WINDOW = (MONTH, WINDOW, MONTHS_IN_WINDOW, IS_COMPLETE)
_SHARE_OF_WHOLE = (
    DENOMINATOR,
    SHARE,
    Column(
        "share_of_attributed",
        pl.Float64,
        "`downloads` / (`denominator` without what is not known and without `unaffiliated`); absent for these.",
        "fraction",
        nullable=True,
    ),
    Column(
        "share_low",
        pl.Float64,
        "Share if none of the downloads of members not known were this one's.",
        "fraction",
        maximum="share",
    ),
    Column(
        "share_high",
        pl.Float64,
        "Share if all of the downloads of members not known were this one's.",
        "fraction",
        minimum="share",
    ),
    Column("rank", pl.Int32, "Place by downloads within the group, 1 for the most; ties by name."),
    COVERAGE,
    BASIS,
)
SHARE_COLUMNS = (*IN_WINDOW, POPULATION, ATTRIBUTION, DIMENSION, MEMBER, DOWNLOADS, MODELS, *_SHARE_OF_WHOLE)


def sums_to_one(table: str, group: tuple[str, ...] = GROUP_COLUMNS) -> Rule:
    """Shares of every stated denominator sum to 1."""

    def violations(frames: TableFrames) -> pl.LazyFrame:
        return (
            frames.scan(table)
            .group_by(group)
            .agg(pl.col("share").sum(), pl.col("denominator").first())
            .filter(((pl.col("share") - 1).abs() > 1e-9) & (pl.col("denominator") > 0))
        )

    return Rule("shares_sum_to_one", "The shares of each stated denominator sum to 1.", violations)


def conserves_downloads(table: str) -> Rule:
    """Uploader and origin attribution share out the same downloads."""

    def violations(frames: TableFrames) -> pl.LazyFrame:
        totals = (
            frames.scan(table)
            .group_by("month", "window", "population", "dimension")
            .agg(
                pl.col("downloads").filter(pl.col("attribution") == "uploader").sum().alias("uploader"),
                pl.col("downloads").filter(pl.col("attribution") == "origin").sum().alias("origin"),
            )
        )
        tolerance = 1e-9 * pl.max_horizontal(pl.col("uploader"), pl.lit(1.0))
        return totals.filter((pl.col("uploader") - pl.col("origin")).abs() > tolerance)

    return Rule("downloads_conserved", "Uploader and origin share out the same downloads.", violations)


def matches_downloads(table: str) -> Rule:
    """The denominator of population `all` is the sum of the month's downloads, nothing dropped."""

    def violations(frames: TableFrames) -> pl.LazyFrame:
        total = frames.scan("listings/model_downloads").select(pl.col("downloads").sum().alias("measured"))
        whole = pl.col("population") == "all"
        stated = frames.scan(table)
        if "within" in stated.collect_schema():
            whole &= pl.col("within") == "all"
        denominators = stated.filter(whole).select("attribution", "dimension", "denominator").unique()
        tolerance = 1e-9 * pl.max_horizontal(pl.col("measured"), pl.lit(1.0))
        return denominators.join(total, how="cross").filter(
            (pl.col("denominator") - pl.col("measured")).abs() > tolerance
        )

    return Rule("nothing_dropped", "The denominator holds every download of the month.", violations)


MAJOR_SHARE = 0.03
JUMP_FACTOR = 1.5
DRIVERS_NAMED = 5


def jumps(table: str, dimension: str) -> Rule:
    """Major members whose share jumped since the month before, with the models that drive it.

    Months of different bases are not compared: a change of counter is no jump.
    """

    def violations(frames: TableFrames) -> pl.LazyFrame:
        shown = ("member", "share_before", "share", "driven_by")
        now, before = frames.scan(table), frames.scan_previous(table)
        models_before = frames.scan_previous("listings/model_downloads")
        whole = (pl.col("population") == "all") & (pl.col("attribution") == "uploader")
        larger, smaller = pl.max_horizontal("share", "share_before"), pl.min_horizontal("share", "share_before")
        bases = now.select(pl.col("basis").first()).join(
            before.select(basis_before=pl.col("basis").first()), how="cross"
        )
        jumped = (
            now.filter(whole)
            .select("member", "share")
            .join(before.filter(whole).select("member", share_before="share"), on="member", how="full", coalesce=True)
            .with_columns(pl.col("share", "share_before").fill_null(0.0))
            .join(bases, how="cross")
            .filter(larger >= MAJOR_SHARE, larger > JUMP_FACTOR * smaller, pl.col("basis") == pl.col("basis_before"))
        )
        owned = frames.scan("attribution/model_attribution").select("hub_id", "model_id", member=dimension)
        change = pl.col("downloads") - pl.col("downloads_before").fill_null(0.0)
        drivers = (
            owned.join(jumped.select("member"), on="member", how="semi")
            .join(frames.scan("listings/model_downloads").select("hub_id", "downloads"), on="hub_id")
            .join(models_before.select("hub_id", downloads_before="downloads"), on="hub_id", how="left")
            .sort(change.abs(), "model_id", descending=[True, False])
            .group_by("member", maintain_order=True)
            .agg(pl.col("model_id").head(DRIVERS_NAMED).str.join(", ").alias("driven_by"))
        )
        return jumped.join(drivers, on="member", how="left").select(shown).sort("share", "member", descending=True)

    return Rule(
        "no_jumps",
        f"No member with {MAJOR_SHARE:.0%} of all downloads or more has {JUMP_FACTOR} times its share of the month "
        "before, or as much less.",
        violations,
        severity="warning",
        quoted=("member", "share_before", "share", "driven_by"),
    )


def shares_made_of(
    members: tuple[ColumnOf, ...], weights: tuple[ColumnOf, ...] = ()
) -> dict[str, tuple[ColumnOf, ...]]:
    """What `SHARE_COLUMNS` are made of: downloads by weight, and for what is known or not, whose they are."""
    downloads = (*MEASURED, *weights)
    return {
        **OF_POPULATION,
        "member": members,
        "models": columns_of("listings/model_downloads", "hub_id"),
        "denominator": MEASURED,
        **dict.fromkeys(("downloads", "share", "rank"), downloads),
        **dict.fromkeys(("share_of_attributed", "share_low", "share_high", "coverage"), (*downloads, *members)),
    }


def _share_table(
    dimension: str,
    description: str,
    member_pattern: str,
    members: tuple[ColumnOf, ...],
    further: tuple[Column, ...] = (),
) -> Table:
    path = f"shares/{dimension}_shares"
    return Table(
        group="shares",
        name=f"{dimension}_shares",
        grain=f"population, attribution and {dimension}",
        description=description,
        columns=(
            *(replace(column, pattern=member_pattern) if column == MEMBER else column for column in SHARE_COLUMNS),
            *further,
        ),
        key=("window", "population", "attribution", "dimension", "member"),
        warnings=("Shares are not additive: add `downloads` and `denominator`, divide last.",),
        rules=(sums_to_one(path), conserves_downloads(path), matches_downloads(path), jumps(path, dimension)),
        made_of={**shares_made_of(members, WEIGHTED), **{column.name: ANY_COUNTRY for column in further}},
    )


COUNTRY_SHARES = _share_table(
    "country",
    "Each country's part of the month's downloads, by uploader and by origin, for every population.",
    COUNTRY_PATTERN,
    ANY_COUNTRY,
)
ORGANIZATION_SHARES = _share_table(
    "organization",
    "Each organisation's part of the month's downloads, by uploader and by origin, for every population.",
    r"\S",
    ANY_ORGANIZATION,
    (COUNTRY,),
)

TABLES = (COUNTRY_SHARES, ORGANIZATION_SHARES)
