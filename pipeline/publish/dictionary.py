"""The published tables explained to readers: pages in Markdown for the documentation, one of HTML for a publication."""

from __future__ import annotations

import re
from collections.abc import Mapping

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from pipeline.checks.declared import declared_checks
from pipeline.errors import CensusError
from pipeline.publish.column_types import type_names
from pipeline.publish.relations import refers_to
from pipeline.publish.views import views_of
from pipeline.schema.catalogue import Catalogue
from pipeline.schema.published import PublishedTable
from pipeline.version import SCHEMA_VERSION

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
TEMPLATES.globals["type_names"] = type_names


def pages(published: Mapping[str, PublishedTable]) -> dict[str, str]:
    """The text of each table's page and of their index, by file name."""
    index = TEMPLATES.get_template("tables.md").render(published=published.values())
    return {"README.md": index} | {f"{made.name}.md": page(made) for made in published.values()}


def page(made: PublishedTable) -> str:
    """One table: grain, description, warnings, key and columns with types, units and meanings."""
    return TEMPLATES.get_template("table.md").render(made=made)


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


def dictionary_page(catalogue: Catalogue, about: str) -> str:
    """Every table with its grain, key, warnings, columns and checks; `about` says what the publication is."""
    return TEMPLATES.get_template("dictionary.html").render(
        about=about,
        version=SCHEMA_VERSION,
        published=catalogue.published,
        refers_to=lambda made: refers_to(made, catalogue.published),
        checks={table.name: declared_checks(table) for table in catalogue.tables.values()},
    )
