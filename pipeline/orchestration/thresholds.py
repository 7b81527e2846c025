"""The thresholds of warnings as configuration: a field in the launchpad for each, with what it means.

A launch's own numbers come before those of the deployment (CENSUS_CHECK_THRESHOLDS), and these before the declared.
"""

from __future__ import annotations

from typing import Any

import dagster as dg

from pipeline import settings
from pipeline.checks.thresholds import Thresholds, parse_thresholds, require_settable, settable
from pipeline.schema.catalogue import Catalogue
from pipeline.schema.declaration import Rule


def _fields(catalogue: Catalogue) -> dict[str, Any]:
    """By group, table and check: Dagster itself refuses what is not among them."""
    groups: dict[str, dict[str, Any]] = {}
    for table in catalogue.tables.values():
        fields = {
            check: dg.Field(
                int if isinstance(threshold.statement, Rule) else float,
                is_required=False,
                description=f"{threshold.meaning} Declared: {threshold.declared}; by default CENSUS_CHECK_THRESHOLDS, "
                "else as declared.",
            )
            for check, threshold in settable(table).items()
        }
        if fields:
            groups.setdefault(table.group, {})[table.name] = dg.Field(fields, is_required=False)
    return {group: dg.Field(tables, is_required=False) for group, tables in groups.items()}


def check_thresholds(catalogue: Catalogue) -> dg.ResourceDefinition:
    """The resource that holds the thresholds which differ from the declared ones, by table and check."""

    @dg.resource(
        config_schema=_fields(catalogue),
        description=(
            "Other thresholds for warnings, of this run. What was changed is stated with each check; critical checks, "
            "which protect what is published, cannot be changed here."
        ),
    )
    def thresholds(context: dg.InitResourceContext) -> Thresholds:
        chosen = {path: dict(of_checks) for path, of_checks in deployed_thresholds(catalogue).items()}
        for group, tables in context.resource_config.items():
            for name, of_checks in tables.items():
                chosen.setdefault(f"{group}/{name}", {}).update(of_checks)
        require_settable(chosen, catalogue.tables)
        return chosen

    return thresholds


def deployed_thresholds(catalogue: Catalogue) -> Thresholds:
    """The thresholds that the environment sets.

    Raises:
        CensusError: it sets one that cannot be set so.
    """
    chosen = parse_thresholds(settings.check_thresholds())
    require_settable(chosen, catalogue.tables)
    return chosen
