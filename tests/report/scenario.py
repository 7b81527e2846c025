"""Small publications: the published tables that figures read, with only what matters to a test given."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from html.parser import HTMLParser

import duckdb
import polars as pl

from assets.published.headline import headline_by
from pipeline.definitions import CATALOGUE
from pipeline.months import add_months
from pipeline.publish.warehouse import FILE_NAME
from pipeline.schema.declaration import conform

PERIODS = ("month", "trailing_12_months", "year_to_date", "cumulative")
COUNTRIES = {"CN": "China", "US": "United States", "unmapped": "Unmapped (organisations not in the registry)"}
DEFAULTS = {
    pl.String: "text",
    pl.Int32: 1,
    pl.Int64: 1,
    pl.Float64: 0.5,
    pl.Boolean: True,
    pl.Date: date(2025, 8, 1),
}


@dataclass(frozen=True)
class Month:
    """A published month: what it was measured from, and each member's downloads of new models."""

    month: date
    downloads: dict[str, int]
    source: str = "folder"
    basis: str = "all_time_delta"
    quality: str = "exact"
    is_synthetic: bool = False
    incidents: str | None = None


def rows_of(name, *given):
    """Rows of a published table of which only what matters is given."""
    table = CATALOGUE.published[name].table

    def value(column):
        if isinstance(column.type, pl.Datetime):
            return datetime(2025, 9, 1, tzinfo=UTC)
        return 0.5 if isinstance(column.type, pl.Decimal) else DEFAULTS[column.type]

    filled = [{column.name: value(column) for column in table.columns} | row for row in given]
    return name, pl.DataFrame(filled, schema=table.schema)


def write(folder, tables):
    """A warehouse in the folder that holds these tables, and those that no test gives rows of empty."""
    given = dict(tables)
    if "country_shares" in given:
        headline = headline_by("country", given["country_shares"].lazy())
        given["headline_country"] = conform(headline, CATALOGUE.published["headline_country"].table).collect()
    with duckdb.connect(str(folder / FILE_NAME)) as warehouse:
        for name, published in CATALOGUE.published.items():
            frame = given.get(name, published.table.schema.to_frame())
            warehouse.register("given", frame.to_arrow())
            warehouse.sql(f'create or replace table "{name}" as select * from given')
    return folder


def months_promised(period, last, published):
    """The months that a period's name stands for, counted back one by one."""
    first = {
        "month": last,
        "trailing_12_months": add_months(last, -11),
        "year_to_date": date(last.year, 1, 1),
        "cumulative": min(published, default=last),
    }[period]
    found = [last]
    while found[0] > first:
        found.insert(0, add_months(found[0], -1))
    return found


def dimensions(months):
    """What every publication has of its months: `dim_month`, `dim_country` and `_census`."""
    return [
        rows_of(
            "dim_month",
            *(
                {"month": month.month, "source": month.source, "source_revision": f"revision-{month.month}"}
                | {"basis": month.basis, "quality": month.quality, "is_synthetic": month.is_synthetic}
                | {"incidents": month.incidents, "downloads": sum(month.downloads.values()), "coverage": 0.9}
                for month in months
            ),
        ),
        rows_of(
            "dim_country",
            *(
                {"country": code, "country_name": name, "is_country": len(code) == 2}
                for code, name in COUNTRIES.items()
            ),
        ),
        rows_of("_census", *({"month": month.month} for month in months)),
    ]


def country_shares(months, population="new"):
    """The shares by country over every period that ends with a published month, by uploader and by origin."""
    by_month = {month.month: month for month in months}
    rows = []
    for last in by_month:
        for period in PERIODS:
            promised = months_promised(period, last, by_month)
            held = [by_month[month] for month in promised if month in by_month]
            rows += _period(period, last, held, is_complete=len(held) == len(promised), population=population)
    return rows_of("country_shares", *rows)


def _period(period, last, held, *, is_complete, population):
    totals = {code: sum(month.downloads.get(code, 0) for month in held) for code in COUNTRIES}
    whole = sum(totals.values())
    bases = {month.basis for month in held}
    for attribution in ("uploader", "origin"):
        for code, downloads in totals.items():
            share = downloads / whole if whole else 0.0
            unmapped = totals["unmapped"] / whole if whole else 0.0
            yield (
                {"month": last, "period": period, "months_in_period": len(held), "is_complete": is_complete}
                | {"population": population, "attribution": attribution, "dimension": "country", "member": code}
                | {"downloads": downloads, "denominator": whole, "share": share, "share_low": share}
                | {"share_high": share + unmapped * (code != "unmapped"), "coverage": 1 - unmapped if whole else 0.0}
                | {"basis": bases.pop() if len(bases) == 1 else "mixed"}
            )
            bases = {month.basis for month in held}


def models(months):
    """One model a country and month, with all its downloads, of an organisation and a family named after it."""
    rows = [
        {"month": month.month, "hub_id": f"id-{code}", "organization": f"Makers of {code}", "country": code}
        | {"boundary": "bridged_freeze"}
        | {"family": f"{code}/base", "method": "registry", "downloads": downloads, "downloads_new": downloads}
        for month in months
        for code, downloads in month.downloads.items()
    ]
    by_root = [row | {f"root_{name}": row[name] for name in ("organization", "country")} for row in rows]
    ids = sorted({row["hub_id"] for row in rows})
    _, shares = country_shares(months)
    organizations = shares.with_columns(
        pl.col("member").alias("country"),
        pl.format("Makers of {}", pl.col("member")).alias("member"),
        pl.lit("organization").alias("dimension"),
    )
    schema = CATALOGUE.published["organization_shares"].table.schema
    return [
        rows_of("model_month", *rows),
        rows_of("model_origin_month", *by_root),
        rows_of("dim_model", *({"hub_id": one, "model_id": f"{one}/model"} for one in ids)),
        ("organization_shares", organizations.select(pl.col(n).cast(t) for n, t in schema.items())),
    ]


def publication(folder, months):
    """A publication of these months with their shares by country and organisation, and the models behind them."""
    return write(folder, [*dimensions(months), country_shares(months), *models(months)])


class Page(HTMLParser):
    """A page's elements with their attributes, its text, and its tables as lists of cells, as a browser has them."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.texts, self.tables, self.ids = [], [], [], set()
        self.cell = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.elements.append((tag, found))
        self.ids.add(found.get("id"))
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.cell = ""

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.tables[-1][-1].append(self.cell.strip())
            self.cell = None

    def handle_data(self, data):
        self.texts.append(data)
        if self.cell is not None:
            self.cell += data
