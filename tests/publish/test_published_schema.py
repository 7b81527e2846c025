"""Readers rely on the published shape: it changes with its version, and the changelog says how."""

import hashlib
import json
import re
from pathlib import Path

from pipeline.publish.publication import PUBLISHED
from pipeline.publish.relations import key_of
from pipeline.publish.views import views_of
from pipeline.publish.warehouse import duckdb_type
from pipeline.tables.published import SCHEMA_DIGEST, SCHEMA_VERSION

CHANGELOG = Path(__file__).parents[2] / "docs" / "published-schema.md"


def shapes():
    tables = {
        table.name: {
            "columns": [[column.name, duckdb_type(column), column.nullable] for column in table.columns],
            "key": key_of(table),
        }
        for table in PUBLISHED
    }
    views = {view.name: list(view.column_comments) for view in views_of(PUBLISHED)}
    return {"tables": tables, "views": views}


def test_the_published_shape_changes_only_with_its_version():
    digest = hashlib.sha256(json.dumps(shapes(), sort_keys=True).encode()).hexdigest()
    assert digest == SCHEMA_DIGEST, (
        f"the published tables have another shape than version {SCHEMA_VERSION}: raise SCHEMA_VERSION, set "
        f"SCHEMA_DIGEST to {digest}, and add a section to docs/published-schema.md that says what changed"
    )


def test_the_latest_section_of_the_changelog_is_the_version_that_is_published():
    assert re.findall(r"^## (.+)$", CHANGELOG.read_text(), re.MULTILINE)[0] == SCHEMA_VERSION
