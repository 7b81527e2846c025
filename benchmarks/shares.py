"""What the share marts cost at the size of the whole Hub, beside pandas.

The tables of one month are made in the lake's columns and order. Timed are all marts of the month from these files, and
the periods of 24 such months. pandas makes the shares of countries and organisations, by uploader and by origin, from
the same files for the same populations, once on strings and once on categories; both must agree with ours.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from assets.lineage.origin_weights import ORIGIN_WEIGHTS
from assets.models.models import MODELS, models_of
from assets.shares.adoption import ADOPTION_MARKS, marks_of
from assets.shares.attribute_shares import ATTRIBUTE_SHARES, DIMENSIONS, shares_by
from assets.shares.concentration import CONCENTRATION, concentration_of_members, concentration_of_models
from assets.shares.country_shares import COUNTRY_SHARES
from assets.shares.derivation_flows import DERIVATION_FLOWS, flows_of
from assets.shares.family_shares import FAMILY_SHARES, families_of
from assets.shares.intermediaries import INTERMEDIARIES, intermediaries_of
from assets.shares.members import developers
from assets.shares.model_sizes import MODEL_SIZES, sizes_of
from assets.shares.organization_shares import ORGANIZATION_SHARES, shares_of_organizations
from assets.shares.release_cadence import RELEASE_DAYS, days_of
from assets.shares.share_table import member_shares
from benchmarks.stages import Peer, Stage
from pipeline.definitions import CATALOGUE
from pipeline.months import add_months
from pipeline.reference.registry import read_registry
from pipeline.schema.declaration import DECIMAL, Table, conform

if TYPE_CHECKING:
    import pandas as pd

MONTH = dt.date(2025, 8, 1)
PERIOD_MONTHS = 24
NAMESPACES = 600_000
ORGANIZATIONS = 1_200
FAMILIES = 50_000
COUNTRIES = [f"{first}{second}" for first in "ABCDE" for second in "ABCDEFGHIJ"]
TAGS = ["transformers", "safetensors", "llama", "text-generation", "conversational", "en", "region:us"]
OPENED_AT = dt.datetime(2025, 8, 1, tzinfo=dt.UTC)


def write_month(folder: Path, repositories: int) -> None:
    """The month's tables as the lake has them: sorted by `hub_id`, the columns that the marts read."""
    random = np.random.default_rng(1)
    number = np.arange(repositories)
    namespace = (random.random(repositories) ** 3 * NAMESPACES).astype(np.int64)
    known = namespace < ORGANIZATIONS * 4
    organization = np.where(known, namespace % ORGANIZATIONS, -1)
    derives = random.random(repositories) < 0.4
    age = random.random(repositories) * 1200
    base = pl.DataFrame(
        {"number": number, "namespace": namespace, "organization": organization, "age": age}
    ).with_columns(
        pl.format("{}", pl.col("number") + 10**23 // 10**6).str.zfill(24).alias("hub_id"),
        pl.format("author-{}/model-{}-7B-{}", "namespace", "number", pl.col("number") % 7).alias("model_id"),
        pl.format("author-{}", "namespace").alias("namespace"),
        pl.lit(MONTH).alias("month"),
        (pl.lit(dt.datetime(2025, 9, 1, tzinfo=dt.UTC)) - pl.duration(hours=(pl.col("age") * 24).cast(pl.Int64))).alias(
            "created_at"
        ),
    )
    downloads = np.floor(np.exp(2.5 * random.standard_normal(repositories)))
    tasks, licences = ["text-generation", "text-to-image", "text-to-video", None], ["mit", "llama3.1", "other", None]
    some = pl.lit(pl.Series([[*TAGS, "dataset:a/b", "base_model:b/c", "base_model:finetune:b/c"]]))
    few = pl.lit(pl.Series([TAGS]))
    base.select(
        "hub_id",
        "model_id",
        "created_at",
        pl.lit("false").alias("gated"),
        pl.Series("license", licences, dtype=pl.String).gather(number % 4).alias("license"),
        pl.Series("pipeline_tag", tasks, dtype=pl.String).gather(number % 4).alias("pipeline_tag"),
        pl.lit("transformers").alias("library_name"),
        pl.when(pl.col("number") % 2 == 0).then(pl.col("number") % 90 * 10**9).alias("safetensors_parameters"),
        pl.when(pl.col("number") % 11 == 0).then(7 * 10**9).alias("gguf_parameters"),
        pl.when(pl.Series(derives)).then(some).otherwise(few).alias("tags"),
        pl.Series("downloads_all_time", (downloads * 9).astype(np.int64)),
    ).write_parquet(folder / "snapshot.parquet")
    base.select(
        "month",
        "hub_id",
        "model_id",
        "namespace",
        "created_at",
        pl.Series("downloads", downloads).cast(DECIMAL),
        pl.lit("all_time_delta").alias("basis"),
        pl.lit("measured").alias("boundary"),
        (pl.col("age") <= 365).alias("is_new"),
        (pl.col("number") % 3 > 0).alias("is_language_model"),
        (pl.col("number") % 1000 == 0).alias("is_flagged"),
    ).write_parquet(folder / "downloads.parquet")
    has = pl.col("organization") >= 0
    place = pl.col("organization").clip(0) % len(COUNTRIES)
    developer = base.select(
        "hub_id",
        "model_id",
        "namespace",
        pl.when(has)
        .then(pl.format("Organisation {}", "organization"))
        .otherwise(pl.lit("unmapped"))
        .alias("organization"),
        pl.when(has).then(pl.lit(pl.Series(COUNTRIES)).gather(place)).otherwise(pl.lit("unmapped")).alias("country"),
        pl.when(has).then(pl.lit("company")).otherwise(pl.lit("unmapped")).alias("kind"),
        pl.when(has).then(pl.lit("registry")).otherwise(pl.lit("unmapped")).alias("method"),
        pl.when(has).then(pl.format("author-{} since ever", "organization")).alias("registry_row"),
    )
    developer.write_parquet(folder / "attribution.parquet")
    children = number[derives]
    parents = (random.random(len(children)) ** 4 * min(FAMILIES, repositories)).astype(np.int64)
    edges = pl.DataFrame(
        {
            "hub_id": base["hub_id"].gather(children),
            "model_id": base["model_id"].gather(children),
            "root": base["model_id"].gather(parents),
        }
    )
    relation = pl.Series(["finetune", "quantized", "adapter", "merge"]).gather(children % 4)
    edges.select(
        pl.col("hub_id").alias("child_hub_id"),
        pl.col("model_id").alias("child_model_id"),
        pl.col("root").alias("parent_model_id"),
        relation.alias("relation"),
        pl.lit(0, pl.Int32).alias("position"),
    ).write_parquet(folder / "derivations.parquet")
    one = pl.lit(1, ORIGIN_WEIGHTS.column("weight").type)
    root_hub_id = base["hub_id"].gather(parents).alias("root_hub_id")
    edges.select("hub_id", pl.col("root").alias("root_model_id"), root_hub_id, one.alias("weight")).write_parquet(
        folder / "weights.parquet"
    )
    developer.filter(pl.col("model_id").is_in(edges["root"].unique().implode())).select(
        pl.col("model_id").alias("root_model_id"), "namespace", "organization", "country"
    ).write_parquet(folder / "roots.parquet")
    pl.DataFrame({"observed_at": [OPENED_AT]}).write_parquet(folder / "opening.parquet")
    base.select("hub_id", pl.Series("is_derivative", derives), pl.col("model_id").alias("root_model_id")).write_parquet(
        folder / "lineage.parquet"
    )


def marts_of(
    models: pl.LazyFrame, weights: pl.LazyFrame, roots: pl.LazyFrame
) -> Iterator[tuple[Table, pl.DataFrame | pl.LazyFrame]]:
    """Every mart of the month, as the assets make them."""
    countries = member_shares(models, developers(models, weights, roots), "country")
    organizations = shares_of_organizations(models, weights, roots)
    yield COUNTRY_SHARES, countries
    yield ORGANIZATION_SHARES, organizations
    over_members = (concentration_of_members(shares.lazy()) for shares in (countries, organizations))
    over_models = concentration_of_models(models).lazy()
    yield CONCENTRATION, pl.concat([over_models, *over_members], how="diagonal_relaxed")
    yield ATTRIBUTE_SHARES, shares_by(models, DIMENSIONS)
    yield MODEL_SIZES, sizes_of(models)
    yield RELEASE_DAYS, days_of(models)
    yield ADOPTION_MARKS, marks_of(models)
    yield INTERMEDIARIES, intermediaries_of(models)
    yield FAMILY_SHARES, families_of(models, weights, roots)
    yield DERIVATION_FLOWS, flows_of(models, weights, roots)


def make_marts(folder: Path) -> None:
    """Makes and writes the month's models and its marts."""
    names = ("downloads", "snapshot", "opening", "attribution", "roots", "lineage", "derivations", "weights")
    read = {name: pl.scan_parquet(folder / f"{name}.parquet") for name in names}
    path = folder / "models.parquet"
    conform(models_of(*(read[name] for name in names[:-1])).lazy(), MODELS).collect().write_parquet(path)
    models = pl.scan_parquet(path).set_sorted("hub_id")
    for table, frame in marts_of(models, read["weights"], read["roots"]):
        conform(frame.lazy(), table).collect().write_parquet(folder / f"mart_{table.name}.parquet")


def make_periods(folder: Path) -> None:
    """The periods of 24 months like this one."""
    lake = {
        table: pl.concat(
            pl.read_parquet(path).with_columns(pl.lit(add_months(MONTH, later)).alias("month"))
            for later in range(PERIOD_MONTHS)
        )
        for table in CATALOGUE.tables.values()
        if (path := folder / f"mart_{table.name}.parquet").exists()
    }
    lake[CATALOGUE["attribution/organizations"]] = read_registry().organizations
    months = _Months(tuple(add_months(MONTH, later) for later in range(PERIOD_MONTHS)), lake)
    for made in CATALOGUE.published.values():
        if "period" in made.references:
            months.published(made.name)


@dataclass
class _Months:
    """As much of the published months as marts over periods look at."""

    months: tuple[dt.date, ...]
    lake: dict[Table, pl.DataFrame]
    made: dict[str, pl.DataFrame] = field(default_factory=dict)

    def scan(self, table: Table) -> pl.LazyFrame:
        return self.lake[table].lazy()

    def published(self, name: str) -> pl.LazyFrame:
        if name not in self.made:
            self.made[name] = CATALOGUE.published[name].make(self).collect()  # type: ignore[arg-type]
        return self.made[name].lazy()


def members_by_pandas(folder: Path, *, categories: bool) -> None:
    """Downloads and shares of countries and organisations, by uploader and by origin, for every population."""
    import pandas as pd  # noqa: PLC0415 - a yardstick

    developer = ["country", "organization"]
    flags = ["is_new", "is_language_model", "is_flagged"]
    downloads = pd.read_parquet(folder / "downloads.parquet", columns=["hub_id", "downloads", *flags])
    downloads["downloads"] = downloads["downloads"].astype(float)
    attribution = pd.read_parquet(folder / "attribution.parquet", columns=["hub_id", *developer])
    roots = pd.read_parquet(folder / "roots.parquet", columns=["root_model_id", *developer])
    weights = pd.read_parquet(folder / "weights.parquet", columns=["hub_id", "root_model_id", "weight"])
    weights["weight"] = weights["weight"].astype(float)
    if categories:
        for name in developer:
            both = pd.CategoricalDtype(sorted(set(attribution[name].unique()) | set(roots[name].unique())))
            attribution[name], roots[name] = attribution[name].astype(both), roots[name].astype(both)
    uploaded = downloads.merge(attribution, on="hub_id", how="left")
    of_roots = weights.merge(roots, on="root_model_id", how="left").merge(downloads, on="hub_id")
    of_roots["downloads"] *= of_roots["weight"]
    originals = uploaded[~uploaded["hub_id"].isin(weights["hub_id"])]
    columns = [*developer, "downloads", *flags]
    by_attribution = {"uploader": uploaded, "origin": pd.concat([originals[columns], of_roots[columns]])}
    found = {}
    for attributed, rows in by_attribution.items():
        for population, has in (("all", None), ("new", "is_new"), ("language_models", "is_language_model")):
            whole = rows if has is None else rows[rows[has]]
            for name, inside in ((population, whole), (f"{population}_unflagged", whole[~whole["is_flagged"]])):
                for dimension in developer:
                    sums = inside.groupby(dimension, observed=True)["downloads"].agg(["sum", "count"])
                    found[dimension, attributed, name] = sums["sum"] / sums["sum"].sum()
    _require_agreement(folder, found)


def _require_agreement(folder: Path, found: dict[tuple[str, str, str], pd.Series]) -> None:
    for dimension in ("country", "organization"):
        ours = pl.read_parquet(folder / f"mart_{dimension}_shares.parquet")
        for attributed, population, member, share in ours.select(
            "attribution", "population", "member", "share"
        ).iter_rows():
            assert abs(found[dimension, attributed, population][member] - share) < 1e-9, member


def members_by_us(folder: Path) -> None:
    """The country and organisation tables by uploader and by origin, as the asset makes them."""
    models, weights, roots = (pl.scan_parquet(folder / f"{name}.parquet") for name in ("models", "weights", "roots"))
    member_shares(models, developers(models, weights, roots), "country")
    shares_of_organizations(models, weights, roots)


def on_strings(folder: Path) -> None:
    members_by_pandas(folder, categories=False)


def on_categories(folder: Path) -> None:
    members_by_pandas(folder, categories=True)


def write_marts(folder: Path, repositories: int) -> None:
    """The month and its marts."""
    write_month(folder, repositories)
    make_marts(folder)


STAGES = (
    Stage(
        "shares",
        "all marts of the month",
        write_marts,
        make_marts,
        at_most_seconds=15,
        at_most_gib=3,
        peers=(
            Peer("pandas on strings, countries and organisations", on_strings, 5, ours=members_by_us),
            Peer("pandas on categories, countries and organisations", on_categories, 1, ours=members_by_us),
        ),
    ),
    Stage(
        "periods",
        "the periods of 24 months of these marts",
        write_marts,
        make_periods,
        at_most_seconds=10,
        made_for="shares",
    ),
)
