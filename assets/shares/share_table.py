"""What every share table has: its columns, the rules that it must fulfil, and the arithmetic of shares.

The method is `docs/methodology.md`, section "Shares".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import polars as pl

from assets.columns import BASIS, MONTH
from assets.expressions import ratio
from assets.shares.populations import POPULATION, by_population
from pipeline.schema.declaration import DECIMAL, Column, Rule, Table, TableFrames
from pipeline.schema.figure import BOUNDED_SHARE, BY_MONTH_AND_YEAR, IN_MONTH, Chart, Figure, Shown
from pipeline.schema.shares import ATTRIBUTIONS

NOT_KNOWN = ("unmapped", "unknown", "none")
"""Members that stand for what is not known or not declared, in whatever dimension."""
NOBODY = (*NOT_KNOWN, "unaffiliated")
"""Members that are no organisation and no country."""
WHOLE = "all"


def fraction(name: str, meaning: str, minimum: float | str = 0, maximum: float | str = 1) -> Column:
    """A column of parts of a whole."""
    return Column(name, pl.Float64, meaning, "fraction", minimum=minimum, maximum=maximum)


def downloads(meaning: str, name: str = "downloads") -> Column:
    """A column of exact downloads."""
    return Column(name, DECIMAL, meaning, "downloads", minimum=0)


PERIOD = Column(
    "period",
    pl.String,
    "`month`, `trailing_12_months`, `year_to_date` or `cumulative` (since the first published month), ending with "
    "`month`.",
    values=("month",),
)
MONTHS_IN_PERIOD = Column("months_in_period", pl.Int32, "Months that the period really holds.", "months")
IS_COMPLETE = Column("is_complete", pl.Boolean, "Whether the period holds every month that its name promises.")
IN_PERIOD = (MONTH, PERIOD, MONTHS_IN_PERIOD, IS_COMPLETE)
ATTRIBUTION = Column(
    "attribution",
    pl.String,
    "`uploader`: the account that published the repository; `origin`: the roots that it derives from.",
    values=ATTRIBUTIONS,
)
DIMENSION = Column("dimension", pl.String, "What the members are, such as `country`, `organization` or `licence`.")
MEMBER = Column("member", pl.String, "The member of the dimension; those that stand for what is not known included.")
WITHIN = Column(
    "within",
    pl.String,
    "Whose downloads are shared out: `all`, or those of one country by uploader.",
    pattern=r"^(all|[A-Z]{2}|[a-z]+)$",
)
DENOMINATOR = downloads("All downloads that are shared out.", "denominator")
SHARE = fraction("share", "`downloads` / `denominator`.")
COLUMNS = (
    *IN_PERIOD,
    POPULATION,
    ATTRIBUTION,
    DIMENSION,
    MEMBER,
    downloads("Numerator: the member's downloads in the period."),
    Column(
        "models",
        pl.Int64,
        "Repositories behind the numerator (by origin: those that derive from the member at least in part); in a "
        "longer period, those of its last month.",
        "repositories",
    ),
    DENOMINATOR,
    SHARE,
    fraction(
        "share_of_attributed",
        "`downloads` / (`denominator` without what is not known and without `unaffiliated`); absent for these.",
    ).optional(),
    fraction(
        "share_low",
        "Share if none of the downloads of members not known (`unmapped`, `unknown`, `none`) were this one's.",
        maximum="share",
    ),
    fraction(
        "share_high",
        "Share if all of the downloads of members not known (`unmapped`, `unknown`, `none`) were this one's.",
        minimum="share",
    ),
    Column(
        "rank", pl.Int32, "Place by downloads among the members that share a denominator, 1 for the most; ties by name."
    ),
    fraction("coverage", "Part of the denominator whose member is known (not `unmapped`, `unknown` or `none`)."),
    BASIS,
)
GROUP = ("month", "period", "population", "attribution", "dimension")
"""What a denominator is stated for: shares sum to 1 within each combination."""


def share_table(
    dimension: str,
    description: str,
    *,
    member_pattern: str = r"\S",
    further: Sequence[Column] = (),
    rules: Sequence[Rule] = (),
) -> Table:
    """The table `shares/<dimension>_shares` of a dimension by uploader, and by origin where its rows have both."""
    path = f"shares/{dimension}_shares"
    columns = (replace(column, pattern=member_pattern) if column is MEMBER else column for column in COLUMNS)
    return Table(
        group="shares",
        name=f"{dimension}_shares",
        grain=f"population, attribution and {dimension}",
        description=description,
        columns=(*columns, *further),
        key=("period", "population", "attribution", "dimension", "member"),
        warnings=("Shares are not additive: add `downloads` and `denominator`, divide last.",),
        rules=(sums_to_one(path), nothing_dropped(path), *rules),
    )


def sums_to_one(table: str, group: Sequence[str] = GROUP) -> Rule:
    """Shares of every stated denominator sum to 1."""

    def violations(frames: TableFrames) -> pl.LazyFrame:
        return (
            frames.scan(table)
            .group_by(group)
            .agg(pl.col("share").sum(), pl.col("denominator").first())
            .filter(((pl.col("share") - 1).abs() > 1e-9) & (pl.col("denominator") > 0))
        )

    return Rule("shares_sum_to_one", "The shares of each stated denominator sum to 1.", violations)


def nothing_dropped(table: str) -> Rule:
    """The denominator of population `all` is the sum of the month's downloads, to the last digit."""

    def violations(frames: TableFrames) -> pl.LazyFrame:
        measured = frames.scan("listings/model_downloads").select(pl.col("downloads").sum().alias("measured"))
        stated = frames.scan(table)
        whole = pl.col("population") == "all"
        if "within" in stated.collect_schema():
            whole &= pl.col("within") == WHOLE
        denominators = stated.filter(whole).select("attribution", "dimension", "denominator").unique()
        return denominators.join(measured, how="cross").filter(pl.col("denominator") != pl.col("measured"))

    return Rule("nothing_dropped", "The denominator holds every download of the month.", violations)


def member_shares(
    models: pl.LazyFrame, rows_by_attribution: Mapping[str, pl.LazyFrame], dimension: str
) -> pl.DataFrame:
    """The rows of a share table in a month, unsorted: of `downloads` by the column `dimension`, in each population.

    Rows have `FLAGS` beside these; month and basis are those of `models/models`.
    """
    totals = [
        by_population(rows, [dimension])
        .rename({dimension: "member"})
        .with_columns(pl.lit(attribution).alias("attribution"), pl.lit(dimension).alias("dimension"))
        for attribution, rows in rows_by_attribution.items()
    ]
    return with_shares(in_month(pl.concat(totals), models))


def in_month(totals: pl.DataFrame, models: pl.LazyFrame) -> pl.DataFrame:
    """The totals of a month as a period of that month alone; month and basis are those of its models."""
    stated = models.select("month", "basis").head(1).collect()
    return totals.join(stated, how="cross").with_columns(
        pl.lit("month").alias("period"),
        pl.lit(1, pl.Int32).alias("months_in_period"),
        pl.lit(value=True).alias("is_complete"),
    )


def with_shares(totals: pl.DataFrame, group: Sequence[str] = GROUP) -> pl.DataFrame:
    """Adds denominator, share, bounds, coverage and rank to the downloads of each group's members.

    Within a group the downloads of members not known (`NOT_KNOWN`) could all be, or none of them, any one member's:
    that gives the bounds. Where nothing was downloaded all shares are 0.
    """
    downloads, is_unknown = pl.col("downloads"), pl.col("member").is_in(NOT_KNOWN)
    is_attributed = ~pl.col("member").is_in(NOBODY)

    def in_group(counts: pl.Expr) -> pl.Expr:
        return pl.when(counts).then(downloads).otherwise(0).sum().over(group)

    in_order = totals.sort(*group, "downloads", "member", descending=[*[False] * len(group), True, False])
    sums = in_order.with_columns(
        in_group(pl.lit(value=True)).alias("denominator"),
        in_group(is_unknown).alias("unknown"),
        in_group(is_attributed).alias("attributed"),
        pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over(group).alias("rank"),
    )
    whole, unknown, share = pl.col("denominator"), pl.col("unknown"), pl.col("share")
    return (
        sums.with_columns(ratio(downloads, whole).alias("share"))
        .with_columns(
            pl.when(is_attributed).then(ratio(downloads, pl.col("attributed"))).alias("share_of_attributed"),
            pl.when(is_unknown).then(0.0).otherwise(share).alias("share_low"),
            pl.when(is_unknown).then(share).otherwise(ratio(downloads + unknown, whole)).alias("share_high"),
            (1.0 - ratio(unknown, whole)).alias("coverage"),
        )
        .drop("unknown", "attributed")
    )


def figure_by_month(table: str, noun: str) -> Figure:
    """The first figure of a member's page: its shares of each month by both attributions."""
    return Figure(
        "by-month",
        "Month by month",
        f"The {noun}'s part of each month's downloads of the population, by the accounts that published and by the "
        "origins of what they published.",
        table=table,
        place=1,
        sql=f"""
            select month, case attribution when 'uploader' then 'By uploader' else 'By origin' end as counted,
              share, share_low, share_high, downloads, models, denominator, coverage
            from {table} where "period" = 'month' and population = $population and member = $member
            order by attribution = 'origin', month
        """,  # noqa: S608 - declared words
        columns=(IN_MONTH, Shown("counted", "counted", "text"), *BOUNDED_SHARE),
        chart=Chart("together", "counted", "share"),
        over="months",
        attribution="both: uploader and origin",
    )


def figure_of_comparison(table: str, of_member: Shown) -> Figure:
    """Members beside each other: their shares of each month, and of each complete year by its last month."""
    return Figure(
        "comparison",
        "Month by month and year by year",
        "The parts of the downloads of the population, by the accounts that published: of each month, and of each "
        "complete year by its last month.",
        table=table,
        place=1,
        sql=f"""
            select month, member, share, share_low, share_high, downloads, denominator, coverage, basis
            from {table} where "period" = $by and population = $population and attribution = $attribution
              and list_contains($member, member) and is_complete and share is not null
            order by month, list_position($member, member)
        """,  # noqa: S608 - declared words
        columns=(Shown("month", "last month", "month"), of_member, *BOUNDED_SHARE[:4]),
        chart=Chart("together", "member", "share", marks_crossing=True),
        over="months",
        views=BY_MONTH_AND_YEAR,
        choice="Periods",
        if_empty="No values: no complete year of this population is published.",
    )


def figure_of_change(table: str, column: str, noun: str) -> Figure:
    """What made a member's downloads of the last month differ from the month before, adding up to the difference."""
    return Figure(
        "change",
        "What changed in the last month",
        f"The {noun}'s downloads of the population in the period's last month and in the one before, by what happened "
        "to the models: the changes add up to the difference. Models leave the population of new models when they are "
        "a year old.",
        table="model_month",
        place=2,
        sql=f"""
            with amounts as (
              select hub_id, {column} as member, month = $month as is_last,
                sum(case $population when 'new' then downloads_new else downloads end) as downloads
              from model_month
              where month in ($month, $month - interval 1 month) and hub_id <> '(all other models)' group by all
            ), models as (
              select hub_id, member, coalesce(sum(downloads) filter (is_last), 0) as now,
                coalesce(sum(downloads) filter (not is_last), 0) as before,
                sum(sum(downloads)) over (partition by hub_id) > now + before as is_elsewhere
              from amounts group by hub_id, member
            ), listed as (
              select case when before > 0 and now >= before then 'grew' when before > 0 and now > 0 then 'fell'
                  when before > 0 then if(is_elsewhere, 'went to another {noun}', 'left')
                  else if(is_elsewhere, 'came from another {noun}', 'entered') end as what,
                count(*) as models, sum(before) as before, sum(now) as now
              from models where member = $member and now + before > 0 group by what
            ), stated as (
              select coalesce(sum(downloads) filter (month = $month), 0) as now,
                coalesce(sum(downloads) filter (month < $month), 0) as before
              from {table} where "period" = 'month' and population = $population and attribution = 'uploader'
                and member = $member and month in ($month, $month - interval 1 month)
            ), parts as (
              from listed union all by name
              select 'not listed one by one' as what, stated.before - coalesce(sum(listed.before), 0) as before,
                stated.now - coalesce(sum(listed.now), 0) as now
              from stated left join listed on true group by stated.before, stated.now
            )
            select what, models, parts.before, parts.now, parts.now - parts.before as change, stated.now as denominator
            from parts cross join stated
            where parts.now <> parts.before and exists (from dim_month where month = $month - interval 1 month)
            order by abs(parts.now - parts.before) desc, what
        """,  # noqa: S608 - declared words
        columns=(
            Shown("what", "models that", "text"),
            Shown("models", "models", "count"),
            Shown("before", "before", "count"),
            Shown("now", "now", "count"),
            Shown("change", "change", "count"),
        ),
        chart=None,
        over="months",
        denominator=f"downloads of the {noun} in the last month",
        coverage=f"every model of the {noun}",
        if_empty="No values: the month before is not published.",
    )
