"""`census run`: checks the request, runs it, reports it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import click
import dagster as dg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from pipeline import settings
from pipeline.cli.months import month_statuses
from pipeline.definitions import CATALOGUE, defs
from pipeline.errors import CensusError
from pipeline.lake.store import Lake
from pipeline.months import in_words, months_between
from pipeline.orchestration.jobs import MONTHLY_CENSUS, PUBLISH, from_step
from pipeline.orchestration.launch import Launch, RunOutcome, name_of, run_all
from pipeline.orchestration.launch import Progress as Advance
from pipeline.orchestration.partitions import offer_months_from
from pipeline.orchestration.resources import deployed_thresholds
from pipeline.orchestration.table_assets import asset_key
from pipeline.publish.manifest import require_same_world
from pipeline.publish.warehouse import FILE_NAME
from pipeline.reference.registry import read_registry
from pipeline.report.figures import REPORT_NAME
from pipeline.report.headline import Headline, read_headline
from pipeline.sources.snapshots import SourceChoice, months_to_read, open_source
from pipeline.wording import counted


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
            CensusError: the source is unknown or does not serve them, or is of another kind than what this home holds;
                or, from a step on, the lake does not hold them.
        """
        if self.first and self.last and self.first > self.last:
            raise CensusError(f"there is no month from {self.first:%Y-%m} to {self.last:%Y-%m}: swap --from and --to")
        lake = Lake(settings.lake_url())
        if self.from_step:
            return self._months_of_the_lake(lake, self.from_step)
        source = open_source(SourceChoice(self.source, self.snapshots), settings.cache_folder())
        months = months_to_read(source, self.first, self.last)
        require_same_world(lake, source.recorded_as(is_synthetic=source.is_synthetic))
        return months

    def _months_of_the_lake(self, lake: Lake, step: str) -> list[date]:
        """The months of which the lake holds everything that the step does not make."""
        made = from_step(step).resolve(defs.resolve_asset_graph())
        needed = [set(lake.months(table)) for table in CATALOGUE.monthly if asset_key(table) not in made]
        held = sorted(
            month for month in set.intersection(*needed) if (self.first or month) <= month <= (self.last or month)
        )
        wanted = months_between(self.first, self.last) if self.first and self.last else held
        if (missing := [f"{month:%Y-%m}" for month in wanted if month not in held]) or not held:
            of = ", ".join(missing) or "any of these months"
            raise CensusError(
                f"the lake does not hold what {step} are made from in {of}: run them from the start first, without "
                "--from-step"
            )
        return held


def publication_resources(registry: Path | None, origin_rule: str | None, allow: Sequence[str]) -> dict[str, Any]:
    """What a publication is made with, as configuration of Dagster's resources."""
    return {
        "registry": {"path": str(registry.resolve()) if registry else ""},
        "origin_rule": {"rule": origin_rule} if origin_rule else {},
        "allowances": {"allow": list(allow)},
    }


@dataclass(frozen=True)
class Reporter:
    """Tells how runs go and how they ended: to people on the terminal, to machines as one JSON object at the end."""

    as_json: bool

    def follow(self, title: str, launches: Sequence[Launch], processes: int) -> list[RunOutcome]:
        """Makes the runs and returns how they ended; a bar shows each as it goes, where somebody watches."""
        outcomes, console = [], Console(stderr=True, quiet=self.as_json)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        is_watched = console.is_terminal and not self.as_json
        with (
            Progress(*columns, console=console, transient=True, disable=not is_watched) as bars,
            closing(run_all(launches, processes)) as events,
        ):
            whole = bars.add_task(title, total=len(launches))
            of_run: dict[str, TaskID] = {}
            for event in events:
                if isinstance(event, Advance):
                    run = event.launch
                    if run.run_id not in of_run:
                        of_run[run.run_id] = bars.add_task("", total=event.steps)
                    now = f"{name_of(run)} {event.step} {event.said}"
                    bars.update(of_run[run.run_id], completed=event.steps_done, description=now)
                else:
                    outcomes.append(event)
                    bars.advance(whole)
                    if event.run_id in of_run:
                        bars.remove_task(of_run[event.run_id])
                    warnings = sum(check.severity == "WARN" for check in event.failed_checks)
                    state = "ok" if event.succeeded else "FAILED"
                    told = f"  {name_of(event)}  {state}" + (f", {counted(warnings, 'warning')}" if warnings else "")
                    console.print(told, markup=False, highlight=False)
        return outcomes

    def report(self, outcomes: list[RunOutcome], headline: Headline | None) -> None:
        """Says how it ended: failures, what is held back, the headline and where the outputs are."""
        warehouse, lake = str(settings.published_folder() / FILE_NAME), settings.lake_url()
        if self.as_json:
            report: dict[str, Any] = {
                "runs": [
                    asdict(one)
                    | {"month": f"{one.month:%Y-%m}" if one.month else None}
                    | {"failed_checks": [asdict(check) | {"finding": check.finding} for check in one.failed_checks]}
                    for one in outcomes
                ],
                "headline": headline.as_dict() if headline else None,
                "warehouse": warehouse if headline else None,
                "lake": lake,
            }
            click.echo(json.dumps(report, indent=2))
            return
        for line in _problems(outcomes):
            click.echo(line, err=True)
        # Months that are not published although nobody asked for them in this run, with the command that mends each.
        asked_for = {outcome.month for outcome in outcomes}
        for status in month_statuses(Lake(lake), CATALOGUE, dg.DagsterInstance.get(), asked_for):
            for problem in status.problems:
                click.echo(f"{status.month:%Y-%m} {problem}", err=True)
        if headline is not None:
            click.echo(
                f"\n{headline.as_text()}\n\nwarehouse  {warehouse}\n"
                f"report     {settings.published_folder() / REPORT_NAME}\nlake       {lake}\n"
                f"look       make ui, then {settings.ui_url()}"
            )


def _problems(outcomes: list[RunOutcome]) -> Iterator[str]:
    for outcome in outcomes:
        alike: dict[tuple[str, str, str], list[str]] = {}
        for check in outcome.failed_checks:
            kind = "warning" if check.severity == "WARN" else "error"
            alike.setdefault((kind, check.check, check.finding), []).append(check.table)
        for (kind, name, finding), tables in alike.items():
            others = f" and {len(tables) - 1} more" if len(tables) > 1 else ""
            yield f"{kind}: {name_of(outcome)} {tables[0]}{others} {name}: {finding}"
        yield from (f"failed: {name_of(outcome)} {failure}" for failure in outcome.failures)


def run(request: Request, reporter: Reporter) -> int:
    """Runs the request's months, then publishes; the exit code."""
    months = request.months()
    if gaps := [month for month in months_between(months[0], months[-1]) if month not in months]:
        click.echo(f"left out, because source {request.source} does not have them: {in_words(gaps)}", err=True)
    read_registry(request.registry)
    settings.origin_rule(request.origin_rule)
    deployed_thresholds(CATALOGUE)
    published_with = publication_resources(request.registry, request.origin_rule, request.allow)
    snapshots = str(request.snapshots.resolve()) if request.snapshots else ""
    resources = published_with | {"snapshot_source": {"source": request.source, "snapshots": snapshots}}
    offer_months_from(months[0])
    launches = [Launch(MONTHLY_CENSUS, month, resources, request.from_step) for month in months]
    outcomes = reporter.follow("months", launches, min(request.jobs, len(months)))
    if not any(outcome.succeeded for outcome in outcomes):
        reporter.report(outcomes, None)
        return 1
    return publish(published_with, reporter, outcomes)


def publish(resources: Mapping[str, Any], reporter: Reporter, outcomes: Sequence[RunOutcome] = ()) -> int:
    """Publishes the finished months, after the runs that ended so; the exit code."""
    [published] = reporter.follow("publish", [Launch(PUBLISH, resources=resources)], 1)
    headline = read_headline(settings.published_folder(), CATALOGUE.figures) if published.succeeded else None
    every = [*outcomes, published]
    reporter.report(every, headline)
    return 0 if all(outcome.succeeded for outcome in every) else 1
