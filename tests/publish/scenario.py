"""A lake of a few small tables, made and finished month by month, and publications of it."""

from dataclasses import replace
from datetime import date

import duckdb
import polars as pl

from assets.attribution.model_attribution import MODEL_ATTRIBUTION
from assets.attribution.organizations import ORGANIZATIONS
from assets.listings.hub_snapshots import HUB_SNAPSHOTS
from assets.listings.model_downloads import MODEL_DOWNLOADS
from assets.listings.opening_counters import OPENING_COUNTERS
from pipeline.lake.provenance import Provenance
from pipeline.publish.folder import PublishedFolder
from pipeline.publish.manifest import MONTH_MANIFEST, finished_months, manifest_of
from pipeline.publish.verify import lake_digests, write_digests
from pipeline.schema.catalogue import Catalogue

JUNE, JULY, AUGUST = date(2025, 6, 1), date(2025, 7, 1), date(2025, 8, 1)
TABLES = (HUB_SNAPSHOTS, OPENING_COUNTERS, MODEL_DOWNLOADS, MODEL_ATTRIBUTION)
CATALOGUE = Catalogue({table.path: table for table in (*TABLES, ORGANIZATIONS, MONTH_MANIFEST)})
MADE_FROM = {MODEL_DOWNLOADS: (HUB_SNAPSHOTS, OPENING_COUNTERS), MODEL_ATTRIBUTION: (HUB_SNAPSHOTS,)}


def write(lake, table, month, *, revision="r1", source="s", made_by=None):
    """One row of the table, with the provenance that a step would state."""
    row = dict.fromkeys(table.schema) | {"month": month, "hub_id": "m", "source": source, "source_revision": revision}
    rows = [{name: value for name, value in row.items() if name in table.schema}]
    inputs = {upstream.path: lake.digest(upstream, month) for upstream in MADE_FROM.get(table, ())}
    known = Provenance(inputs, made_by=made_by or {})
    if table is HUB_SNAPSHOTS:
        known = replace(known, source=source, source_revision=revision, observed_at=f"{month}T00:00:00+00:00")
    behind = filter(None, (lake.provenance(upstream, month) for upstream in MADE_FROM.get(table, ())))
    lake.write(table, month, pl.LazyFrame(rows, schema=table.schema), known.after(behind))


def make_month(lake, month, *, opened_by="r0", closed_by="r1", source="s", registry="a"):
    """Every table of the month, and its manifest."""
    write(lake, HUB_SNAPSHOTS, month, revision=closed_by, source=source)
    write(lake, OPENING_COUNTERS, month, revision=opened_by, source=source)
    write(lake, MODEL_DOWNLOADS, month)
    write(lake, MODEL_ATTRIBUTION, month, made_by={"registry": registry})
    finish(lake, month)


def finish(lake, month):
    """The month's manifest, as its tables are now."""
    lake.write(MONTH_MANIFEST, month, manifest_of(lake, CATALOGUE, month), Provenance())


def write_registry(lake, registry):
    """The registry as it is read now."""
    rows = ORGANIZATIONS.schema.to_frame()
    lake.write(ORGANIZATIONS, None, rows, Provenance(made_by={"registry": registry}))


def publish(lake, folder):
    """A version of a few files, with the digests of the months that it is made from."""
    with PublishedFolder(folder).new_version() as (_, draft):
        (draft / "parquet").mkdir()
        (draft / "parquet" / "mart.parquet").write_bytes(b"a mart")
        (draft / "report.html").write_text("a report")
        write_digests(draft, lake_digests(lake, CATALOGUE, finished_months(lake, CATALOGUE).publishable))


def change_one_byte(path, place=0.5):
    """Turns one bit of the file."""
    content = bytearray(path.read_bytes())
    content[int((len(content) - 1) * place)] ^= 1
    path.write_bytes(bytes(content))


def warehouse(folder, shares, *, months=(AUGUST,), months_in_period=12):
    """A warehouse in which the trailing year to the last of the months has these shares by country."""
    columns = "month date, months_in_period integer, is_complete bool, population text, country_name text, share double"
    with duckdb.connect(folder / "census.duckdb") as made:
        made.sql("create table dim_month (month date)")
        made.sql(f"create table headline_country ({columns})")
        for month in months:
            made.execute("insert into dim_month values (?)", [month])
        for name, share in shares.items():
            row = [months[-1], months_in_period, name, share]
            made.execute("insert into headline_country values (?, ?, true, 'new', ?, ?)", row)
    return folder
