"""What machines and people read about the files: Frictionless and Croissant metadata, and the card of the dataset.

Formats: https://datapackage.org/standard/data-package/ and https://docs.mlcommons.org/croissant/docs/croissant-spec.html.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.publish.dictionary_page import dictionary_page
from pipeline.publish.export import ExportedTable
from pipeline.publish.folder import Draft
from pipeline.publish.relations import key_of, reference_of
from pipeline.publish.warehouse import column_comment, table_comment
from pipeline.schema.catalogue import Catalogue
from pipeline.schema.declaration import DECIMAL, Column, Table
from pipeline.tables.published import CENSUS, DIM_MODEL, DIM_MONTH, SCHEMA_VERSION

NAME = "open-model-census"
TITLE = "Open Model Census"
ABOUT = "Who makes the open AI models that the world downloads, month by month: shares of downloads with denominators."
LICENSE = "Apache-2.0"
LICENSE_URL = "https://www.apache.org/licenses/LICENSE-2.0"
SYNTHETIC = "SYNTHETIC SAMPLE: months of source `sample` are invented and measure nothing."
LARGEST_REFERENCED = 100_000
"""References are stated for validators only between tables of at most so many rows."""


@dataclass(frozen=True)
class Provenance:
    """What the publication is made of, for those who read nothing else."""

    version: str
    published_at: str
    first_month: date
    last_month: date
    sources: list[str]
    is_synthetic: bool

    @property
    def description(self) -> str:
        """What the dataset is, which months it covers and from where."""
        label = f"{SYNTHETIC} " if self.is_synthetic else ""
        months = f"Months {self.first_month:%Y-%m} to {self.last_month:%Y-%m}, from {', '.join(self.sources)}."
        return f"{label}{ABOUT} {months}"


def write_metadata(
    draft: Draft, tables: Sequence[ExportedTable], csv: Mapping[str, Path], catalogue: Catalogue
) -> None:
    """Writes `datapackage.json`, `croissant.json`, the dictionary and the card `parquet/README.md` of `draft`."""
    provenance = _provenance(draft, tables)
    digests = {path: _sha256(path) for exported in tables for path in exported.files}
    package = _data_package(draft, tables, csv, provenance, digests)
    (draft.path / "datapackage.json").write_text(json.dumps(package, indent=1, ensure_ascii=False))
    croissant = _croissant(draft, tables, provenance, digests)
    (draft.path / "croissant.json").write_text(json.dumps(croissant, indent=1, ensure_ascii=False))
    (draft.path / "parquet" / "README.md").write_text(_card(tables, provenance))
    page = dictionary_page([exported.table for exported in tables], provenance.description, catalogue)
    (draft.path / "data_dictionary.html").write_text(page)


def _provenance(draft: Draft, tables: Sequence[ExportedTable]) -> Provenance:
    files = {exported.table.name: exported.files for exported in tables}
    census = pl.read_parquet(files[CENSUS.name])
    months = pl.read_parquet(files[DIM_MONTH.name])
    return Provenance(
        draft.version,
        census["published_at"].max().isoformat(),  # type: ignore[union-attr]
        months["month"].min(),  # type: ignore[arg-type]
        months["month"].max(),  # type: ignore[arg-type]
        months["source"].unique().sort().to_list(),
        bool(months["is_synthetic"].any()),
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


FRICTIONLESS_TYPES = {
    pl.String: "string",
    pl.Int32: "integer",
    pl.Int64: "integer",
    pl.Float64: "number",
    DECIMAL: "number",
    pl.Boolean: "boolean",
    pl.Date: "date",
}


def _data_package(
    draft: Draft,
    tables: Sequence[ExportedTable],
    csv: Mapping[str, Path],
    provenance: Provenance,
    digests: Mapping[Path, str],
) -> dict[str, Any]:
    rows = {exported.table.name: exported.rows for exported in tables}
    resources: list[dict[str, Any]] = []
    for exported in tables:
        table = exported.table
        if table.name in csv:
            path = csv[table.name]
            resources.append(
                {
                    "name": table.name.strip("_").replace("_", "-"),
                    "type": "table",
                    "path": _relative(draft, path),
                    "description": table_comment(table),
                    "format": "csv",
                    "mediatype": "text/csv",
                    "encoding": "utf-8",
                    "bytes": path.stat().st_size,
                    "hash": f"sha256:{_sha256(path)}",
                    "schema": _table_schema(table, rows, csv),
                }
            )
        resources += [
            {
                "name": f"{table.name.strip('_').replace('_', '-')}-parquet-{file.stem}",
                "type": "file",
                "path": _relative(draft, file),
                "description": f"{table.name} as Parquet.",
                "format": "parquet",
                "mediatype": "application/vnd.apache.parquet",
                "bytes": file.stat().st_size,
                "hash": f"sha256:{digests[file]}",
            }
            for file in exported.files
        ]
    return {
        "$schema": "https://datapackage.org/profiles/2.0/datapackage.json",
        "name": NAME,
        "title": TITLE,
        "description": provenance.description,
        "version": f"{SCHEMA_VERSION}.{provenance.version}",
        "created": provenance.published_at,
        "licenses": [{"name": LICENSE, "path": LICENSE_URL}],
        "resources": resources,
    }


def _table_schema(table: Table, rows: Mapping[str, int], csv: Mapping[str, Path]) -> dict[str, Any]:
    references = [
        {
            "fields": [column.name],
            "reference": {"resource": target[0].name.replace("_", "-"), "fields": [target[1]]},
        }
        for column in table.columns
        if (target := reference_of(table, column.name)) is not None
        and target[0].name in csv
        and target[0] is not DIM_MODEL
        and rows[table.name] <= LARGEST_REFERENCED
    ]
    key = [name for name in key_of(table) if not table.column(name).nullable]
    schema: dict[str, Any] = {"fields": [_field(column) for column in table.columns]}
    if len(key) == len(key_of(table)):
        schema["primaryKey"] = key
    if references:
        schema["foreignKeys"] = references
    return schema


def _field(column: Column) -> dict[str, Any]:
    field: dict[str, Any] = {"name": column.name, "description": column.meaning}
    if isinstance(column.type, pl.Datetime):
        field |= {"type": "datetime", "format": "%Y-%m-%dT%H:%M:%S.%fZ"}
    else:
        field["type"] = next(name for dtype, name in FRICTIONLESS_TYPES.items() if column.type == dtype)
    if not column.nullable:
        field["constraints"] = {"required": True}
    if column.unit is not None:
        field["unit"] = column.unit
    return field


CROISSANT_TYPES = {
    pl.String: "sc:Text",
    pl.Int32: "cr:Int32",
    pl.Int64: "cr:Int64",
    pl.Float64: "cr:Float64",
    DECIMAL: "sc:Float",
    pl.Boolean: "sc:Boolean",
    pl.Date: "sc:Date",
}


def _croissant(
    draft: Draft, tables: Sequence[ExportedTable], provenance: Provenance, digests: Mapping[Path, str]
) -> dict[str, Any]:
    distribution: list[dict[str, Any]] = []
    records: list[dict[str, Any]] = []
    for exported in tables:
        table = exported.table
        if len(exported.files) == 1:
            [file] = exported.files
            source = f"{table.name}.parquet"
            distribution.append(_file_object(draft, source, file, digests[file]))
        else:
            source = f"{table.name}-files"
            distribution.append(
                {
                    "@type": "cr:FileSet",
                    "@id": source,
                    "name": source,
                    "description": f"{table.name}, one file per month.",
                    "encodingFormat": "application/vnd.apache.parquet",
                    "includes": f"parquet/{table.name}/*.parquet",
                }
            )
        records.append(_record_set(table, source, is_set=len(exported.files) > 1))
    return {
        "@context": CROISSANT_CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": NAME,
        "description": provenance.description,
        "url": "https://huggingface.co/datasets",
        "license": LICENSE_URL,
        "version": "1.0.0",
        "datePublished": provenance.published_at,
        "citeAs": f"{TITLE}, version {provenance.version}",
        "distribution": distribution,
        "recordSet": records,
    }


def _file_object(draft: Draft, name: str, path: Path, digest: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": _relative(draft, path),
        "contentSize": f"{path.stat().st_size} B",
        "encodingFormat": "application/vnd.apache.parquet",
        "sha256": digest,
    }


def _record_set(table: Table, source: str, *, is_set: bool) -> dict[str, Any]:
    kind = "fileSet" if is_set else "fileObject"
    return {
        "@type": "cr:RecordSet",
        "@id": table.name,
        "name": table.name,
        "description": table_comment(table),
        "key": [{"@id": f"{table.name}/{name}"} for name in key_of(table)],
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{table.name}/{column.name}",
                "name": f"{table.name}/{column.name}",
                "description": column_comment(table, column),
                "dataType": "sc:DateTime"
                if isinstance(column.type, pl.Datetime)
                else next(name for dtype, name in CROISSANT_TYPES.items() if column.type == dtype),
                "source": {kind: {"@id": source}, "extract": {"column": column.name}},
            }
            for column in table.columns
        ],
    }


def _card(tables: Sequence[ExportedTable], provenance: Provenance) -> str:
    configs = "\n".join(
        f"- config_name: {exported.table.name.strip('_')}\n  data_files: {exported.table.name}/*.parquet"
        + ("\n  default: true" if exported.table.name == "country_shares" else "")
        for exported in tables
    )
    rows = "\n".join(f"| `{exported.table.name}` | {exported.table.grain} | {exported.rows:,} |" for exported in tables)
    synthetic = "\n- synthetic" if provenance.is_synthetic else ""
    return f"""---
pretty_name: {TITLE}
license: apache-2.0
tags:
- model-downloads
- statistics{synthetic}
configs:
{configs}
---

# {TITLE}

{provenance.description}

Version {provenance.version}, schema {SCHEMA_VERSION}, published {provenance.published_at}.

Every share names its window, population, attribution and denominator, and carries bounds and coverage. Shares are not
additive: add `downloads` and `denominator`, divide last. The tables `data_dictionary` and `data_checks` say what every
column means and what was checked; `_census` names the source and revision of every month.

| table | one row per | rows |
|---|---|---|
{rows}
"""


def _relative(draft: Draft, path: Path) -> str:
    return path.relative_to(draft.path).as_posix()


CROISSANT_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The vocabulary of Croissant 1.0, as its specification gives it."""
