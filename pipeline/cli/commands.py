"""The commands: what they take and what they print. The work is done elsewhere in `pipeline`."""

from __future__ import annotations

import importlib
import json
import shlex
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import click

from pipeline import settings
from pipeline.cli.types import MonthType
from pipeline.lake.store import Lake
from pipeline.orchestration.home import home_environment, prepare_home
from pipeline.publish import push as pushing
from pipeline.publish import verify as verifying
from pipeline.publish.dictionary import pages, schema_page
from pipeline.publish.folder import PublishedFolder
from pipeline.publish.guards import ALLOWANCES
from pipeline.report import explain as explaining
from pipeline.report.compare import FIGURES, as_text, compare, published_figures
from pipeline.report.headline import read_headline
from pipeline.schema.catalogue import Catalogue
from pipeline.tables.shares import ATTRIBUTIONS, POPULATION_NAMES, WINDOWS
from pipeline.version import __version__


def loaded(module: str) -> ModuleType:
    """A module beside this one that needs Dagster, which takes a second to load: the other commands do without."""
    return importlib.import_module(f"pipeline.cli.{module}")


def catalogue() -> Catalogue:
    """Every table of the census, for the commands that look at all of them."""
    from pipeline.definitions import CATALOGUE  # noqa: PLC0415 - see `loaded`

    return CATALOGUE


class CensusGroup(click.Group):
    """The commands of the machine, and those that the census itself declares."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of both."""
        return sorted({*super().list_commands(ctx), *_declared_commands()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name; the census is loaded only where the machine has none."""
        return super().get_command(ctx, cmd_name) or _declared_commands().get(cmd_name)


def _declared_commands() -> dict[str, click.Command]:
    from pipeline.definitions import COMMANDS  # noqa: PLC0415 - see `loaded`

    return COMMANDS


allowances = click.option(
    "--allow",
    multiple=True,
    type=click.Choice(sorted(ALLOWANCES)),
    help="Publish all the same: " + "; ".join(f"{name}: {meaning}" for name, meaning in ALLOWANCES.items()) + ".",
)


@click.group(cls=CensusGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="census")
def census() -> None:
    """Who makes the open AI models the world downloads, month by month."""


@census.command()
@click.option("--source", default="sample", show_default=True, help="Where snapshots of the Hub are read.")
@click.option("--from", "first", type=MonthType(), help="First month, e.g. 2024-09.  [default: the source's first]")
@click.option("--to", "last", type=MonthType(), help="Last month, e.g. 2025-08.  [default: the source's last]")
@click.option("--snapshots", type=click.Path(path_type=Path), help="For source folder: the folder of dated dumps.")
@click.option("--registry", type=click.Path(path_type=Path), help="Another registry's CSV instead of ours.")
@click.option(
    "--origin-rule",
    type=click.Choice(settings.ORIGIN_RULES),
    help="How derivatives are split over their roots.  [default: CENSUS_ORIGIN_RULE, else equal_parts]",
)
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(1, 32), help="Months run at the same time.")
@click.option(
    "--from-step",
    type=click.Choice(["downloads", "attribution", "lineage", "shares"]),
    help="Make only what follows from this step anew, from what the lake holds; nothing is read from a Hub.",
)
@allowances
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for machines; no progress.")
def run(as_json: bool, **request: Any) -> None:  # noqa: FBT001
    """Materialises months through Dagster, then publishes them.

    Exit code 0: every month ran and passed its blocking checks, and was published. 1: at least one did not; what it
    would have replaced is kept. 2: the request cannot be met; nothing was changed.
    """
    prepare_home()
    running = loaded("run")
    reporter = running.JsonReporter() if as_json else running.TerminalReporter()
    sys.exit(running.run(running.Request(**request), reporter))


@census.command()
@allowances
@click.option("--registry", type=click.Path(path_type=Path), help="The registry that the months were made with.")
@click.option("--origin-rule", type=click.Choice(settings.ORIGIN_RULES), help="Of months that were split by it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for machines; no progress.")
def publish(as_json: bool, **asked: Any) -> None:  # noqa: FBT001
    """Publishes the months of the lake that are finished, in the place of what is published now."""
    prepare_home()
    running = loaded("run")
    reporter = running.JsonReporter() if as_json else running.TerminalReporter()
    sys.exit(running.publish(running.publication_resources(**asked), reporter))


@census.command()
@click.option("--last-month", type=MonthType(), help="End of the year shown.  [default: the latest complete one]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for machines.")
def headline(last_month: date | None, as_json: bool) -> None:  # noqa: FBT001
    """Prints the headline from the published warehouse."""
    found = read_headline(settings.published_folder(), catalogue().figures, last_month)
    click.echo(json.dumps(found.as_dict(), indent=2) if as_json else found.as_text())


@census.command()
@click.option("--month", type=MonthType(), help="The last month of the window.  [default: the headline's]")
@click.option("--since", type=MonthType(), help="Take apart what changed since the window that ended with this month.")
@click.option("--window", type=click.Choice(WINDOWS), help="[default: the headline's]")
@click.option("--population", type=click.Choice(POPULATION_NAMES), help="[default: the headline's]")
@click.option("--attribution", default="uploader", show_default=True, type=click.Choice(ATTRIBUTIONS))
@click.option("--country", help="A country's code (CN), international, unaffiliated or unmapped.")
@click.option("--organization", help="An organisation as the tables name it.")
@click.option("--top", default=15, show_default=True, type=click.IntRange(0), help="Rows shown of each table.")
@click.option("--json", "form", flag_value="json", help="Print one JSON object with all rows and the SQL.")
@click.option("--sql", "form", flag_value="sql", help="Print the SQL that gives the parts from the warehouse.")
def explain(
    country: str | None, organization: str | None, since: date | None, top: int, form: str | None, **asked: Any
) -> None:
    """Takes one published share apart: organisations, families, rules, models and snapshots behind it.

    Without further options it is the share that `census headline` prints.
    """
    if (country is None) == (organization is None):
        raise click.UsageError("name either --country or --organization")
    dimension, member = ("country", country) if country is not None else ("organization", organization)
    folder, share = settings.published_folder(), explaining.Asked(dimension, str(member), **asked)
    found = explaining.explain(folder, share)
    before = explaining.explain(folder, replace(found.figure, month=since)) if since else None
    if form == "json":
        click.echo(json.dumps(found.as_dict() | (found.since_as_dict(before) if before else {}), indent=2))
    elif form == "sql":
        click.echo("\n\n".join(f"-- {level}\n{query};" for level, query in found.sql.items()))
    else:
        click.echo(found.since_as_text(before, top) if before else found.as_text(top))


@census.command()
@click.argument("repository")
@click.option("--upload", is_flag=True, help="Really upload; without it, only what would go is printed.")
def push(repository: str, upload: bool) -> None:  # noqa: FBT001
    """Uploads the published Parquet files with their card to REPOSITORY (namespace/name), a dataset on the Hub.

    A dataset that is not there yet is made private. The token is that of HF_TOKEN, and goes to HF_ENDPOINT only.
    """
    planned = pushing.plan_upload(settings.published_folder(), repository)
    for path, size in planned.files.items():
        click.echo(f"{size:>12,}  {path}")
    total = f"{len(planned.files)} files, {sum(planned.files.values()):,} bytes, version {planned.version}"
    if upload:
        click.echo(f"uploaded {total}: {planned.perform()}")
    else:
        click.echo(f"{total} would go to dataset {repository} on {planned.client.endpoint}: add --upload to do it")


@census.command()
@click.argument("version", required=False)
def restore(version: str | None) -> None:
    """Makes a kept VERSION of what is published the current one; without it, lists those that are kept."""
    folder = PublishedFolder(settings.published_folder())
    if version is not None:
        folder.restore(version)
    for name in folder.versions():
        click.echo(f"{name}  current" if name == folder.current() else name)


@census.command()
@click.option("--snapshots", type=click.Path(path_type=Path), help="For source folder: the folder of dated dumps.")
def sources(snapshots: Path | None) -> None:
    """Lists the sources and the months that each can serve."""
    prepare_home()
    for line in loaded("run").describe_sources(snapshots):
        click.echo(line)


@census.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for machines.")
def status(as_json: bool) -> None:  # noqa: FBT001
    """Shows each month of the lake: its tables, where it was read and when it was observed, its checks."""
    prepare_home()
    months = loaded("status").month_statuses()
    click.echo(
        json.dumps([month.as_dict() for month in months], indent=2) if as_json else loaded("status").as_text(months)
    )


@census.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for machines.")
def verify(as_json: bool) -> None:  # noqa: FBT001
    """Re-computes the digests of lake and publications, and names what does not match or was made from other files.

    Exit code 0: everything matches. 1: something does not.
    """
    found = verifying.verify(Lake(settings.lake_url()), catalogue(), settings.published_folder())
    click.echo(json.dumps(found.as_dict(), indent=2) if as_json else found.as_text())
    sys.exit(1 if found.findings else 0)


@census.command()
@click.option("--month", required=True, type=MonthType(), help="e.g. 2025-08.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for machines.")
def checks(month: date, as_json: bool) -> None:  # noqa: FBT001
    """Shows what every check of a month expected and found, those that failed first."""
    prepare_home()
    shown = loaded("checks")
    found = shown.check_statuses(month)
    click.echo(json.dumps([check.as_dict() for check in found], indent=2) if as_json else shown.as_text(month, found))


@census.command("serve-sample")
@click.option("--port", default=8017, show_default=True, type=click.IntRange(0, 65535), help="0: any free port.")
@click.option("--models", default=20_000, show_default=True, type=click.IntRange(1000), help="Size of the world.")
def serve_sample(port: int, models: int) -> None:
    """Serves the local Hub, a synthetic world, on 127.0.0.1 until interrupted."""
    prepare_home()
    loaded("run").serve_sample(port, models)


@census.command("compare-published")
@click.option("--figures", type=click.Path(path_type=Path), default=FIGURES, help="Another list of published figures.")
def compare_published(figures: Path) -> None:
    """Prints what others published beside ours for the same definition, with what differs."""
    click.echo(as_text(*compare(settings.published_folder(), published_figures(figures))))


@census.command()
@click.option("--folder", type=click.Path(path_type=Path), default=Path("docs"), show_default=True)
def docs(folder: Path) -> None:
    """Writes what follows from the code: a page on each published table, one on the architecture, its picture."""
    tables = folder / "tables"
    tables.mkdir(parents=True, exist_ok=True)
    published = catalogue().published
    for name, text in pages(published).items():
        (tables / name).write_text(text, encoding="utf-8")
    schema = folder / "published-schema.md"
    schema.write_text(schema_page(schema.read_text(encoding="utf-8"), published), encoding="utf-8")
    architecture = loaded("architecture")
    (folder / "architecture.md").write_text(architecture.architecture_page(), encoding="utf-8")
    (folder / "images").mkdir(exist_ok=True)
    (folder / "images" / "graph.svg").write_text(architecture.graph_picture(), encoding="utf-8")


@census.command()
def env() -> None:
    """Prints the environment for Dagster's own commands: eval "$(census env)"."""
    for name, value in home_environment(prepare_home()).items():
        click.echo(f"export {name}={shlex.quote(value)}")


@census.command()
@click.option("--port", default=3000, show_default=True, type=click.IntRange(1, 65535))
def ui(port: int) -> None:
    """Opens the Dagster UI and daemon on 127.0.0.1 over the same instance."""
    prepare_home()
    from pipeline.orchestration.web import serve_ui  # noqa: PLC0415 - see `loaded`

    serve_ui(port)
