"""`shares/model_sizes`: how large the downloaded models are."""

from dataclasses import replace
from functools import partial

import polars as pl

from assets.columns import BASIS, IN_POPULATION, WITHIN, downloads, fraction, number
from assets.expressions import ratio
from assets.models.models import MODELS
from assets.shares.periods import over_periods, sums_over_periods
from assets.shares.share_table import FLAGS, WHOLE, by_population, in_month
from pipeline.orchestration.table_assets import table_asset
from pipeline.schema.declaration import DECIMAL, Table
from pipeline.schema.figure import IN_MONTH, Chart, Figure, Shown
from pipeline.schema.published import PublishedTable
from pipeline.schema.shares import POPULATION_NAMES, POPULATIONS

_size = partial(number, unit="parameters", nullable=True)
_SUMS = ("downloads", "denominator", "parameters_downloaded")
MODEL_SIZES = Table(
    "shares/model_sizes",
    grain="population and country, or all",
    description="Mean and median parameters of downloads; models of unknown size are left out, see `coverage`.",
    columns=(
        *IN_POPULATION,
        replace(WITHIN, meaning="Whose models: `all`, or those of one country by uploader."),
        downloads("Downloads of models of known size.", "denominator"),
        number("parameters_downloaded", "Numerator of the mean: sum of downloads times parameters.", "parameters"),
        _size("mean_parameters", "`parameters_downloaded` / `denominator`.", minimum=0, maximum=1e13),
        _size("median_parameters", "Half of the downloads are of models at most this large; of single months only."),
        fraction("coverage", "Part of all downloads whose model's size is known."),
        downloads("All downloads, those of models of unknown size included."),
        BASIS,
    ),
    key=("period", "population", "within"),
)


def size_periods(monthly: pl.LazyFrame) -> pl.LazyFrame:
    """`shares/model_sizes` over every period; longer ones have no median."""
    sums = pl.col(_SUMS).cast(DECIMAL).sum()
    of_month = pl.col("median_parameters").filter(pl.col("period") == "month").first()
    return _with_means(sums_over_periods(monthly, ["population", "within"], [sums, of_month]))


PUBLISHED = PublishedTable(over_periods(MODEL_SIZES), lambda months: size_periods(months.scan(MODEL_SIZES)))


def sizes_of(models: pl.LazyFrame) -> pl.DataFrame:
    """Mean and median sizes of the month, in all and by country, from `models/models`."""
    amount, parameters = pl.col("downloads"), pl.col("parameters")
    rows = models.select("downloads", *FLAGS, "parameters", "country").with_columns(
        denominator=pl.when(parameters.is_not_null()).then(amount).otherwise(0),
        parameters_downloaded=amount * parameters.fill_null(0),
    )
    rising = rows.filter(parameters.is_not_null(), amount > 0).sort("parameters").collect()
    found = [_sums_and_medians(rows, rising, within) for within in (pl.lit(WHOLE), pl.col("country"))]
    return _with_means(in_month(pl.concat(found), models).lazy()).collect()


model_sizes = table_asset(MODEL_SIZES, models=MODELS)(sizes_of)


def _sums_and_medians(rows: pl.LazyFrame, rising: pl.DataFrame, within: pl.Expr) -> pl.DataFrame:
    """By `within` and every population, those included that have nothing in it; `rising` is sorted by parameters."""
    keys = ["population", "within"]
    sums = by_population(rows.with_columns(within=within), ["within"], _SUMS).drop("models")
    reached = pl.col("downloads").cum_sum() * 2 >= pl.col("downloads").sum()
    median = pl.col("parameters").filter(reached).first().cast(pl.Float64)
    medians = pl.concat(
        rising.filter(population.has_model())
        .group_by(within.alias("within"))
        .agg(population=pl.lit(population.name), median_parameters=median)
        for population in POPULATIONS
    )
    groups = sums.select("within").unique().join(pl.DataFrame({"population": POPULATION_NAMES}), how="cross")
    return groups.join(sums, on=keys, how="left").with_columns(pl.col(_SUMS).fill_null(0)).join(medians, keys, "left")


def _with_means(sums: pl.LazyFrame) -> pl.LazyFrame:
    known = pl.col("denominator")
    return sums.with_columns(
        mean_parameters=pl.when(known > 0).then(ratio(pl.col("parameters_downloaded"), known)),
        coverage=ratio(known, pl.col("downloads")),
    )


_size_figure = partial(
    Figure,
    table="model_sizes",
    denominator="downloads of models of known size, in all or of a country",
    coverage="of downloads of known size",
    if_empty="No values: the size of none of the downloaded models is known.",
)
_OF, _MEAN = Shown("within", "downloads of", "country"), Shown("mean", "mean, billions", "billions")
_DOWNLOADS = Shown("denominator", "downloads", "count")

MEAN_SIZE_FIGURE = _size_figure(
    "mean-size",
    "Mean model size",
    "The mean number of parameters of a downloaded model in the period, each model counted as often as it was "
    "downloaded.",
    place=95,
    sql="""
        select within, mean_parameters / 1e9 as mean, denominator, coverage from model_sizes
        where month = $month and period = $period and population = $population and mean_parameters is not null
          and (within = 'all' or list_contains($leading, within))
        order by within <> 'all', list_position($leading, within)
    """,
    columns=(_OF, _MEAN, _DOWNLOADS),
    chart=Chart("bars", "within", "mean", number="billions"),
    is_printed=True,
)

SIZES_OVER_TIME_FIGURE = _size_figure(
    "sizes-over-time",
    "Mean model size, month by month",
    "The mean number of parameters of a downloaded model, in billions, each model counted as often as it was "
    "downloaded in the month.",
    place=100,
    sql="""
        select month, within, mean_parameters / 1e9 as mean, median_parameters / 1e9 as median, denominator, coverage
        from model_sizes
        where period = 'month' and population = $population and mean_parameters is not null
          and (within = 'all' or list_contains($leading, within))
        order by month, within <> 'all', list_position($leading, within)
    """,
    columns=(IN_MONTH, _OF, _MEAN, Shown("median", "median, billions", "billions"), _DOWNLOADS),
    chart=Chart("lines", "within", "mean", number="billions"),
    over="months",
)
