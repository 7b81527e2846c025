"""What people and machines read about the published tables: pages, the card of the dataset, its metadata.

Formats: https://datapackage.org/standard/data-package/ and https://docs.mlcommons.org/croissant/docs/croissant-spec.html.
"""

import json
import re
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from pipeline.checks.declared import declared_checks
from pipeline.digest import digest_of
from pipeline.errors import CensusError
from pipeline.publish.export import ExportedTable, LakeMonths
from pipeline.publish.sql import column_comments, references_of, refers_to, table_comment, type_names, views_of
from pipeline.schema.published import PublishedTable
from pipeline.synthetic import label
from pipeline.version import SCHEMA_VERSION

ABOUT = "Who makes the open AI models that the world downloads, month by month: shares of downloads with denominators."
SHAPE = "<!-- Below: the shape of the tables and views, written by `make docs`. -->"
OF_A_VERSION = {
    "datapackage.json": "datapackage.json",
    "croissant.json": "croissant.json",
    "parquet/README.md": "card.md",
    "data_dictionary.html": "dictionary.html",
}
"""What describes a version, by its path there: the templates."""


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
TEMPLATES.filters |= {
    "code": _code,
    "cell": lambda text: text.replace("|", "\\|").replace("\n", " "),
    "resource": lambda table: table.strip("_").replace("_", "-"),
}
TEMPLATES.globals |= {
    "type_names": type_names,
    "table_comment": table_comment,
    "column_comments": column_comments,
    "refers_to": refers_to,
    "version": SCHEMA_VERSION,
    "name": "open-model-census",
    "title": "Open Model Census",
    "shown_first": "headline_country",
}


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
    of_months, published = months.published("dim_month").collect(), months.catalogue.published
    is_synthetic = bool(of_months["is_synthetic"].any())
    rows = {exported.made.name: exported.rows for exported in tables}
    facts = {
        "about": f"{label(is_synthetic=is_synthetic)}{ABOUT} Months {months.months[0]:%Y-%m} to "
        f"{months.months[-1]:%Y-%m}, from {', '.join(of_months['source'].unique().sort())}.",
        "is_synthetic": is_synthetic,
        "edition": months.edition,
        "published": published,
        "tables": tables,
        "csv": csv,
        "path_of": lambda file: file.relative_to(path).as_posix(),
        "digests": {file: digest_of(file) for file in (*csv.values(), *chain(*(one.files for one in tables)))},
        "checks": {table.name: declared_checks(table) for table in months.catalogue.tables.values()},
        # For validators, which load what is referred to: between tables of at most so many rows.
        "references": {
            name: [
                reference
                for reference in references_of(made, published)
                if reference.dimension is None
                and max(rows[name], rows[reference.target.name]) <= 100_000
                and reference.target.name in csv
            ]
            for name, made in published.items()
        },
    }
    for name, template in OF_A_VERSION.items():
        text = TEMPLATES.get_template(template).render(facts)
        if name.endswith(".json"):
            text = json.dumps(json.loads(text), indent=1, ensure_ascii=False)
        (path / name).write_text(text, encoding="utf-8")
