"""Group `shares`: who holds which part of the month's downloads."""

from __future__ import annotations

import polars as pl

from pipeline.tables.columns import BASES, BASIS, COUNTRY_PATTERN, MONTH
from pipeline.tables.declaration import Column, Expectation, Rule, Table, TableFrames

POPULATIONS = ("all", "new", "language")
ATTRIBUTIONS = ("uploader", "origin")
GROUP_COLUMNS = ("month", "window", "population", "attribution", "dimension")
"""What a denominator is stated for: shares sum to 1 within each combination."""

SHARE_COLUMNS = (
    MONTH,
    Column(
        "window", pl.String, "`month`, `trailing_12_months` or `cumulative` (since the first month), ending with it."
    ),
    Column("months_in_window", pl.Int32, "Months that the window really holds.", "months"),
    Column("is_complete", pl.Boolean, "Whether the window holds every month that its name promises."),
    Column(
        "population",
        pl.String,
        "`all`; `new`: at most 365 days old at each month's close; `language`: text and vision-language models.",
    ),
    Column(
        "attribution",
        pl.String,
        "`uploader`: the account that published the repository; `origin`: the roots that it derives from.",
    ),
    Column("dimension", pl.String, "What the members are: `country` or `organization`."),
    Column("member", pl.String, "The member of the dimension; those that are not countries or organisations included."),
    Column("downloads", pl.Float64, "Numerator: the member's downloads in the window.", "downloads"),
    Column(
        "models",
        pl.Int64,
        "Repositories behind the numerator (by origin: those that derive from the member at least in part); in a "
        "longer window, those of its last month.",
        "repositories",
    ),
    Column("denominator", pl.Float64, "All downloads of window, population and attribution.", "downloads"),
    Column("share", pl.Float64, "`downloads` / `denominator`.", "fraction"),
    Column(
        "share_of_attributed",
        pl.Float64,
        "`downloads` / (`denominator` without unmapped and unaffiliated); absent for these two.",
        "fraction",
        nullable=True,
    ),
    Column("share_low", pl.Float64, "Share if none of the unmapped downloads were this member's.", "fraction"),
    Column("share_high", pl.Float64, "Share if all of the unmapped downloads were this member's.", "fraction"),
    Column("rank", pl.Int32, "Place by downloads within the group, 1 for the most; ties by name."),
    Column("coverage", pl.Float64, "Part of the denominator that is attributed (not unmapped).", "fraction"),
    BASIS,
)


def sums_to_one(table: str) -> Rule:
    """Shares of every stated denominator sum to 1."""

    def violations(frames: TableFrames) -> pl.LazyFrame:
        return (
            frames.scan(table)
            .group_by(GROUP_COLUMNS)
            .agg(pl.col("share").sum(), pl.col("denominator").first())
            .filter(((pl.col("share") - 1).abs() > 1e-9) & (pl.col("denominator") > 0))
        )

    return Rule("shares_sum_to_one", "The shares of each window, population and attribution sum to 1.", violations)


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
        stated = frames.scan(table).filter(pl.col("population") == "all").select("attribution", "denominator").unique()
        tolerance = 1e-9 * pl.max_horizontal(pl.col("measured"), pl.lit(1.0))
        return stated.join(total, how="cross").filter((pl.col("denominator") - pl.col("measured")).abs() > tolerance)

    return Rule("nothing_dropped", "The denominator holds every download of the month.", violations)


def _share_table(name: str, dimension: str, description: str, member_pattern: str) -> Table:
    path = f"shares/{name}"
    return Table(
        group="shares",
        name=name,
        grain=f"population, attribution and {dimension}",
        description=description,
        columns=SHARE_COLUMNS,
        key=("window", "population", "attribution", "dimension", "member"),
        warnings=("Shares are not additive: add `downloads` and `denominator`, divide last.",),
        expectations=(
            Expectation("ExpectColumnValuesToBeInSet", {"column": "window", "value_set": ["month"]}),
            Expectation("ExpectColumnValuesToBeInSet", {"column": "population", "value_set": list(POPULATIONS)}),
            Expectation("ExpectColumnValuesToBeInSet", {"column": "attribution", "value_set": list(ATTRIBUTIONS)}),
            Expectation("ExpectColumnValuesToBeInSet", {"column": "basis", "value_set": list(BASES)}),
            Expectation("ExpectColumnValuesToMatchRegex", {"column": "member", "regex": member_pattern}),
            Expectation("ExpectColumnValuesToBeBetween", {"column": "share", "min_value": 0, "max_value": 1}),
            Expectation("ExpectColumnValuesToBeBetween", {"column": "coverage", "min_value": 0, "max_value": 1}),
            Expectation("ExpectColumnValuesToBeBetween", {"column": "downloads", "min_value": 0}),
            Expectation(
                "ExpectColumnPairValuesAToBeGreaterThanB",
                {"column_A": "share_high", "column_B": "share", "or_equal": True},
            ),
            Expectation(
                "ExpectColumnPairValuesAToBeGreaterThanB",
                {"column_A": "share", "column_B": "share_low", "or_equal": True},
            ),
        ),
        rules=(sums_to_one(path), conserves_downloads(path), matches_downloads(path)),
    )


COUNTRY_SHARES = _share_table(
    "country_shares",
    "country",
    "Each country's part of the month's downloads, by uploader and by origin, for every population.",
    COUNTRY_PATTERN,
)
ORGANIZATION_SHARES = _share_table(
    "organization_shares",
    "organization",
    "Each organisation's part of the month's downloads, by uploader and by origin, for every population.",
    r"\S",
)

TABLES = (COUNTRY_SHARES, ORGANIZATION_SHARES)
