"""The figures of the census, until each stands beside the mart that it shows."""

from __future__ import annotations

from functools import partial

from pipeline.schema.figure import BOTH_ATTRIBUTIONS, Chart, Figure, Shown

_MONTH = Shown("month", "month", "month")
_SHARE = Shown("share", "share", "share")
_AMOUNTS = (Shown("downloads", "downloads", "count"), Shown("models", "models (last month)", "count"))
_SHARES = (_SHARE, Shown("share_low", "at least", "share"), Shown("share_high", "at most", "share"), *_AMOUNTS)
_NEW = Shown("new", "new derivatives", "number")

_NO_ORIGIN = "No values: these months have no origins, or nothing was downloaded of this population."
_NO_DERIVATIVES = "No values: no repository created in these months names a base model."
_over_derivatives = partial(
    Figure,
    attribution="origin: repositories that name a base model, by their roots; all uploaders",
    counts_downloads=False,
    if_empty=_NO_DERIVATIVES,
)

COUNTRIES = Figure(
    "countries",
    "Share of model downloads by country",
    "Of all downloads of the population in the window, the part whose repository was published by an account of the "
    "country. The line shows the most it could be, if all unmapped downloads were this country's.",
    table="country_shares",
    place=10,
    sql="""
        with placed as (
          select *, length(member) = 2 as is_country,
            row_number() over (partition by length(member) = 2 order by downloads desc, member) as place,
            count(*) over (partition by length(member) = 2) - 8 as others
          from country_shares where $of_window
        )
        select member, share, share_low, share_high, downloads, models, denominator, coverage,
          case when not is_country or place <= 8 then member when others = 1 then '1 other country'
            else others || ' other countries' end as shown
        from placed order by is_country desc, downloads desc, member
    """,
    columns=(Shown("member", "country", "country"), *_SHARES),
    chart=Chart("bars", "shown", "share", high="share_high"),
    coverage="of the denominator attributed",
    is_printed=True,
    is_pictured=True,
)

COUNTRIES_OVER_TIME = Figure(
    "countries-over-time",
    "Countries, month by month",
    "Each month's downloads of the population by country, for the countries with most of them. The band shows the most "
    "it could be, if all unmapped downloads were this country's. By origin, a derivative counts for the makers of the "
    "models it derives from.",
    table="country_shares",
    place=20,
    sql="""
        with monthly as (select * from country_shares where $of_months and length(member) = 2),
        largest as (
          select member, sum(downloads) as total from monthly group by member having total > 0
          order by total desc, member limit 6
        )
        select month, member, share, share_low, share_high, downloads, denominator, coverage
        from monthly join largest using (member) order by month, total desc, member
    """,
    columns=(
        _MONTH,
        Shown("member", "country", "country"),
        *_SHARES[:4],
        Shown("denominator", "of downloads", "count"),
    ),
    chart=Chart("lines", "member", "share", high="share_high"),
    over="months",
    views=BOTH_ATTRIBUTIONS,
    if_empty=_NO_ORIGIN,
    is_pictured=True,
)

ORGANIZATIONS = Figure(
    "organisations",
    "Organisations with most downloads",
    "Of all downloads of the population in the window, the part of each organisation. Persons and organisations that "
    "are not in the registry are in the denominator and not in the list.",
    table="organization_shares",
    place=30,
    sql="""
        select member, country, share, share_low, share_high, downloads, models, denominator, coverage,
          case when list_contains($leading, country) then country else 'other' end as colour
        from organization_shares
        where $of_window and member not in ('unaffiliated', 'unmapped') and downloads > 0
        order by downloads desc, member limit 12
    """,
    columns=(Shown("member", "organisation", "text"), Shown("country", "country", "country"), *_SHARES),
    chart=Chart("bars", "member", "share", group="colour"),
    views=BOTH_ATTRIBUTIONS,
    if_empty=_NO_ORIGIN,
)

ORGANIZATIONS_WITHIN = Figure(
    "organisations-within",
    "Organisations within the leading countries",
    "Of the downloads of each leading country, the part of its largest organisations.",
    table="organization_shares",
    place=35,
    sql="""
        with whole as (
          select member as country, downloads as denominator, coverage from country_shares
          where $of_window and list_contains($leading, member)
        ), within as (
          select country, member, organization_shares.downloads, models, whole.coverage, whole.denominator,
            row_number() over (partition by country order by downloads desc, member) as place
          from organization_shares join whole using (country) where $of_window
        )
        select country, member, downloads / denominator as share, downloads, models, denominator, coverage
        from within where place <= 10 and denominator > 0 order by denominator desc, country, place
    """,
    columns=(Shown("country", "country", "country"), Shown("member", "organisation", "text"), _SHARE, *_AMOUNTS),
    chart=Chart("bars", "member", "share", group="country"),
    denominator="downloads of a country",
    coverage="of all downloads attributed",
    is_printed=True,
)

FAMILIES_OVER_TIME = _over_derivatives(
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
        _MONTH,
        Shown("family", "organisation of the root", "text"),
        _SHARE,
        _NEW,
        Shown("denominator", "of all", "count"),
    ),
    chart=Chart("lines", "family", "share"),
    is_pictured=True,
    over="months",
    population="derivatives created in the month",
    denominator="new derivatives of the month, split over their roots",
    coverage="of new derivatives go back to mapped organisations and persons",
)

BUILT_ON = _over_derivatives(
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
    columns=(Shown("family", "model", "text"), Shown("organization", "organisation", "text"), _NEW, _SHARE),
    chart=Chart("bars", "family", "share"),
    is_pictured=True,
    population="derivatives created in the window",
    denominator="new derivatives, split over their roots",
    coverage="every declared derivative",
)

FAMILY = _over_derivatives(
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
    columns=(Shown("part", "when", "text"), _SHARE, _NEW, Shown("whole", "of all", "count")),
    chart=Chart("bars", "part", "share"),
    is_printed=True,
    population="derivatives created in the window",
    denominator="new derivatives, split over their roots",
    coverage="every declared derivative",
)

FLOWS = Figure(
    "flows",
    "Who builds on whom",
    "Of the window's new derivatives, the part that goes back to models of one country (down) and was published by "
    "another (across); the six largest of each side, all others together.",
    table="derivation_flows",
    place=60,
    sql="""
        with pairs as (
          select base_country as base, derivative_country as derived, sum(new_derivatives) as new
          from derivation_flows where list_contains($months, month) group by all having sum(new_derivatives) > 0
        ), named as (
          select case when base in (select base from pairs group by base order by sum(new) desc, base limit 6)
              then base else 'all others' end as base,
            case when derived in (select derived from pairs group by derived order by sum(new) desc, derived limit 6)
              then derived else 'all others' end as derived,
            new, sum(new) over () as denominator,
            1 - coalesce(sum(new) filter (base = 'unmapped' or derived = 'unmapped') over (), 0) / sum(new) over ()
              as coverage
          from pairs
        )
        select base, derived, sum(new) as new, sum(new) / any_value(denominator) as share,
          any_value(denominator) as denominator, any_value(coverage) as coverage
        from named group by base, derived
        order by base = 'all others', sum(sum(new)) over (partition by base) desc, base,
          derived = 'all others', sum(sum(new)) over (partition by derived) desc, derived
    """,
    columns=(
        Shown("base", "country of the base", "country"),
        Shown("derived", "country of the derivative", "country"),
        _NEW,
        _SHARE,
    ),
    chart=Chart("grid", "base", "share", group="derived", title="down: country of the base; across: of the derivative"),
    is_pictured=True,
    population="derivatives created in the window",
    denominator="new derivatives, split over their roots",
    attribution="the base by origin, the derivative by uploader",
    counts_downloads=False,
    if_empty=_NO_DERIVATIVES,
    coverage="of the declared derivatives with both ends mapped",
)


_of_attribute = partial(
    Figure,
    table="attribute_shares",
    chart=Chart("bars", "member", "share"),
    denominator="downloads",
    is_printed=True,
)
_ATTRIBUTE = """
    select member, share, downloads, models, denominator, coverage from attribute_shares
    where $of_window and dimension = $dimension and within = 'all'
"""
_BY_SIZE = "member = 'unknown', member not like 'below%', try_cast(regexp_extract(member, '^[0-9]+') as integer)"
"""Bands are named by the size from which they begin: `below_1B`, `1B_to_5B`, `250B_and_above`."""

LICENCES = Figure(
    "licences",
    "Licences",
    "Of the downloads of the population in the window, the part under each kind of licence, for all and for the "
    "leading countries.",
    table="attribute_shares",
    place=70,
    sql="""
        with licences as (
          select within, member, share, downloads, models, denominator, coverage from attribute_shares
          where $of_window and dimension = 'licence' and (within = 'all' or list_contains($leading, within))
        )
        select within, member, share, downloads, models,
          max(coverage) filter (within = 'all') over () as coverage,
          max(denominator) filter (within = 'all') over () as denominator
        from licences
        order by within <> 'all', list_position($leading, within),
          max(downloads) filter (within = 'all') over (partition by member) desc, member
    """,
    columns=(Shown("within", "downloads of", "country"), Shown("member", "licence", "member"), _SHARE, *_AMOUNTS),
    chart=Chart("bars", "member", "share", group="within"),
    denominator="downloads; countries: of their own downloads",
    coverage="of downloads with a declared licence",
    is_printed=True,
)
MODALITY = _of_attribute(
    "modality",
    "Modality",
    "Of the downloads of the population in the window, the part of each modality, by the models' declared task.",
    place=80,
    sql=f"{_ATTRIBUTE} order by downloads desc, member",
    columns=(Shown("member", "modality", "member"), _SHARE, *_AMOUNTS),
    views={"By uploader": {"attribution": "uploader", "dimension": "modality"}},
    coverage="of downloads of known modality",
)
SIZES = _of_attribute(
    "sizes",
    "Model sizes",
    "Of the downloads of the population in the window, the part of models with so many parameters (B: billion).",
    place=90,
    sql=f"{_ATTRIBUTE} order by {_BY_SIZE}",
    columns=(Shown("member", "parameters", "member"), _SHARE, *_AMOUNTS),
    views={"By uploader": {"attribution": "uploader", "dimension": "size_band"}},
    coverage="of downloads of known size",
)
MEAN_SIZE = Figure(
    "mean-size",
    "Mean model size",
    "The mean number of parameters of a downloaded model in the window, each model counted as often as it was "
    "downloaded.",
    table="model_sizes",
    place=95,
    sql="""
        select within, mean_parameters / 1e9 as mean, denominator, coverage from model_sizes
        where month = $month and "window" = $window and population = $population and mean_parameters is not null
          and (within = 'all' or list_contains($leading, within))
        order by within <> 'all', list_position($leading, within)
    """,
    columns=(
        Shown("within", "downloads of", "country"),
        Shown("mean", "mean, billions", "billions"),
        Shown("denominator", "downloads", "count"),
    ),
    chart=Chart("bars", "within", "mean", number="billions"),
    denominator="downloads of models of known size, in all or of a country",
    coverage="of downloads of known size",
    if_empty="No values: the size of none of the downloaded models is known.",
    is_printed=True,
)
SIZES_OVER_TIME = Figure(
    "sizes-over-time",
    "Mean model size, month by month",
    "The mean number of parameters of a downloaded model, in billions, each model counted as often as it was "
    "downloaded in the month.",
    table="model_sizes",
    place=100,
    sql="""
        select month, within, mean_parameters / 1e9 as mean, median_parameters / 1e9 as median, denominator, coverage
        from model_sizes
        where "window" = 'month' and population = $population and mean_parameters is not null
          and (within = 'all' or list_contains($leading, within))
        order by month, within <> 'all', list_position($leading, within)
    """,
    columns=(
        _MONTH,
        Shown("within", "downloads of", "country"),
        Shown("mean", "mean, billions", "billions"),
        Shown("median", "median, billions", "billions"),
        Shown("denominator", "downloads", "count"),
    ),
    chart=Chart("lines", "within", "mean", number="billions"),
    over="months",
    denominator="downloads of models of known size, in all or of a country",
    coverage="of downloads of known size",
    if_empty="No values: the size of none of the downloaded models is known.",
)

CONCENTRATION = Figure(
    "concentration",
    "Concentration",
    "How unevenly each month's downloads fall on models, organisations and countries: the part of the ten largest, and "
    "the Gini coefficient (0: all alike; 1: one has everything). Organisations and countries are those that are known.",
    table="concentration",
    place=110,
    sql="""
        select month, dimension, members, top_1_share, top_10_share, gini, hhi, effective_number, denominator, coverage,
          case $measure when 'gini' then gini else top_10_share end as drawn
        from concentration where $of_months
        order by month, list_position(['model', 'organization', 'country'], dimension)
    """,
    columns=(
        _MONTH,
        Shown("dimension", "over", "text"),
        Shown("members", "members", "count"),
        Shown("top_1_share", "largest", "share"),
        Shown("top_10_share", "ten largest", "share"),
        Shown("gini", "Gini", "index"),
        Shown("hhi", "Herfindahl", "index"),
        Shown("effective_number", "effective number", "number"),
    ),
    chart=Chart("lines", "dimension", "drawn", number="index"),
    over="months",
    views={
        "Ten largest": {"attribution": "uploader", "measure": "top_10_share"},
        "Gini": {"attribution": "uploader", "measure": "gini"},
    },
    choice="Measure",
    denominator="downloads of known organisations or countries; over models: all downloads",
    coverage="of downloads attributed (over models: all)",
)

CADENCE = Figure(
    "cadence",
    "Release cadence",
    "Who released on most days: days with a release, the median of the days between them, and how many repositories a "
    "release has.",
    table="release_cadence",
    place=120,
    sql="""
        with ranked as (
          select *, row_number() over (
            partition by dimension order by release_days desc, new_repositories desc, member
          ) as place
          from release_cadence where month = $month and "window" = $window
        )
        select dimension, coalesce(country_name, member) as member, release_days, median_days_between,
          variants_per_release, new_repositories, new_repositories_in_all as denominator, coverage
        from ranked left join dim_country on dimension = 'country' and country = member
        where place <= case dimension when 'country' then 2 else 12 end
        order by dimension, place
    """,
    columns=(
        Shown("dimension", "over", "text"),
        Shown("member", "name", "text"),
        Shown("release_days", "days with a release", "count"),
        Shown("median_days_between", "days between", "number"),
        Shown("variants_per_release", "repositories a release", "number"),
        Shown("new_repositories", "repositories", "count"),
    ),
    chart=Chart("bars", "member", "release_days", number="count", group="dimension"),
    population="repositories created in the window that derive from nothing or from the same organisation's models",
    denominator="such repositories of all uploaders",
    coverage="of them by known organisations",
    counts_downloads=False,
    if_empty="No values: no known organisation created a repository in these months.",
    is_printed=True,
)

COVERAGE = Figure(
    "coverage",
    "Coverage",
    "How much of each month's downloads is attributed to an organisation, to persons, or to nobody that the registry "
    "knows; and how they were measured: as the growth of a counter, or estimated from a 30-day counter.",
    table="coverage",
    place=130,
    sql="""
        with measured as (
          select month, member, share_of_downloads, coverage.downloads, coverage.models,
            dim_month.downloads as denominator, dim_month.coverage
          from coverage join dim_month using (month) where aspect = $aspect
        )
        select * from measured where denominator > 0
        order by month, list_position(
          ['organization', 'unaffiliated', 'unmapped', 'continued', 'estimated', 'created', 'late_arrival'], member
        ) nulls last, member
    """,
    columns=(
        _MONTH,
        Shown("member", "what", "member"),
        Shown("share_of_downloads", "share", "share"),
        Shown("downloads", "downloads", "count"),
        Shown("models", "models", "count"),
    ),
    chart=Chart("stack", "member", "share_of_downloads"),
    over="months",
    views={
        "Attributed to": {"attribution": "uploader", "aspect": "attributed_to"},
        "Measured as": {"attribution": "uploader", "aspect": "measurement"},
    },
    choice="What of",
    population="all models",
    denominator="downloads",
    is_pictured=True,
)

MONTHS = Figure(
    "months",
    "Months and incidents",
    "What each month was measured from, and what is known to have happened to the Hub's counters or to the source in "
    "it. Days are scaled to the month where the snapshots do not lie on its boundaries.",
    table="dim_month",
    place=140,
    sql="select *, downloads as denominator from dim_month order by month",
    columns=(
        _MONTH,
        Shown("incidents", "incidents", "prose"),
        Shown("incidents_at_observation", "incidents when observed", "prose"),
        Shown("quality", "quality", "text"),
        Shown("basis", "basis", "text"),
        Shown("days_observed", "days observed", "number"),
        Shown("scaling", "scaled by", "index"),
        Shown("downloads", "downloads", "count"),
        Shown("downloads_flagged", "of flagged models", "count"),
        Shown("coverage", "coverage", "share"),
        Shown("source", "source", "text"),
        Shown("source_revision", "revision", "code"),
    ),
    chart=None,
    over="months",
    population="all models",
    denominator="downloads",
)
