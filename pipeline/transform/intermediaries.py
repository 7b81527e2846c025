"""Namespaces that mostly re-upload, quantise or adapt others' models."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.tables.attributes import INTERMEDIARY
from pipeline.tables.measures import FEWEST_REPOSITORIES, INTERMEDIARIES, MOSTLY
from pipeline.transform.alignment import beside
from pipeline.transform.populations import POPULATION_CLASS, totals_by_population
from pipeline.transform.shares import in_month
from pipeline.transform.windows import MonthlySums, windows_over

_NAMES = ("model_id", "parent_model_id")
_PARTS = {"re_uploader": "re_uploaded", "quantizer": "quantized", "adapter_publisher": "adapted"}
_BUCKETS = 2**22
"""Into so many parts namespaces are sorted by number, to tell apart most of the Hub's at little cost."""


def find_intermediaries(models: pl.DataFrame, model_lineage: pl.LazyFrame) -> pl.DataFrame:
    """The namespaces that are intermediaries: `namespace`, `intermediary`, `repositories` and the parts of each kind.

    `models` are those of `transform.traits.counted_models`, `model_lineage` is `lineage/model_lineage`.
    """
    own_name, parents_name = (pl.col(name).str.replace(r"^[^/]+/", "").str.to_lowercase() for name in _NAMES)
    placed = model_lineage.select("hub_id", "is_derivative", "is_first_party").collect()
    of_others = beside(models.select("hub_id"), placed).select(pl.col("is_derivative") & ~pl.col("is_first_party"))
    has_both = models["namespace"].is_not_null() & models["relation"].is_not_null()
    # Only namespaces that hand on so many can be intermediaries: of the others no name needs to be read.
    may_count = (of_others.to_series().fill_null(value=False) & has_both).to_numpy()
    bucket = _buckets(models["namespace"])
    enough_of_them = np.bincount(bucket[may_count], minlength=_BUCKETS) > FEWEST_REPOSITORIES * MOSTLY
    handed_on = (
        models.select("namespace", "relation", *_NAMES)
        .filter(may_count & enough_of_them[bucket])
        .lazy()
        .select(
            "namespace",
            pl.when(own_name == parents_name).then(pl.lit("re_uploaded"))
            .when(pl.col("relation") == "quantized").then(pl.lit("quantized"))
            .when(pl.col("relation").is_in(["adapter", "merge"])).then(pl.lit("adapted"))
            .alias("way"),
        )
        .group_by("namespace")
        .agg(*((pl.col("way") == part).sum().alias(part) for part in _PARTS.values()))
    )  # fmt: skip
    enough = handed_on.filter(pl.sum_horizontal(_PARTS.values()) > FEWEST_REPOSITORIES * MOSTLY).collect()
    sizes = (
        models.select("namespace")
        .filter(_may_be_among(models["namespace"], enough["namespace"]))
        .lazy()
        .group_by("namespace")
        .agg(pl.len().cast(pl.Int64).alias("repositories"))
    )
    parts = [pl.col(part) / pl.col("repositories") for part in _PARTS.values()]
    kind = pl.lit("mixed")
    for name, part in _PARTS.items():
        kind = pl.when(pl.col(part) > MOSTLY).then(pl.lit(name)).otherwise(kind)
    return (
        enough.lazy()
        .join(sizes.filter(pl.col("repositories") >= FEWEST_REPOSITORIES), on="namespace")
        .with_columns(parts)
        .filter(pl.sum_horizontal(_PARTS.values()) > MOSTLY)
        .with_columns(kind.alias("intermediary"))
        .sort("namespace")
        .collect()
    )


def with_intermediaries(models: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """The models with the column `intermediary`: what kind their namespace is, null where it is none."""
    candidates = pl.Series(np.flatnonzero(_may_be_among(models["namespace"], found["namespace"])))
    kind = (
        models["namespace"]
        .gather(candidates)
        .replace_strict(found["namespace"], found["intermediary"], default=None, return_dtype=pl.String)
        .cast(INTERMEDIARY)
    )
    nobody = pl.Series("intermediary", [], INTERMEDIARY).extend_constant(None, models.height)
    return models.with_columns(nobody.scatter(candidates, kind))


def _may_be_among(namespaces: pl.Series, wanted: pl.Series) -> npt.NDArray[np.bool_]:
    """Holds for each of the namespaces that is wanted, and for few others.

    Millions of names are compared by number: the few that are left are worth comparing by letter.
    """
    holds = np.zeros(_BUCKETS, np.bool_)
    holds[_buckets(wanted)] = True
    return holds[_buckets(namespaces)]


def _buckets(namespaces: pl.Series) -> npt.NDArray[np.int64]:
    """The part of each namespace; different namespaces may share one."""
    return (namespaces.hash() % _BUCKETS).to_numpy().astype(np.int64)


def intermediaries(models: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """`shares/intermediaries` of a month; `found` are those of `find_intermediaries`."""
    month, basis = models.row(0, named=True)["month"], models.row(0, named=True)["basis"]
    rows = models.select("downloads", "namespace", "organization", pl.col("country").cast(pl.String), POPULATION_CLASS)
    known = rows["namespace"].is_not_null()
    whole = totals_by_population(
        pl.DataFrame({"is_known": [False, True]}), known.cast(pl.Int64), rows["population_class"], rows["downloads"]
    )
    denominators = whole.group_by("population").agg(
        pl.col("downloads").sum().alias("denominator"),
        pl.col("downloads").filter("is_known").sum().alias("known_downloads"),
    )
    owned = rows.filter(_may_be_among(rows["namespace"], found["namespace"])).filter(
        pl.col("namespace").is_in(found["namespace"].implode())
    )
    owners = owned.select("namespace", "organization", "country").unique("namespace")
    groups = found.join(owners, on="namespace", how="left", maintain_order="left")
    code = owned["namespace"].cast(pl.Enum(groups["namespace"])).to_physical()
    totals = totals_by_population(groups, code, owned["population_class"], owned["downloads"])
    whole_downloads = pl.col("denominator")
    return in_month(
        totals.filter(pl.col("downloads") > 0)
        .join(denominators, on="population")
        .with_columns(
            (pl.col("downloads") / whole_downloads).alias("share"),
            (pl.col("known_downloads") / whole_downloads).clip(0, 1).alias("coverage"),
        ),
        month,
        basis,
    ).select(INTERMEDIARIES.schema.names())


def intermediary_windows(monthly: pl.DataFrame, denominators: pl.DataFrame) -> pl.DataFrame:
    """`shares/intermediaries` over every window.

    A namespace's downloads are those of the months in which it was an intermediary; what it is, is what it was in the
    last of them. `denominators` has, for every window, `month`, `window`, `months_in_window`, `is_complete`,
    `population`, `denominator` and `basis`.
    """
    monthly = monthly.with_columns(pl.col("downloads", "denominator").cast(pl.Float64))
    columns = INTERMEDIARIES.schema.names()
    described = [name for name in columns if name not in (*denominators.columns, "namespace", "downloads", "share")]
    months = denominators["month"].unique().sort().to_list()
    sums = MonthlySums(monthly, ["population", "namespace"], months)
    windows = []
    for window in windows_over(months):
        place, downloads = sums.over(window)
        last = monthly.select(described).select(pl.all().gather(sums.latest_row_of(place, window.last)))
        stated = sums.keys[place].hstack(last).with_columns(*window.facts(), pl.Series("downloads", downloads))
        windows.append(stated.drop("months_in_window", "is_complete"))
    return (
        pl.concat(windows)
        .join(denominators, on=["month", "window", "population"], maintain_order="left")
        .with_columns((pl.col("downloads") / pl.col("denominator")).alias("share"))
        .select(columns)
    )
