"""Shares of developers, by uploader and by origin: what the tables of countries and organisations have in common."""

from functools import partial

import polars as pl

from assets.attribution.model_attribution import ROOT_ATTRIBUTION
from assets.lineage.origin_weights import ORIGIN_WEIGHTS
from assets.models.models import MODELS
from assets.shares.share_table import FLAGS
from pipeline.orchestration.table_assets import table_asset
from pipeline.schema.declaration import DECIMAL, Rule, TableFrames, rule
from pipeline.schema.figure import BOUNDED_SHARE, BY_MONTH_AND_YEAR, IN_MONTH, Chart, Figure, MemberPages, Shown
from pipeline.schema.shares import ATTRIBUTIONS

asset_by_origin = partial(table_asset, models=MODELS, weights=ORIGIN_WEIGHTS, roots=ROOT_ATTRIBUTION)
"""`table_asset` of a mart by origin."""
MAJOR_SHARE = 0.03
JUMP_FACTOR = 1.5
DRIVERS_NAMED = 5
CHANGED = (Shown("what", "models that", "text"), Shown("model", "model", "text"))
CHANGE = (Shown("before", "before", "count"), Shown("now", "now", "count"), Shown("change", "change", "count"))


def developers(models: pl.LazyFrame, weights: pl.LazyFrame, roots: pl.LazyFrame) -> dict[str, pl.LazyFrame]:
    """By attribution, the downloads with whose they are: the uploader's, or its roots' where it is a derivative."""
    columns = ("downloads", *FLAGS, "organization", "country")
    derivatives = models.filter("is_derivative").select("hub_id", "downloads", *FLAGS)
    originals = models.filter(~pl.col("is_derivative")).select(columns)
    return {
        "uploader": models.select(columns),
        "origin": pl.concat([originals, by_root(derivatives, weights, roots).select(columns)]),
    }


def by_root(models: pl.LazyFrame, weights: pl.LazyFrame, roots: pl.LazyFrame) -> pl.LazyFrame:
    """One row per derivative and root: `downloads` are the root's part, `organization` and `country` the root's.

    `models` have `hub_id`, `downloads` and what else is wanted of the derivative. Parts are cut to six places and the
    rest is the heaviest root's (of equals the first by name), so that they sum to the derivative's downloads.
    """
    split = (
        weights.select("hub_id", "root_model_id", "root_hub_id", "weight")
        .join(models, on="hub_id", how="inner", maintain_order="left")
        .join(roots.select("root_model_id", "organization", "country"), on="root_model_id", how="left")
        .with_columns(pl.col("organization", "country").fill_null("unmapped"))
    )
    return pl.concat([split.filter(pl.col("weight") == 1), _divided(split.filter(pl.col("weight") != 1))])


def _divided(split: pl.LazyFrame) -> pl.LazyFrame:
    in_order = split.sort("hub_id", "weight", "root_model_id", descending=[False, True, False])
    part = (pl.col("downloads") * pl.col("weight")).truncate(DECIMAL.scale).cast(DECIMAL)
    rest = pl.col("downloads") - part.sum().over("hub_id")
    is_heaviest = pl.col("hub_id").ne_missing(pl.col("hub_id").shift())
    return in_order.with_columns(part + pl.when(is_heaviest).then(rest).otherwise(0))


def developer_rules(dimension: str) -> tuple[Rule, ...]:
    """What holds for the share table of a dimension of developers beside what holds for all.

    A jump is named with the models that drive it; between months of different bases there is none.
    """
    table = f"shares/{dimension}_shares"
    quoted = ("member", "share_before", "share", "driven_by")

    @rule()
    def downloads_conserved(frames: TableFrames) -> pl.LazyFrame:
        """Uploader and origin share out the same downloads."""
        sums = frames.scan(table).group_by("month", "period", "population", "dimension")
        amounts = (pl.col("downloads").filter(attribution=name).sum().alias(name) for name in ATTRIBUTIONS)
        return sums.agg(*amounts).filter(pl.col("uploader") != pl.col("origin"))

    def jumps(frames: TableFrames) -> pl.LazyFrame:
        now, before = (
            scan(table).filter(population="all", attribution="uploader").select("member", "share", "basis")
            for scan in (frames.scan, frames.scan_previous)
        )
        larger, smaller = pl.max_horizontal("share", "share_before"), pl.min_horizontal("share", "share_before")
        is_one_basis = pl.col("basis").max() == pl.col("basis_before").max()
        jumped = (
            now.join(before, on="member", how="full", coalesce=True, suffix="_before")
            .with_columns(pl.col("share", "share_before").fill_null(0.0))
            .filter(larger >= MAJOR_SHARE, larger > JUMP_FACTOR * smaller, is_one_basis)
        )
        models_before = frames.scan_previous("models/models").select("hub_id", downloads_before="downloads")
        change = pl.col("downloads") - pl.col("downloads_before").fill_null(0)
        drivers = (
            frames.scan("models/models")
            .select("hub_id", "model_id", "downloads", member=dimension)
            .join(jumped.select("member"), on="member", how="semi")
            .join(models_before, on="hub_id", how="left")
            .sort(change.abs(), "model_id", descending=[True, False])
            .group_by("member", maintain_order=True)
            .agg(driven_by=pl.col("model_id").head(DRIVERS_NAMED).str.join(", "))
        )
        return jumped.join(drivers, on="member", how="left").select(quoted).sort("share", "member", descending=True)

    meaning = f"No member above {MAJOR_SHARE:.0%} may change by a factor of {JUMP_FACTOR} from one month to the next."
    return downloads_conserved, Rule("no_jumps", meaning, jumps, "warning", quoted=quoted)


def developer_pages(
    dimension: str,
    noun: str,
    kind: str,
    *,
    published: str,
    place: int,
    members: str,
    columns: tuple[Shown, ...],
    figure: Figure,
) -> MemberPages:
    """The pages of the members of a dimension of developers; `columns` begin with the member, `figure` is the third.

    `published` is the word between what was published and who did: `from` a country, `by` an organisation.
    """
    table = f"{dimension}_shares"
    return MemberPages(
        kind,
        f"Models published {published} {{name}} took {{share}} of the downloads of {{population}} in {{when}}",
        place=place,
        members=members,
        columns=(*columns, *BOUNDED_SHARE[:4]),
        comparison=_comparison(table, columns[0]),
        figures=(_by_month(table, noun), _change(table, dimension, noun), figure),
    )


def _by_month(table: str, noun: str) -> Figure:
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
              share, share_low, share_high, downloads, models, denominator, coverage, basis
            from {table} where "period" = 'month' and population = $population and member = $member
            order by counted desc, month
        """,  # noqa: S608 - declared words
        columns=(IN_MONTH, Shown("counted", "counted", "text"), *BOUNDED_SHARE),
        chart=Chart("together", "counted", "share"),
        over="months",
        attribution="both: uploader and origin",
    )


def _comparison(table: str, of_member: Shown) -> Figure:
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


def _change_sql(table: str, column: str, noun: str) -> str:
    """Of both months, the downloads of all models of each kind, and of those that changed most one by one."""
    return f"""
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
        ), changed as (
          select hub_id, before, now, case when before > 0 and now >= before then 'grew'
              when before > 0 and now > 0 then 'fell'
              when before > 0 then if(is_elsewhere, 'went to another {noun}', 'left')
              else if(is_elsewhere, 'came from another {noun}', 'entered') end as what
          from models where member = $member and now + before > 0
        ), listed as (
          select what, count(*) as models, sum(before) as before, sum(now) as now from changed group by what
        ), stated as (
          select coalesce(sum(downloads) filter (month = $month), 0) as now,
            coalesce(sum(downloads) filter (month < $month), 0) as before
          from {table} where "period" = 'month' and population = $population and attribution = 'uploader'
            and member = $member and month in ($month, $month - interval 1 month)
        ), parts as (
          select *, 'all of them' as model, 0 as place from listed
          union all by name
          select 'not listed one by one' as what, 'all of them' as model, 0 as place,
            stated.before - coalesce(sum(listed.before), 0) as before,
            stated.now - coalesce(sum(listed.now), 0) as now
          from stated left join listed on true group by stated.before, stated.now
          union all by name
          select what, model_id as model, 1 as models, before, now,
            row_number() over (partition by what order by abs(now - before) desc, model_id) as place
          from changed join dim_model using (hub_id) qualify place <= {DRIVERS_NAMED}
        )
        select what, model, models, parts.before, parts.now, parts.now - parts.before as change,
          stated.now as denominator, max(abs(parts.now - parts.before)) over (partition by what) as size, place
        from parts cross join stated
        where parts.now <> parts.before and exists (from dim_month where month = $month - interval 1 month)
        order by size desc, what, place
    """  # noqa: S608 - declared words


def _change(table: str, column: str, noun: str) -> Figure:
    """What made a member's downloads of the last month differ from the month before, adding up to the difference."""
    return Figure(
        "change",
        "What changed in the last month",
        f"The {noun}'s downloads of the population in the period's last month and in the one before, by what happened "
        "to the models: the changes of all of each kind add up to the difference. Below each kind stand the models "
        f"that changed most, at most {DRIVERS_NAMED}. Models leave the population of new models when they are a year "
        "old.",
        table="model_month",
        place=2,
        sql=_change_sql(table, column, noun),
        columns=(*CHANGED, Shown("models", "models", "count"), *CHANGE),
        over="months",
        denominator=f"downloads of the {noun} in the last month",
        coverage=f"every model of the {noun}",
        if_empty="No values: the month before is not published.",
    )
