"""`shares/family_shares`: families of models, by root repository and by the organisation behind the root."""

import polars as pl

from assets.attribution.root_attribution import ROOT_ATTRIBUTION
from assets.columns import COUNTRY_PATTERN, MONTH, RELATIONS
from assets.lineage.origin_weights import ORIGIN_WEIGHTS
from assets.models.models import MODELS
from assets.shares.families import (
    DERIVATIVES,
    NEW_DERIVATIVES,
    NEW_DERIVATIVES_IN_ALL,
    NEW_SHOWN,
    SHARE_OF_NEW,
    derivatives_by_root,
    derivatives_conserved,
    figure_of_derivatives,
    with_denominator,
)
from assets.shares.windows import OF_COUNTRY, OF_MONTH
from pipeline.orchestration.table_assets import inputs, table_asset
from pipeline.schema.declaration import DECIMAL, Column, Measure, Rule, Table, TableFrames
from pipeline.schema.figure import IN_MONTH, SHARE, Chart, Shown
from pipeline.schema.published import PublishedTable


def change_of_derivative_share(frames: TableFrames) -> pl.LazyFrame:
    """Absolute difference of the derivatives' part of new models to the month before; one cell."""
    tables = ("shares/family_shares", "listings/hub_snapshots")
    now = _derivative_share(*map(frames.scan, tables))
    before = _derivative_share(*map(frames.scan_previous, tables)).rename({"share": "before"})
    change = (pl.col("share") - pl.col("before")).abs()
    return now.join(before, how="cross").select(change.fill_nan(0.0).fill_null(0.0).alias("change"))


def _derivative_share(families: pl.LazyFrame, snapshot: pl.LazyFrame) -> pl.LazyFrame:
    """The derivatives' part of the models created in the month; null or not a number where there are none."""
    is_new = pl.col("created_at").dt.date().dt.month_start() == pl.col("month")
    derivatives = families.select(pl.col("new_derivatives_in_all").max().alias("derivatives"))
    return derivatives.join(snapshot.select(is_new.sum().alias("models")), how="cross").select(
        (pl.col("derivatives") / pl.col("models")).alias("share")
    )


FAMILY_SHARES = Table(
    group="shares",
    name="family_shares",
    grain="level and family",
    description=(
        "Families of models: a root with everything that derives from it, by root repository and by the organisation "
        "behind the root. A derivative of several roots counts in each family by its weight, so that families add up "
        "to the derivatives and downloads there are. At the level of repositories only roots that have derivatives "
        "are families; at the level of organisations everything is in one."
    ),
    columns=(
        MONTH,
        Column("level", pl.String, "`root_model` or `root_organization`.", values=("root_model", "root_organization")),
        Column("family", pl.String, "The root's `model_id`, or the root's organisation."),
        Column("organization", pl.String, "The organisation behind the root."),
        Column(
            "country",
            pl.String,
            "The country of that organisation, or a member that is no country.",
            pattern=COUNTRY_PATTERN,
        ),
        NEW_DERIVATIVES,
        *(
            Column(f"new_{relation}", pl.Float64, f"New derivatives by relation {relation}.", "repositories")
            for relation in RELATIONS
        ),
        DERIVATIVES,
        NEW_DERIVATIVES_IN_ALL,
        SHARE_OF_NEW,
        Column("downloads", DECIMAL, "Downloads of roots and derivatives in the month.", "downloads"),
        Column("downloads_derivatives", DECIMAL, "Of these, downloads of derivatives.", "downloads"),
        Column("downloads_quantized", DECIMAL, "Of these, downloads of quantised derivatives.", "downloads"),
    ),
    key=("level", "family"),
    may_be_empty=True,
    warnings=(
        "A derivative whose parents stand in different relations counts under each by its part of the parents.",
        "Rows of the two levels describe the same downloads: choose one before adding up.",
    ),
    measures=(
        # Habits of publishing change by a few points a month; a tenth at once is a source that lost or gained a column.
        Measure(
            "derivative_share_of_new_models_change",
            "By how much the derivatives' part of the month's new models differs from the month before; 0 without one.",
            change_of_derivative_share,
            maximum=0.10,
            severity="warning",
        ),
    ),
    rules=(
        derivatives_conserved(
            "shares/family_shares",
            ["level"],
            "On each level the families' new derivatives add up to the new derivatives there are.",
        ),
        Rule(
            "relations_add_up",
            "A family's new derivatives are those of its relations together.",
            lambda frames: frames.scan("shares/family_shares").filter(
                (pl.sum_horizontal(f"new_{relation}" for relation in RELATIONS) - pl.col("new_derivatives")).abs()
                > 1e-6
            ),
        ),
    ),
)
PUBLISHED = PublishedTable(
    FAMILY_SHARES, lambda months: months.scan(FAMILY_SHARES), {**OF_MONTH, "country": OF_COUNTRY}
)


@table_asset(FAMILY_SHARES, ins=inputs(models=MODELS, weights=ORIGIN_WEIGHTS, roots=ROOT_ATTRIBUTION))
def family_shares(models: pl.LazyFrame, weights: pl.LazyFrame, roots: pl.LazyFrame) -> pl.DataFrame:
    """Families by root repository and by root organisation."""
    return families_of(models, weights, roots)


def families_of(models: pl.LazyFrame, weights: pl.LazyFrame, roots: pl.LazyFrame) -> pl.DataFrame:
    """`shares/family_shares` of a month, unsorted."""
    own = models.filter(~pl.col("is_derivative")).select("hub_id", "organization", "country", "downloads")
    by_model = (
        derivatives_by_root(models, weights, roots)
        .group_by("root_model_id")
        .agg(pl.col("root_hub_id", "organization", "country").first(), *_sums())
        .collect(engine="streaming")
    )
    own_of_root = own.select(root_hub_id="hub_id", own="downloads").collect(engine="streaming")
    with_own = by_model.join(own_of_root, on="root_hub_id", how="left").select(
        pl.lit("root_model").alias("level"),
        pl.col("root_model_id").alias("family"),
        "organization",
        "country",
        *_SUMMED,
        (pl.col("downloads_derivatives") + pl.col("own").fill_null(0)).alias("downloads"),
    )
    by_organization = _by_organization(by_model, own.collect(engine="streaming"))
    return with_denominator(pl.concat([with_own, by_organization]).lazy(), models).collect()


def _by_organization(by_model: pl.DataFrame, own: pl.DataFrame) -> pl.DataFrame:
    """Of all roots, whether or not anything derives from them."""
    derived = by_model.select("organization", "country", *_SUMMED, pl.col("downloads_derivatives").alias("downloads"))
    everything = pl.concat([derived, own.select("organization", "country", "downloads")], how="diagonal")
    return (
        everything.group_by("organization")
        .agg(pl.col("country").min(), pl.col(*_SUMMED, "downloads").sum())
        .select(
            pl.lit("root_organization").alias("level"),
            pl.col("organization").alias("family"),
            "organization",
            "country",
            *_SUMMED,
            "downloads",
        )
    )


def _sums() -> list[pl.Expr]:
    return [
        pl.col("new").sum().alias("new_derivatives"),
        *((pl.col("new") * pl.col(relation)).sum().alias(f"new_{relation}") for relation in RELATIONS),
        pl.col("weight").sum().alias("derivatives"),
        pl.col("downloads").sum().alias("downloads_derivatives"),
        (pl.col("downloads") * pl.col("quantized")).cast(DECIMAL).sum().alias("downloads_quantized"),
    ]


_SUMMED = (
    "new_derivatives",
    *(f"new_{relation}" for relation in RELATIONS),
    "derivatives",
    "downloads_derivatives",
    "downloads_quantized",
)


FAMILIES_OVER_TIME_FIGURE = figure_of_derivatives(
    "families-over-time",
    "Families of derivatives, month by month",
    "Of the derivatives created in a month, the part that goes back to models of each organisation. A derivative of "
    "several roots counts for each by its weight.",
    table="family_shares",
    place=40,
    sql="""
        with families as (
          select *, sum(new_derivatives) over (partition by family) as total,
            coalesce(sum(new_derivatives) filter (family = 'unmapped') over (), 0) as unmapped,
            sum(new_derivatives) over () as whole
          from family_shares where level = 'root_organization'
        ), largest as (
          select family from families where family not in ('unaffiliated', 'unmapped')
          group by family, total having total > 0 order by total desc, family limit 6
        )
        select month, family, share_of_new_derivatives as share, new_derivatives as new,
          new_derivatives_in_all as denominator, 1 - unmapped / nullif(whole, 0) as coverage
        from families join largest using (family) order by month, total desc, family
    """,
    columns=(
        IN_MONTH,
        Shown("family", "organisation of the root", "text"),
        SHARE,
        NEW_SHOWN,
        Shown("denominator", "of all", "count"),
    ),
    chart=Chart("lines", "family", "share"),
    is_pictured=True,
    over="months",
    population="derivatives created in the month",
    denominator="new derivatives of the month, split over their roots",
    coverage="of new derivatives go back to mapped organisations and persons",
)

BUILT_ON_FIGURE = figure_of_derivatives(
    "built-on",
    "Models most built on",
    "The models that most of the window's new derivatives go back to, over any number of steps.",
    table="family_shares",
    place=50,
    sql="""
        with families as (
          select * from family_shares where level = 'root_model' and list_contains($months, month)
        ), whole as (
          select sum(new) as denominator
          from (select max(new_derivatives_in_all) as new from families group by month)
        )
        select family, any_value(organization) as organization, sum(new_derivatives) as new,
          sum(new_derivatives) / nullif(any_value(denominator), 0) as share, any_value(denominator) as denominator
        from families cross join whole
        group by family having sum(new_derivatives) > 0 order by new desc, family limit 12
    """,
    columns=(Shown("family", "model", "text"), Shown("organization", "organisation", "text"), NEW_SHOWN, SHARE),
    chart=Chart("bars", "family", "share"),
    is_pictured=True,
    population="derivatives created in the window",
    denominator="new derivatives, split over their roots",
    coverage="every declared derivative",
)

FAMILY_FIGURE = figure_of_derivatives(
    "qwen",
    "New derivatives of Qwen's models",
    "Of the derivatives created in the window, the part that goes back to models of the namespace Qwen: in the window, "
    "and in its first and last month.",
    table="family_shares",
    place=55,
    sql="""
        with monthly as (
          select month, coalesce(sum(new_derivatives) filter (family like 'Qwen/%'), 0) as new,
            max(new_derivatives_in_all) as whole
          from family_shares where level = 'root_model' and list_contains($months, month) group by month
        )
        select 'in the window' as part, sum(new) / sum(whole) as share, sum(new) as new, sum(whole) as whole,
          sum(whole) as denominator, 0 as place
        from monthly having sum(whole) > 0
        union all
        select strftime(month, '%Y-%m'), new / whole, new, whole, null, 1 from monthly
        where whole > 0 and month in (select unnest([min(month), max(month)]) from monthly)
        order by place, part
    """,
    columns=(Shown("part", "when", "text"), SHARE, NEW_SHOWN, Shown("whole", "of all", "count")),
    chart=Chart("bars", "part", "share"),
    is_printed=True,
    population="derivatives created in the window",
    denominator="new derivatives, split over their roots",
    coverage="every declared derivative",
)
