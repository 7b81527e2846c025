"""What assets are given to work with. Values come from the environment unless the launch sets them."""

import os
from collections.abc import Callable
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field, PrivateAttr

from pipeline import settings
from pipeline.checks.thresholds import NUMBERS, Thresholds, parse_thresholds, require_settable, settable
from pipeline.errors import CensusError
from pipeline.lake.store import Lake
from pipeline.reference.registry import Registry, read_registry
from pipeline.schema.catalogue import Catalogue
from pipeline.sources.snapshots import SnapshotSource, SourceChoice, described_sources


class LakeResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The lake; see `pipeline.lake.store.Lake`."""

    url: str = Field(default="", description="Where the lake is; by default CENSUS_LAKE_URL, else CENSUS_HOME/lake.")

    def store(self) -> Lake:
        """The lake at the configured place."""
        return Lake(self.url or settings.lake_url())


SOURCES = described_sources() | {"local": "`folder`, by its old name"}
Source = Enum("Source", {name: name for name in SOURCES})  # type: ignore[misc]
OriginRule = Enum("OriginRule", {name: name for name in settings.ORIGIN_RULES})  # type: ignore[misc]


class SnapshotSourceResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Where snapshots of the Hub are read."""

    source: Source | None = Field(
        default=None,
        description="By default CENSUS_SOURCE, else sample.\n\n"
        + "\n".join(f"- `{name}`: {sentence}." for name, sentence in SOURCES.items()),
    )
    snapshots: str = Field(
        default="", description="For source folder: the folder of dated dumps; by default CENSUS_SNAPSHOTS."
    )
    tolerance_days: float = Field(
        default=3.5, description="How many days an observation may be from the boundary that it closes.", gt=0
    )

    _source: SnapshotSource | None = PrivateAttr(default=None)
    """The folder of dumps, once its files were listed."""

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002 - the signature is Dagster's
        """Lists the folder's dumps once for all steps of a run; see `list_folder`."""
        self.list_folder()

    def list_folder(self) -> None:
        """Finds a folder that is not there, or has no dumps.

        Raises:
            CensusError: the folder cannot be read, or has no dumps.
        """
        if (self.source.value if self.source else settings.source()) in {"folder", "local"}:
            self._source = self.open()
            self._source.months()

    def open(self, tell: Callable[[str], None] = lambda _: None) -> SnapshotSource:
        """The chosen source; `tell` is given a line now and then while something takes its time.

        Raises:
            CensusError: there is no source of that name, or it lacks its settings.
        """
        if self._source is not None:
            return self._source
        # With its clients and the sample's world, half a second to load: only steps that read a source need them.
        from pipeline.sources.snapshots import open_source  # noqa: PLC0415

        folder = self.snapshots or settings.snapshots()
        choice = SourceChoice(
            name=self.source.value if self.source else settings.source(),
            snapshots=Path(folder) if folder else None,
            tolerance=timedelta(days=self.tolerance_days),
            tell=tell,
        )
        return open_source(choice, settings.cache_folder())


@dg.resource(config_schema=SnapshotSourceResource.to_config_schema(), description=SnapshotSourceResource.__doc__)
def _snapshot_source(context: dg.InitResourceContext) -> Any:
    return SnapshotSourceResource.from_resource_context(context)


@dg.configured(_snapshot_source, config_schema=SnapshotSourceResource.to_config_schema().as_field())
def snapshot_source(config: dict[str, Any]) -> dict[str, Any]:
    """Where snapshots are read. Dagster maps a launch's values before it makes a run: a wrong folder ends the launch.

    Raises:
        CensusError: see `SnapshotSourceResource.list_folder`.
    """
    SnapshotSourceResource(**config).list_folder()
    return config


class OriginRuleResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """How a derivative is split over its roots."""

    rule: OriginRule | None = Field(default=None, description="By default CENSUS_ORIGIN_RULE, else equal_parts.")

    def choice(self) -> str:
        """The chosen rule's name.

        Raises:
            CensusError: there is no such rule.
        """
        return settings.origin_rule(self.rule.value if self.rule else None)


class AllowancesResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """What a publication may do that is refused otherwise."""

    allow: list[str] = Field(
        default=[],
        description=f"Any of {', '.join(f'{name} ({meaning})' for name, meaning in settings.ALLOWANCES.items())}.",
    )

    def allowed(self) -> frozenset[str]:
        """The names of what is allowed.

        Raises:
            CensusError: one of them is no such name.
        """
        if unknown := [name for name in self.allow if name not in settings.ALLOWANCES]:
            raise CensusError(f"{unknown[0]!r} is nothing to allow: choose from {', '.join(settings.ALLOWANCES)}")
        return frozenset(self.allow)


class RegistryResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The reviewed registry of organisations."""

    path: str = Field(
        default="",
        description="A registry CSV; by default CENSUS_REGISTRY, else the registry that comes with the census.",
    )

    def read(self) -> Registry:
        """The registry with its digest."""
        path = self.path or os.environ.get("CENSUS_REGISTRY", "")
        return read_registry(Path(path) if path else None)


def _threshold_fields(catalogue: Catalogue) -> dict[str, Any]:
    """By group, table and check: Dagster itself refuses what is not among them."""
    groups: dict[str, dict[str, Any]] = {}
    for table in catalogue.tables.values():
        fields = {
            check: dg.Field(
                int if field == "allowed" else float,
                is_required=False,
                description=f"{statement.meaning.rstrip('.')}. The number: {NUMBERS[field]}. Declared: "
                f"{float(getattr(statement, field))}; by default CENSUS_CHECK_THRESHOLDS, else as declared.",
            )
            for check, (statement, field) in settable(table).items()
        }
        if fields:
            groups.setdefault(table.group, {})[table.name] = dg.Field(fields, is_required=False)
    return {group: dg.Field(tables, is_required=False) for group, tables in groups.items()}


def check_thresholds(catalogue: Catalogue) -> dg.ResourceDefinition:
    """The resource that holds the thresholds which differ from the declared ones, by table and check.

    A launch's own numbers come before those of the deployment (CENSUS_CHECK_THRESHOLDS), and these before the declared.
    """

    @dg.resource(
        config_schema=_threshold_fields(catalogue),
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
