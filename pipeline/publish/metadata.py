"""What people and machines read about the published tables: pages, the card of the dataset, its metadata.

Formats: https://datapackage.org/standard/data-package/ and https://docs.mlcommons.org/croissant/docs/croissant-spec.html.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from pipeline.checks.declared import declared_checks
from pipeline.digest import digest_of
from pipeline.errors import CensusError
from pipeline.publish.export import ExportedTable, LakeMonths
from pipeline.publish.sql import column_comments, references_of, refers_to, table_comment, type_names, views_of
from pipeline.schema.declaration import Column
from pipeline.schema.published import PublishedTable
from pipeline.synthetic import label
from pipeline.version import SCHEMA_VERSION

NAME, TITLE = "open-model-census", "Open Model Census"
ABOUT = "Who makes the open AI models that the world downloads, month by month: shares of downloads with denominators."
LICENSE, LICENSE_URL = "Apache-2.0", "https://www.apache.org/licenses/LICENSE-2.0"
LARGEST_REFERENCED = 100_000
"""References are stated for validators only between tables of at most so many rows."""
PARQUET = "application/vnd.apache.parquet"
SHOWN_FIRST = "headline_country"
"""The table that a reader of the dataset sees first."""
SHAPE = "<!-- Below: the shape of the tables and views, written by `make docs`. -->"


def _code(text: str) -> Markup:
    """The text with what stands between backticks as code."""
    return Markup(re.sub("`([^`]*)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped before


TEMPLATES = Environment(
    loader=PackageLoader("pipeline.publish"),
    autoescape=select_autoescape(),
    undefined=StrictUndefined,
    trim_blocks=True,
    keep_trailing_newline=True,
)
TEMPLATES.filters |= {"code": _code, "cell": lambda text: text.replace("|", "\\|").replace("\n", " ")}
TEMPLATES.globals |= {"type_names": type_names, "version": SCHEMA_VERSION}


def pages(published: Mapping[str, PublishedTable]) -> dict[str, str]:
    """The text of each table's page and of their index, by file name."""
    index = TEMPLATES.get_template("tables.md").render(published=published.values())
    template = TEMPLATES.get_template("table.md")
    return {"README.md": index} | {f"{made.name}.md": template.render(made=made) for made in published.values()}


def schema_page(page_before: str, published: Mapping[str, PublishedTable]) -> str:
    """The changelog of the published schema with the shape that its latest version has now.

    A version whose section is marked `(in preparation)` may still change its shape.

    Raises:
        CensusError: the shape is another than the page states under the same version, or the changelog's latest section
            is of another version.
    """
    changelog, _, before = page_before.partition(SHAPE)
    latest = re.search(r"^## (\S+)(?: (\(in preparation\)))?$", changelog, re.MULTILINE)
    if latest is None or latest[1] != SCHEMA_VERSION:
        raise CensusError(f"docs/published-schema.md has no section {SCHEMA_VERSION} at its top: say what changed")
    template = TEMPLATES.get_template("shape.md")
    shape = template.render(version=SCHEMA_VERSION, published=published.values(), views=views_of(published))
    if before.strip() not in ("", shape.strip()) and f"Version {SCHEMA_VERSION}." in before and not latest[2]:
        raise CensusError(
            f"the published tables have another shape than docs/published-schema.md states for version "
            f"{SCHEMA_VERSION}: raise SCHEMA_VERSION in pipeline/version.py and say in the page what changed"
        )
    return f"{changelog}{SHAPE}\n\n{shape}"


def write_metadata(path: Path, months: LakeMonths, tables: Sequence[ExportedTable], csv: Mapping[str, Path]) -> None:
    """Writes `datapackage.json`, `croissant.json`, the dictionary and the card `parquet/README.md` of a version."""
    of_months = months.published("dim_month").collect()
    is_synthetic = bool(of_months["is_synthetic"].any())
    about = (
        f"{label(is_synthetic=is_synthetic)}{ABOUT} Months {months.months[0]:%Y-%m} to {months.months[-1]:%Y-%m}, "
        f"from {', '.join(of_months['source'].unique().sort())}."
    )
    described, published = _Version(path, months, tables, csv, about), months.catalogue.published
    card = TEMPLATES.get_template("card.md").render(
        title=TITLE,
        about=about,
        is_synthetic=is_synthetic,
        edition=months.edition,
        shown_first=SHOWN_FIRST,
        tables=tables,
    )
    dictionary = TEMPLATES.get_template("dictionary.html").render(
        about=about,
        published=published,
        refers_to=lambda made: refers_to(made, published),
        checks={table.name: declared_checks(table) for table in months.catalogue.tables.values()},
    )
    for name, metadata in (("datapackage", described.data_package()), ("croissant", described.croissant())):
        (path / f"{name}.json").write_text(json.dumps(metadata, indent=1, ensure_ascii=False), encoding="utf-8")
    for name, text in (("parquet/README.md", card), ("data_dictionary.html", dictionary)):
        (path / name).write_text(text, encoding="utf-8")


@dataclass(frozen=True)
class _Version:
    """A version in the folder `path`: its tables as Parquet and as CSV, and what the whole is, in words."""

    path: Path
    months: LakeMonths
    tables: Sequence[ExportedTable]
    csv: Mapping[str, Path]
    about: str

    @cached_property
    def digests(self) -> dict[Path, str]:
        """SHA-256 of each file."""
        parquet = (file for exported in self.tables for file in exported.files)
        return {file: digest_of(file) for file in (*self.csv.values(), *parquet)}

    def data_package(self) -> dict[str, Any]:
        """In the words of Frictionless."""
        edition = self.months.edition
        return {
            "$schema": "https://datapackage.org/profiles/2.0/datapackage.json",
            "name": NAME,
            "title": TITLE,
            "description": self.about,
            "version": f"{SCHEMA_VERSION}.{edition.version}",
            "created": edition.published_at.isoformat(),
            "licenses": [{"name": LICENSE, "path": LICENSE_URL}],
            "resources": [resource for exported in self.tables for resource in self._resources(exported)],
        }

    def _resources(self, exported: ExportedTable) -> Iterator[dict[str, Any]]:
        made, name = exported.made, _resource_name(exported.made)
        if path := self.csv.get(made.name):
            facts = self._file(path, table_comment(made), "csv", "text/csv")
            schema = self._table_schema(exported)
            yield {"name": name, "type": "table", **facts, "encoding": "utf-8", "schema": schema}
        for file in exported.files:
            facts = self._file(file, f"{made.name} as Parquet.", "parquet", PARQUET)
            yield {"name": f"{name}-parquet-{file.stem}", "type": "file", **facts}

    def _file(self, path: Path, description: str, form: str, media_type: str) -> dict[str, Any]:
        return {
            "path": path.relative_to(self.path).as_posix(),
            "description": description,
            "format": form,
            "mediatype": media_type,
            "bytes": path.stat().st_size,
            "hash": f"sha256:{self.digests[path]}",
        }

    def _table_schema(self, exported: ExportedTable) -> dict[str, Any]:
        made, rows = exported.made, {other.made.name: other.rows for other in self.tables}
        references = [
            {
                "fields": [column for column, _ in reference.on],
                "reference": {
                    "resource": _resource_name(reference.target),
                    "fields": [target for _, target in reference.on],
                },
            }
            for reference in references_of(made, self.months.catalogue.published)
            if reference.dimension is None
            and max(rows[made.name], rows[reference.target.name]) <= LARGEST_REFERENCED
            and reference.target.name in self.csv
        ]
        return {
            "fields": [_field(column) for column in made.table.columns],
            **({"primaryKey": list(made.key)} if made.has_primary_key else {}),
            **({"foreignKeys": references} if references else {}),
        }

    def croissant(self) -> dict[str, Any]:
        """In the words of Croissant."""
        edition = self.months.edition
        described = [self._distribution_and_records(exported) for exported in self.tables]
        return {
            "@context": json.loads(files("pipeline.publish").joinpath("croissant_context.json").read_bytes()),
            "@type": "sc:Dataset",
            "conformsTo": "http://mlcommons.org/croissant/1.0",
            "name": NAME,
            "description": self.about,
            "url": "https://huggingface.co/datasets",
            "license": LICENSE_URL,
            "version": "1.0.0",
            "datePublished": edition.published_at.isoformat(),
            "citeAs": f"{TITLE}, version {edition.version}",
            "distribution": [distribution for distribution, _ in described],
            "recordSet": [records for _, records in described],
        }

    def _distribution_and_records(self, exported: ExportedTable) -> tuple[dict[str, Any], dict[str, Any]]:
        """Where the table's rows are, in one file or a set of them, and what its columns are."""
        made, file = exported.made, exported.files[0]
        comments = column_comments(made, self.months.catalogue.published)
        if len(exported.files) == 1:
            kind, source = "fileObject", f"{made.name}.parquet"
            facts = {
                "@type": "cr:FileObject",
                "contentUrl": file.relative_to(self.path).as_posix(),
                "contentSize": f"{file.stat().st_size} B",
                "sha256": self.digests[file],
            }
        else:
            kind, source = "fileSet", f"{made.name}-files"
            facts = {
                "@type": "cr:FileSet",
                "description": f"{made.name}, one file per month.",
                "includes": f"parquet/{made.name}/*.parquet",
            }
        return {"@id": source, "name": source, "encodingFormat": PARQUET, **facts}, {
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


def _resource_name(made: PublishedTable) -> str:
    return made.name.strip("_").replace("_", "-")


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
