"""What machines and people read about the files: Frictionless and Croissant metadata, and the card of the dataset.

Formats: https://datapackage.org/standard/data-package/ and https://docs.mlcommons.org/croissant/docs/croissant-spec.html.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from pipeline.digest import digest_of
from pipeline.publish.column_types import type_names
from pipeline.publish.dictionary import TEMPLATES, dictionary_page
from pipeline.publish.export import ExportedTable, LakeMonths
from pipeline.publish.relations import column_comments, references_of, table_comment
from pipeline.schema.declaration import Column
from pipeline.synthetic import label
from pipeline.version import SCHEMA_VERSION

NAME = "open-model-census"
TITLE = "Open Model Census"
ABOUT = "Who makes the open AI models that the world downloads, month by month: shares of downloads with denominators."
LICENSE = "Apache-2.0"
LICENSE_URL = "https://www.apache.org/licenses/LICENSE-2.0"
LARGEST_REFERENCED = 100_000
"""References are stated for validators only between tables of at most so many rows."""
PARQUET = "application/vnd.apache.parquet"
SHOWN_FIRST = "headline_country"
"""The table that a reader of the dataset sees first."""


@dataclass(frozen=True)
class Described:
    """A version in the folder `path`: its tables with the digests of their files, and what the whole is, in words."""

    path: Path
    months: LakeMonths
    tables: Sequence[ExportedTable]
    csv: Mapping[str, Path]
    digests: Mapping[Path, str]
    about: str

    def relative(self, path: Path) -> str:
        """A file's path within the version."""
        return path.relative_to(self.path).as_posix()

    @property
    def published_at(self) -> str:
        """When the version is made (ISO 8601, UTC)."""
        return self.months.edition.published_at.isoformat()


def write_metadata(path: Path, months: LakeMonths, tables: Sequence[ExportedTable], csv: Mapping[str, Path]) -> None:
    """Writes `datapackage.json`, `croissant.json`, the dictionary and the card `parquet/README.md` of a version."""
    of_months = months.published("dim_month").collect()
    is_synthetic = bool(of_months["is_synthetic"].any())
    about = (
        f"{label(is_synthetic=is_synthetic)}{ABOUT} Months {months.months[0]:%Y-%m} to {months.months[-1]:%Y-%m}, "
        f"from {', '.join(of_months['source'].unique().sort())}."
    )
    paths = [*csv.values(), *(file for exported in tables for file in exported.files)]
    described = Described(path, months, tables, csv, {file: digest_of(file) for file in paths}, about)
    written = {
        "datapackage.json": json.dumps(_data_package(described), indent=1, ensure_ascii=False),
        "croissant.json": json.dumps(_croissant(described), indent=1, ensure_ascii=False),
        "parquet/README.md": TEMPLATES.get_template("card.md").render(
            title=TITLE,
            about=about,
            is_synthetic=is_synthetic,
            edition=months.edition,
            schema_version=SCHEMA_VERSION,
            shown_first=SHOWN_FIRST,
            tables=tables,
        ),
        "data_dictionary.html": dictionary_page(months.catalogue, about),
    }
    for name, text in written.items():
        (path / name).write_text(text, encoding="utf-8")


def _data_package(described: Described) -> dict[str, Any]:
    return {
        "$schema": "https://datapackage.org/profiles/2.0/datapackage.json",
        "name": NAME,
        "title": TITLE,
        "description": described.about,
        "version": f"{SCHEMA_VERSION}.{described.months.edition.version}",
        "created": described.published_at,
        "licenses": [{"name": LICENSE, "path": LICENSE_URL}],
        "resources": [resource for exported in described.tables for resource in _resources(described, exported)],
    }


def _resources(described: Described, exported: ExportedTable) -> Iterator[dict[str, Any]]:
    made = exported.made
    name = _resource_name(made.name)
    if path := described.csv.get(made.name):
        yield {
            "name": name,
            "type": "table",
            **_file(described, path, table_comment(made), "csv", "text/csv"),
            "encoding": "utf-8",
            "schema": _table_schema(described, exported),
        }
    for file in exported.files:
        facts = _file(described, file, f"{made.name} as Parquet.", "parquet", PARQUET)
        yield {"name": f"{name}-parquet-{file.stem}", "type": "file", **facts}


def _file(described: Described, path: Path, description: str, form: str, media_type: str) -> dict[str, Any]:
    return {
        "path": described.relative(path),
        "description": description,
        "format": form,
        "mediatype": media_type,
        "bytes": path.stat().st_size,
        "hash": f"sha256:{described.digests[path]}",
    }


def _resource_name(table: str) -> str:
    return table.strip("_").replace("_", "-")


def _table_schema(described: Described, exported: ExportedTable) -> dict[str, Any]:
    made = exported.made
    rows = {other.made.name: other.rows for other in described.tables}
    references = [
        {
            "fields": [column for column, _ in reference.on],
            "reference": {
                "resource": _resource_name(reference.target.name),
                "fields": [target for _, target in reference.on],
            },
        }
        for reference in references_of(made, described.months.catalogue.published)
        if reference.dimension is None
        and max(rows[made.name], rows[reference.target.name]) <= LARGEST_REFERENCED
        and reference.target.name in described.csv
    ]
    schema: dict[str, Any] = {"fields": [_field(column) for column in made.table.columns]}
    if made.has_primary_key:
        schema["primaryKey"] = list(made.key)
    if references:
        schema["foreignKeys"] = references
    return schema


def _field(column: Column) -> dict[str, Any]:
    kind = type_names(column).frictionless
    field: dict[str, Any] = {"name": column.name, "description": column.meaning, "type": kind}
    if kind == "datetime":
        field["format"] = "%Y-%m-%dT%H:%M:%S.%fZ"
    if not column.nullable:
        field["constraints"] = {"required": True}
    if column.unit is not None:
        field["unit"] = column.unit
    return field


def _croissant(described: Described) -> dict[str, Any]:
    return {
        "@context": json.loads(files("pipeline.publish").joinpath("croissant_context.json").read_bytes()),
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": NAME,
        "description": described.about,
        "url": "https://huggingface.co/datasets",
        "license": LICENSE_URL,
        "version": "1.0.0",
        "datePublished": described.published_at,
        "citeAs": f"{TITLE}, version {described.months.edition.version}",
        "distribution": [_distribution(described, exported) for exported in described.tables],
        "recordSet": [_record_set(described, exported) for exported in described.tables],
    }


def _distribution(described: Described, exported: ExportedTable) -> dict[str, Any]:
    kind, name = _source(exported)
    shared = {"@id": name, "name": name, "encodingFormat": PARQUET}
    if kind == "fileSet":
        return shared | {
            "@type": "cr:FileSet",
            "description": f"{exported.made.name}, one file per month.",
            "includes": f"parquet/{exported.made.name}/*.parquet",
        }
    [file] = exported.files
    return shared | {
        "@type": "cr:FileObject",
        "contentUrl": described.relative(file),
        "contentSize": f"{file.stat().st_size} B",
        "sha256": described.digests[file],
    }


def _source(exported: ExportedTable) -> tuple[str, str]:
    """Whether the table is one file or a set of them, and the name of that."""
    if len(exported.files) == 1:
        return "fileObject", f"{exported.made.name}.parquet"
    return "fileSet", f"{exported.made.name}-files"


def _record_set(described: Described, exported: ExportedTable) -> dict[str, Any]:
    made = exported.made
    kind, source = _source(exported)
    comments = column_comments(made, described.months.catalogue.published)
    return {
        "@type": "cr:RecordSet",
        "@id": made.name,
        "name": made.name,
        "description": table_comment(made),
        "key": [{"@id": f"{made.name}/{name}"} for name in made.key],
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{made.name}/{column.name}",
                "name": f"{made.name}/{column.name}",
                "description": comments[column.name],
                "dataType": type_names(column).croissant,
                "source": {kind: {"@id": source}, "extract": {"column": column.name}},
            }
            for column in made.table.columns
        ],
    }
