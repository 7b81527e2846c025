"""`shares/family_shares`: families of models, by root repository and by the organisation behind the root.

What families and flows have in common, derivatives of a month split over their roots, is here too.
"""

from dataclasses import replace
from functools import partial

import polars as pl

from assets.columns import COUNTRY, MONTH, RELATIONS, count, downloads, fraction, number, text
from assets.expressions import ratio
from assets.models.models import parents_by
from assets.shares.members import CHANGE, CHANGED, asset_by_origin, by_root
from pipeline.checks.rules import change
from pipeline.schema.declaration import DECIMAL, Measure, Rule, Table, TableFrames, rule
from pipeline.schema.figure import BY_MONTH_AND_YEAR, IN_MONTH, SHARE, Chart, Figure, MemberPages, Shown
from pipeline.schema.published import PublishedTable

WEIGHT = pl.Decimal(38, 12)
COUNTS = (
    number("new_derivatives", "Derivatives created in the month, by their weights.", "repositories", minimum=0),
    number("derivatives", "Derivatives listed at the month's close, by their weights.", "repositories", minimum=0),
    count("new_derivatives_in_all", "Derivatives created in the month, whole: the denominator."),
    fraction("share_of_new_derivatives", "Part of the month's new derivatives; 0 in a month without any."),
)
IS_NEW = (pl.col("created_at").dt.date().dt.month_start() == pl.col("month")).fill_null(value=False)
"""Created within the calendar month."""


def derivatives_by_root(models: pl.LazyFrame, weights: pl.LazyFrame, roots: pl.LazyFrame) -> pl.LazyFrame:
    """One row per derivative and root, with `weight` and `new` (the weight, where it was created in the month).

    `organization`, `country` and `downloads` are the root's, `derivative_country` the derivative's own; `<relation>` is
    the part of its parents that stand in that relation.
    """
    counts = {relation: pl.col(parents_by(relation)) for relation in RELATIONS}
    parents = pl.sum_horizontal(*counts.values())
    derivatives = models.filter("is_derivative").select(
        *("hub_id", "downloads"),
        *((count.cast(WEIGHT) / parents).alias(name) for name, count in counts.items()),
        derivative_country="country",
        is_new=IS_NEW,
    )
    weight = pl.col("weight").cast(WEIGHT)
    return by_root(derivatives, weights, roots).with_columns(weight, new=pl.when("is_new").then(weight).otherwise(0))


def with_denominator(sums: pl.LazyFrame, models: pl.LazyFrame) -> pl.LazyFrame:
    """Adds the month, its new derivatives as a whole, and the share of them."""
    in_all = (pl.col("is_derivative") & IS_NEW).sum().cast(pl.Int64)
    whole = models.select(pl.col("month").first(), new_derivatives_in_all=in_all)
    share = ratio(pl.col("new_derivatives"), pl.col("new_derivatives_in_all"))
    return sums.join(whole, how="cross").with_columns(share_of_new_derivatives=share)


def derivatives_conserved(table: str, group: str, meaning: str) -> Rule:
    """In each group the new derivatives add up to the stated whole, to a millionth of it."""
    new, whole = pl.col("new_derivatives"), pl.col("new_derivatives_in_all")
    return Rule(
        "new_derivatives_conserved",
        meaning,
        lambda frames: (
            frames.scan(table)
            .group_by(group)
            .agg(new.sum(), whole.max())
            .filter((new - whole).abs() > 1e-6 * pl.max_horizontal(whole, 1))
        ),
    )


SUMS = {
    "new_derivatives": pl.col("new"),
    **{f"new_{relation}": pl.col("new") * pl.col(relation) for relation in RELATIONS},
    "derivatives": pl.col("weight"),
    "downloads_derivatives": pl.col("downloads"),
    "downloads_quantized": (pl.col("downloads") * pl.col("quantized")).cast(DECIMAL),
}
"""What is added up of a family's derivatives, each split over its roots."""


@rule()
def relations_add_up(frames: TableFrames) -> pl.LazyFrame:
    """A family's new derivatives are the sum over its relations."""
    of_relations = pl.sum_horizontal(f"new_{relation}" for relation in RELATIONS)
    return frames.scan("shares/family_shares").filter((of_relations - pl.col("new_derivatives")).abs() > 1e-6)


FAMILY_SHARES = Table(
    "shares/family_shares",
    grain="level and family",
    description=(
        "Families of models: a root with all that derives from it, by root repository, where it has derivatives, and "
        "by the organisation behind the root. A derivative of several roots counts in each family by its weight."
    ),
    columns=(
        MONTH,
        text("level", "`root_model` or `root_organization`.", values=("root_model", "root_organization")),
        text("family", "The root's `model_id`, or the root's organisation."),
        text("organization", "The organisation behind the root.", refers_to="dim_organization"),
        replace(COUNTRY, meaning="The country of that organisation, or a member that is no country."),
        COUNTS[0],
        *(
            number(f"new_{relation}", f"New derivatives by relation {relation}.", "repositories")
            for relation in RELATIONS
        ),
        *COUNTS[1:],
        downloads("Downloads of roots and derivatives in the month."),
        downloads("Part of `downloads` that is of derivatives.", "downloads_derivatives"),
        downloads("Part of `downloads` that is of quantised derivatives.", "downloads_quantized"),
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
            lambda frames: change(frames, "models/models", pl.col("is_derivative").filter(IS_NEW).mean()).select(
                pl.first().abs().fill_null(0.0)
            ),
            maximum=0.10,
            severity="warning",
        ),
    ),
    rules=(
        derivatives_conserved(
            "shares/family_shares",
            "level",
            "On each level the new derivatives of all families add up to those of the month.",
        ),
        relations_add_up,
    ),
)
PUBLISHED = PublishedTable(FAMILY_SHARES, lambda months: months.scan(FAMILY_SHARES))


def families_of(models: pl.LazyFrame, weights: pl.LazyFrame, roots: pl.LazyFrame) -> pl.DataFrame:
    """`shares/family_shares` of a month, unsorted: roots that have derivatives, and organisations behind all roots."""
    by_root = (
        derivatives_by_root(models, weights, roots)
        .group_by("root_model_id")
        .agg(
            pl.col("root_hub_id", "organization", "country").first(),
            *(amount.sum().alias(name) for name, amount in SUMS.items()),
        )
        .collect(engine="streaming")
    )
    own = models.filter(~pl.col("is_derivative")).select("hub_id", "organization", "country", own="downloads").collect()
    with_own = by_root.join(own.select("own", root_hub_id="hub_id"), on="root_hub_id", how="left")
    everything = pl.concat([by_root, own], how="diagonal").group_by("organization")
    by_organization = everything.agg(pl.col("country").min(), pl.col(*SUMS, "own").sum())
    levels = [
        with_own.with_columns(level=pl.lit("root_model"), family="root_model_id"),
        by_organization.with_columns(level=pl.lit("root_organization"), family="organization"),
    ]
    whole = pl.col("downloads_derivatives") + pl.col("own").fill_null(0)
    return with_denominator(pl.concat(levels, how="diagonal").lazy(), models).with_columns(downloads=whole).collect()


family_shares = asset_by_origin(FAMILY_SHARES)(families_of)

NEW_SHOWN, OF_ALL = Shown("new", "new derivatives", "number"), Shown("denominator", "of all", "count")
_ROOT = Shown("member", "organisation of the root", "text")
_AT_MOST = Shown("share_high", "at most", "share")
figure_of_derivatives = partial(
    Figure,
    table="family_shares",
    attribution="origin: repositories that name a base model, by their roots; all uploaders",
    population="derivatives created in the period",
    denominator="new derivatives, split over their roots",
    coverage="every declared derivative",
    counts_downloads=False,
    if_empty="No values: no repository created in these months names a base model.",
)
_figure_by_month = partial(
    figure_of_derivatives,
    over="months",
    population="derivatives created in the month",
    denominator="new derivatives of the month, split over their roots",
    coverage="of new derivatives go back to mapped organisations and persons",
)

_WITH_BOUNDS = """
    with families as (
      select *, coalesce(sum(new_derivatives) filter (family = 'unmapped') over (partition by month), 0) as unmapped,
        sum(new_derivatives) over (partition by month) as whole
      from family_shares where level = 'root_organization'
    )
"""
_MOST_BUILT_ON = """
    with families as (select * from family_shares where level = 'root_model' and list_contains($months, month)),
    whole as (
      select sum(new) as denominator from (select max(new_derivatives_in_all) as new from families group by month)
    )
    select family, any_value(organization) as organization, sum(new_derivatives) as new,
      new / nullif(any_value(denominator), 0) as share, any_value(denominator) as denominator
    from families cross join whole
"""

FAMILIES_OVER_TIME_FIGURE = _figure_by_month(
    "families-over-time",
    "Families of derivatives, month by month",
    "Of the derivatives created in a month, the part that goes back to models of each organisation. A derivative of "
    "several roots counts for each by its weight.",
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
    columns=(IN_MONTH, Shown("family", "organisation of the root", "text"), SHARE, NEW_SHOWN, OF_ALL),
    chart=Chart("lines", "family", "share"),
    is_pictured=True,
)

BUILT_ON_FIGURE = figure_of_derivatives(
    "built-on",
    "Models most built on",
    "The models that most of the period's new derivatives go back to, over any number of steps.",
    place=50,
    sql=f"{_MOST_BUILT_ON} group by family having new > 0 order by new desc, family limit 12",
    columns=(Shown("family", "model", "text"), Shown("organization", "organisation", "text"), NEW_SHOWN, SHARE),
    chart=Chart("bars", "family", "share"),
    is_pictured=True,
)

FAMILY_FIGURE = figure_of_derivatives(
    "qwen",
    "New derivatives of Qwen's models",
    "Of the derivatives created in the period, the part that goes back to models of the namespace Qwen: in the period, "
    "and in its first and last month.",
    place=55,
    sql="""
        with monthly as (
          select month, coalesce(sum(new_derivatives) filter (family like 'Qwen/%'), 0) as new,
            max(new_derivatives_in_all) as whole
          from family_shares where level = 'root_model' and list_contains($months, month) group by month
        )
        select 'in the period' as part, sum(new) / sum(whole) as share, sum(new) as new, sum(whole) as whole,
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
)

FAMILY_PAGES = MemberPages(
    "families",
    "{share} of the new derivatives of {when} go back to models of {name}",
    place=3,
    members=f"""
        {_WITH_BOUNDS}, summed as (
          select family as member, sum(new_derivatives) as new from families where list_contains($months, month)
          group by family
        )
        select member, new / sum(new) over () as share, share as share_low,
          share + coalesce(any_value(new) filter (member = 'unmapped') over (), 0) / sum(new) over () as share_high, new
        from summed
        qualify share >= 0.001 and member not in ('unaffiliated', 'unmapped') order by new desc, member
    """,  # noqa: S608 - declared words
    columns=(_ROOT, SHARE, _AT_MOST, NEW_SHOWN),
    comparison=figure_of_derivatives(
        "comparison",
        "Month by month and year by year",
        "The parts of new derivatives that go back to each one's models: of each month, and of each complete year by "
        "its last month.",
        place=1,
        sql="""
            with months as (select distinct month from family_shares), periods as (
              select ending.month, held.month as held, count(*) over (partition by ending.month) as months
              from months as ending join months as held
                on held.month between ending.month - to_months(if($by = 'month', 0, 11)) and ending.month
            ), families as (
              select periods.month, family as member, sum(new_derivatives) as new,
                sum(sum(new_derivatives)) over (partition by periods.month) as denominator
              from periods join family_shares on family_shares.month = held
              where level = 'root_organization' and months = if($by = 'month', 1, 12)
              group by periods.month, family
            ), bounded as (
              select *, new / denominator as share,
                coalesce(sum(new) filter (member = 'unmapped') over (partition by month), 0) / denominator as unmapped,
                1 - unmapped as coverage
              from families where denominator > 0
            )
            select month, member, share, share as share_low, share + unmapped as share_high, new, denominator,
              coverage, '' as basis
            from bounded where list_contains($member, member) order by month, list_position($member, member)
        """,
        columns=(Shown("month", "last month", "month"), _ROOT, SHARE, _AT_MOST, NEW_SHOWN),
        chart=Chart("together", "member", "share", marks_crossing=True),
        over="months",
        views=BY_MONTH_AND_YEAR,
        choice="Periods",
        denominator="new derivatives of the period, split over their roots",
        coverage="of new derivatives go back to mapped organisations and persons",
        if_empty="No values: no complete year of derivatives is published.",
    ),
    figures=(
        _figure_by_month(
            "by-month",
            "Month by month",
            "Of the derivatives created in a month, the part that goes back to the organisation's models. A derivative "
            "of several roots counts for each by its weight.",
            place=1,
            sql=f"""
                {_WITH_BOUNDS}
                select month, 'New derivatives' as counted, share_of_new_derivatives as share, share as share_low,
                  share + unmapped / nullif(whole, 0) as share_high, new_derivatives as new,
                  new_derivatives_in_all as denominator, 1 - unmapped / nullif(whole, 0) as coverage, '' as basis
                from families where family = $member order by month
            """,  # noqa: S608 - declared words
            columns=(IN_MONTH, SHARE, _AT_MOST, NEW_SHOWN, OF_ALL),
            chart=Chart("together", "counted", "share"),
        ),
        figure_of_derivatives(
            "models",
            "Its models most built on",
            "Of the period's new derivatives, the part that goes back to each of the organisation's models.",
            place=2,
            sql=f"""
                {_MOST_BUILT_ON} where organization = $member
                group by family having new > 0 order by new desc, family limit 10
            """,
            columns=(Shown("family", "model", "text"), NEW_SHOWN, SHARE),
        ),
        _figure_by_month(
            "change",
            "What changed in the last month",
            "The organisation's models whose new derivatives of the period's last month differ most from those of the "
            "month before, at most ten. What people who built on them downloaded is not a part of it.",
            place=3,
            sql="""
                with models as (
                  select family as model, coalesce(sum(new_derivatives) filter (month < $month), 0) as before,
                    coalesce(sum(new_derivatives) filter (month = $month), 0) as now
                  from family_shares where level = 'root_model' and organization = $member
                    and month in ($month, $month - interval 1 month)
                  group by family
                )
                select case when before = 0 then 'entered' when now = 0 then 'left' when now > before then 'grew'
                    else 'fell' end as what,
                  model, before, now, now - before as change, abs(now - before) as size, sum(now) over () as denominator
                from models
                where now <> before and exists (from dim_month where month = $month - interval 1 month)
                order by size desc, model limit 10
            """,
            columns=(*CHANGED, *(replace(shown, kind="number") for shown in CHANGE)),
            coverage="every declared derivative",
            if_empty="No values: the month before is not published, or nothing changed.",
        ),
    ),
)
