"""What the pages of a publication cost: one for each 600 models of the Hub, nearly all of organisations.

A Hub of 3,000,000 models has 5,000 pages here, for every organisation gets one, however small its part.
"""

from __future__ import annotations

import datetime as dt
import os
from dataclasses import replace
from pathlib import Path

import duckdb
import polars as pl

from assets.published.headline import headline_by
from benchmarks.stages import WRITTEN, Stage
from pipeline.definitions import CATALOGUE
from pipeline.months import add_months
from pipeline.publish.warehouse import FILE_NAME
from pipeline.report.figures import SITE
from pipeline.report.site import write_pages
from pipeline.schema.declaration import conform

FIRST = dt.date(2024, 9, 1)
MONTHS = 24
MODELS_A_PAGE = 600
MODELS_OF_AN_ORGANIZATION = 5
COUNTRIES = [f"{first}{second}" for first in "ABCDE" for second in "ABCDEFGHIJ"]
SAME = {"String": "text", "Boolean": True, "Date": FIRST, "Datetime": dt.datetime(2026, 9, 1, tzinfo=dt.UTC)}
"""What stands in every row of a column that is not made; numbers are 1."""


def make_warehouse(folder: Path, models: int) -> None:
    """A warehouse of organisations in fifty countries, whose first ones have the most downloads."""
    number = pl.col("number")
    months = pl.DataFrame({"month": [add_months(FIRST, place) for place in range(MONTHS)]})
    organizations = pl.DataFrame({"number": range(models // MODELS_A_PAGE)}).select(
        pl.format("organisation-{}", number).alias("organization"),
        (number % len(COUNTRIES)).replace_strict(dict(enumerate(COUNTRIES))).alias("country"),
        (1e9 / (number + 10)).floor().alias("downloads"),
    )
    monthly = organizations.join(months, how="cross")
    listed = monthly.join(pl.DataFrame({"number": range(MODELS_OF_AN_ORGANIZATION)}), how="cross").with_columns(
        pl.format("{}/model-{}", "organization", number).alias("hub_id"),
        downloads=pl.col("downloads") / MODELS_OF_AN_ORGANIZATION,
    )
    shares = {
        f"{of}_shares": _shares(monthly.group_by(*keys).agg(pl.col("downloads").sum()).rename({of: "member"}))
        for of, keys in (("country", ["month", "country"]), ("organization", ["month", "organization", "country"]))
    }
    countries = _table("country_shares", shares["country_shares"])
    given = {
        **{name: _table(name, frame) for name, frame in shares.items()},
        "headline_country": conform(
            headline_by("country", countries.lazy()), CATALOGUE.published["headline_country"].table
        ).collect(),
        "model_month": _table("model_month", listed.with_columns(downloads_new="downloads")),
        "dim_model": _table("dim_model", listed.select("hub_id", model_id="hub_id").unique()),
        "dim_month": _table("dim_month", months),
        "dim_country": _table("dim_country", pl.DataFrame({"country": COUNTRIES, "country_name": COUNTRIES})),
        "_census": _table("_census", months),
    }
    with duckdb.connect(str(folder / FILE_NAME)) as warehouse:
        for name, published in CATALOGUE.published.items():
            warehouse.register("given", given.get(name, published.table.schema.to_frame()).to_arrow())
            warehouse.sql(f'create table "{name}" as select * from given')


def _shares(monthly: pl.DataFrame) -> pl.DataFrame:
    """The members' shares of each month, which stand for those of the year that ends with it as well."""
    whole = pl.col("downloads").sum().over("month")
    periods = pl.DataFrame({"period": ["month", "trailing_12_months"], "months_in_period": [1, 12]})
    attributions = pl.DataFrame({"attribution": ["uploader", "origin"]})
    share = (pl.col("downloads") / whole).alias("share")
    known = monthly.with_columns(share, share.alias("share_low"), share.alias("share_high"), whole.alias("denominator"))
    return known.with_columns(population=pl.lit("new")).join(periods, how="cross").join(attributions, how="cross")


def _table(name: str, made: pl.DataFrame) -> pl.DataFrame:
    """The published table of that name with what was made, in every row the same besides."""
    schema = CATALOGUE.published[name].table.schema
    return made.select(
        (pl.col(column) if column in made.columns else pl.lit(SAME.get(str(kind.base_type()), 1)))
        .cast(kind)
        .alias(column)
        for column, kind in schema.items()
    )


def write_site(folder: Path) -> dict[str, int]:
    """Writes the pages anew; how many there are, and the bytes of the largest."""
    written = folder / WRITTEN
    written.mkdir()
    os.link(folder / FILE_NAME, written / FILE_NAME)
    pages = tuple(replace(one, members=one.members.replace("share >= 0.001", "share > 0")) for one in CATALOGUE.pages)
    write_pages(written, replace(CATALOGUE, pages=pages))
    sizes = [path.stat().st_size for path in (written / SITE).glob("[!v]*/*.html")]
    return {"pages": len(sizes), "largest_page_bytes": max(sizes)}


STAGES = (Stage("site", "a site of 5,000 pages", make_warehouse, write_site, at_most_seconds=60),)
