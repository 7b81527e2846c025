"""What the commands do: check the request, run it, report it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, Protocol

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from pipeline import settings
from pipeline.definitions import CATALOGUE
from pipeline.errors import CensusError
from pipeline.lake.store import Lake
from pipeline.months import in_words, months_between
from pipeline.orchestration import launch
from pipeline.orchestration.thresholds import deployed_thresholds
from pipeline.publish.guards import require_same_world
from pipeline.publish.warehouse import FILE_NAME
from pipeline.reference.registry import read_registry
from pipeline.report.headline import Headline, read_headline
from pipeline.report.picture import REPORT_NAME
from pipeline.sources.catalog import open_source, source_classes
from pipeline.sources.snapshots import SourceChoice, require_served
from pipeline.tables.listings import HUB_SNAPSHOTS


@dataclass(frozen=True)
class Request:
    """What to run; `first` and `last` default to all that the source serves."""

    source: str
    first: date | None
    last: date | None
    snapshots: Path | None
    registry: Path | None
    origin_rule: str | None
    jobs: int
    from_step: str | None = None
    allow: tuple[str, ...] = ()

    def months(self) -> list[date]:
        """The months to run.

        Raises:
            CensusError: the source is unknown or does not serve them, or, from a step on, the lake does not hold them.
        """
        if self.from_step:
            return self._months_of_the_lake()
        source = open_source(SourceChoice(self.source, self.snapshots), settings.cache_folder())
        served = source.months()
        require_same_world(Lake(settings.lake_url()), source.name)
        if not served and not (self.first and self.last):
            raise CensusError(f"source {self.source} serves no month now: {source.remedy}")
        months = months_between(self.first or served[0], self.last or served[-1])
        if not months:
            raise CensusError(
                f"there is no month from {self.first:%Y-%m} to {self.last:%Y-%m}: exchange --from and --to"
            )
        require_served(source, months)
        return months

    def _months_of_the_lake(self) -> list[date]:
        held = [
            month
            for month in Lake(settings.lake_url()).months(HUB_SNAPSHOTS)
            if (self.first or month) <= month <= (self.last or month)
        ]
        wanted = months_between(self.first, self.last) if self.first and self.last else held
        missing = [f"{month:%Y-%m}" for month in wanted if month not in held]
        if missing or not held:
            raise CensusError(
                f"the lake holds no snapshot of {', '.join(missing) or 'any of these months'}: run them from the start "
                "first, without --from-step"
            )
        return held

    def resources(self) -> dict[str, Any]:
        """The request as configuration of Dagster's resources."""
        snapshots = str(self.snapshots.resolve()) if self.snapshots else ""
        return {
            "snapshot_source": {"source": self.source, "snapshots": snapshots},
            **publication_resources(self.registry, self.origin_rule, self.allow),
        }


def publication_resources(registry: Path | None, origin_rule: str | None, allow: Sequence[str]) -> dict[str, Any]:
    """What a publication is made with, as configuration of Dagster's resources."""
    return {
        "registry": {"path": str(registry.resolve()) if registry else ""},
        "origin_rule": {"rule": origin_rule or ""},
        "allowances": {"allow": list(allow)},
    }


class Reporter(Protocol):
    """Shows how a run goes and how it ended."""

    def follow(
        self, title: str, events: Iterable[launch.Progress | launch.RunOutcome], runs: int
    ) -> list[launch.RunOutcome]:
        """Shows the events as they come; returns the outcomes."""

    def report(self, outcomes: list[launch.RunOutcome], headline: Headline | None) -> None:
        """Shows how it ended."""


def run(request: Request, reporter: Reporter) -> int:
    """Runs the request's months, then publishes; the exit code."""
    months = request.months()
    read_registry(request.registry)
    settings.origin_rule(request.origin_rule)
    deployed_thresholds(CATALOGUE)
    outcomes = reporter.follow(
        "months",
        launch.run_all(
            [launch.Launch("monthly_census", month, request.resources(), request.from_step) for month in months],
            min(request.jobs, len(months)),
        ),
        len(months),
    )
    if not any(outcome.succeeded for outcome in outcomes):
        reporter.report(outcomes, None)
        return 1
    return publish(request.resources(), reporter, outcomes)


def publish(resources: Mapping[str, Any], reporter: Reporter, outcomes: Sequence[launch.RunOutcome] = ()) -> int:
    """Publishes the finished months, after the runs that ended so; the exit code."""
    of_publish = {name: values for name, values in resources.items() if name != "snapshot_source"}
    published = reporter.follow("publish", launch.run_all([launch.Launch("publish", resources=of_publish)], 1), 1)
    headline = read_headline(settings.published_folder(), CATALOGUE.figures) if published[0].succeeded else None
    every = [*outcomes, *published]
    reporter.report(every, headline)
    return 0 if all(outcome.succeeded for outcome in every) else 1


class TerminalReporter:
    """Progress bars while it runs, then failures, the headline and where the outputs are."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)

    def follow(
        self, title: str, events: Iterable[launch.Progress | launch.RunOutcome], runs: int
    ) -> list[launch.RunOutcome]:
        """See `Reporter`; where nobody watches, one line a run instead of bars."""
        outcomes = []
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self._console, transient=True, disable=not self._console.is_terminal) as bars:
            whole = bars.add_task(title, total=runs)
            of_month: dict[date | None, TaskID] = {}
            for event in events:
                if isinstance(event, launch.Progress):
                    self._advance(bars, of_month, event)
                    continue
                outcomes.append(event)
                bars.advance(whole)
                if event.month in of_month:
                    bars.remove_task(of_month.pop(event.month))
                self._console.print(_one_line(event), markup=False, highlight=False)
        return outcomes

    def _advance(self, bars: Progress, of_month: dict[date | None, TaskID], event: launch.Progress) -> None:
        name = f"{event.month:%Y-%m}" if event.month else "publish"
        if event.month not in of_month:
            of_month[event.month] = bars.add_task(name, total=event.steps)
        bars.update(of_month[event.month], completed=event.steps_done, description=f"{name} {event.step} {event.said}")

    def report(self, outcomes: list[launch.RunOutcome], headline: Headline | None) -> None:
        """See `Reporter`."""
        for line in _problems(outcomes):
            click.echo(line, err=True)
        if headline is not None:
            click.echo()
            click.echo(headline.as_text())
            click.echo()
            click.echo(f"warehouse  {settings.published_folder() / FILE_NAME}")
            click.echo(f"report     {settings.published_folder() / REPORT_NAME}")
            click.echo(f"lake       {settings.lake_url()}")
            click.echo("look       make ui, then http://127.0.0.1:3000")


class JsonReporter:
    """One JSON object at the end, nothing before."""

    def follow(
        self,
        title: str,  # noqa: ARG002
        events: Iterable[launch.Progress | launch.RunOutcome],
        runs: int,  # noqa: ARG002
    ) -> list[launch.RunOutcome]:
        """See `Reporter`."""
        return [event for event in events if isinstance(event, launch.RunOutcome)]

    def report(self, outcomes: list[launch.RunOutcome], headline: Headline | None) -> None:
        """See `Reporter`."""
        report: dict[str, Any] = {
            "runs": [
                asdict(outcome) | {"month": f"{outcome.month:%Y-%m}" if outcome.month else None} for outcome in outcomes
            ],
            "headline": headline.as_dict() if headline else None,
            "warehouse": str(settings.published_folder() / FILE_NAME) if headline else None,
            "lake": settings.lake_url(),
        }
        click.echo(json.dumps(report, indent=2))


def _one_line(outcome: launch.RunOutcome) -> str:
    name = f"{outcome.month:%Y-%m}" if outcome.month else outcome.job
    warnings = sum(check.severity == "WARN" for check in outcome.failed_checks)
    state = "ok" if outcome.succeeded else "FAILED"
    return f"  {name}  {state}" + (f", {warnings} warnings" if warnings else "")


def _problems(outcomes: list[launch.RunOutcome]) -> Iterator[str]:
    for outcome in outcomes:
        name = f"{outcome.month:%Y-%m}" if outcome.month else outcome.job
        for check in outcome.failed_checks:
            kind = "warning" if check.severity == "WARN" else "error"
            yield f"{kind}: {name} {check.table} {check.check}: {check.finding}"
        for failure in outcome.failures:
            yield f"failed: {name} {failure}"


def describe_sources(snapshots: Path | None) -> Iterator[str]:
    """A line for each source: the months that it can serve, or why it cannot say."""
    for name in source_classes():
        try:
            source = open_source(SourceChoice(name, snapshots), settings.cache_folder())
            months = source.months()
        except CensusError as error:
            yield f"{name:10} {error}"
            continue
        yield f"{name:10} {_reach(months) if months else f'no month now: {source.remedy}'}"


def _reach(months: list[date]) -> str:
    """The months as unbroken stretches: `2024-08 to 2025-04, 2025-06 (10 months)`."""
    return f"{in_words(months)} ({len(months)} month{'s' if len(months) > 1 else ''})"


def serve_sample(port: int, models: int) -> None:
    """Serves the synthetic world until interrupted."""
    from synthetic_hub.server import serve  # noqa: PLC0415 - only this command needs the server
    from synthetic_hub.world import WorldSettings, ensure_world  # noqa: PLC0415

    world = ensure_world(settings.cache_folder() / "sample" / "worlds", WorldSettings(models=models))
    if port:
        click.echo(f"a synthetic Hub (nothing was measured): HF_ENDPOINT=http://127.0.0.1:{port} (end with Ctrl-C)")
    serve(world, port)
