"""The commands: what they take and what they print. Each loads what it needs when it is called."""

import json
import os
import shlex
import sys
from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import click

from pipeline import settings
from pipeline.cli.types import COUNTRIES, MonthType
from pipeline.cli.types import sources as complete_sources
from pipeline.errors import CensusError, ports_in_words
from pipeline.months import in_words
from pipeline.orchestration.home import home_environment, prepare_home
from pipeline.schema.groups import STEPS
from pipeline.schema.shares import ATTRIBUTIONS, PERIODS, POPULATION_NAMES
from pipeline.version import __version__
from pipeline.wording import counted

ALLOWANCE = click.option(
    "--allow",
    multiple=True,
    type=click.Choice(sorted(settings.ALLOWANCES)),
    help="Publish all the same: "
    + "; ".join(f"{name}: {meaning}" for name, meaning in settings.ALLOWANCES.items())
    + ".",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for machines.")
SNAPSHOTS = click.option(
    "--snapshots",
    type=click.Path(path_type=Path),
    envvar="CENSUS_SNAPSHOTS",
    help="For source folder: the folder of dated dumps.  [default: CENSUS_SNAPSHOTS]",
)


class CensusGroup(click.Group):
    """The commands of the machine, and those that the census itself declares."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of both."""
        from pipeline.definitions import COMMANDS

        return sorted({*super().list_commands(ctx), *COMMANDS})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name; the census is loaded only where the machine has none."""
        if command := super().get_command(ctx, cmd_name):
            return command
        from pipeline.definitions import COMMANDS

        return COMMANDS.get(cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Every command with the whole of its first sentence."""
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.get_short_help_str(1000)) for name, command in found if command])


@click.group(cls=CensusGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="census")
def census() -> None:
    """Who makes the open AI models the world downloads, month by month."""


@census.command()
@click.option(
    "--source",
    shell_complete=complete_sources,
    envvar="CENSUS_SOURCE",
    default="sample",
    help="Where snapshots of the Hub are read, see `census sources`.  [default: CENSUS_SOURCE, else sample]",
)
@click.option("--from", "first", type=MonthType(), help="First month, e.g. 2024-09.  [default: the source's first]")
@click.option("--to", "last", type=MonthType(), help="Last month, e.g. 2025-08.  [default: the source's last]")
@SNAPSHOTS
@click.option("--registry", type=click.Path(path_type=Path), help="A registry CSV to use instead of ours.")
@click.option(
    "--origin-rule",
    type=click.Choice(settings.ORIGIN_RULES),
    help="How derivatives are split over their roots.  [default: CENSUS_ORIGIN_RULE, else equal_parts]",
)
@click.option(
    "--jobs", default=1, show_default=True, type=click.IntRange(1, 32), help="How many months run at the same time."
)
@click.option(
    "--from-step",
    type=click.Choice(STEPS),
    help="Remake only this step and those after it, from the lake; nothing is read from a Hub.",
)
@ALLOWANCE
@JSON
def run(as_json: bool, **request: Any) -> None:  # noqa: FBT001
    """Makes months through Dagster, then publishes them.

    Exit code 0: every month ran and passed its blocking checks, and was published. 1: at least one did not; what it
    would have replaced is kept. 2: the request cannot be met; nothing was changed.
    """
    prepare_home()
    from pipeline.cli import run as running

    sys.exit(running.run(running.Request(**request), running.Reporter(as_json)))


@census.command()
@ALLOWANCE
@click.option("--registry", type=click.Path(path_type=Path), help="The registry that the months were made with.")
@click.option("--origin-rule", type=click.Choice(settings.ORIGIN_RULES), help="The rule that the months were split by.")
@JSON
def publish(as_json: bool, **asked: Any) -> None:  # noqa: FBT001
    """Publishes the months of the lake that are finished, in the place of what is published now."""
    prepare_home()
    from pipeline.cli import run as running

    sys.exit(running.publish(running.publication_resources(**asked), running.Reporter(as_json)))


@census.command()
@click.option("--last-month", type=MonthType(), help="End of the year shown.  [default: the latest complete one]")
@JSON
def headline(last_month: date | None, as_json: bool) -> None:  # noqa: FBT001
    """Prints the headline from the published warehouse."""
    from pipeline.definitions import CATALOGUE
    from pipeline.report.headline import read_headline

    found = read_headline(settings.published_folder(), CATALOGUE.figures, last_month)
    click.echo(json.dumps(found.as_dict(), indent=2) if as_json else found.as_text())


@census.command()
@click.argument("key")
@click.option("--last-month", type=MonthType(), help="End of the year shown.  [default: the latest complete one]")
@click.option("--json", "form", flag_value="json", help="Print every view as JSON, with its SQL.")
@click.option("--csv", "form", flag_value="csv", help="Print the first view's table as CSV.")
@click.option("--png", "form", flag_value="png", help="Write the first view's chart as PNG, for a file or a pipe.")
def figure(key: str, last_month: date | None, form: str | None) -> None:
    """Prints one figure, named by the KEY that ends the address of its page."""
    from pipeline.definitions import CATALOGUE
    from pipeline.report.headline import figure_as_text
    from pipeline.report.pictures import pictures_of
    from pipeline.report.site import read_one

    read, version = read_one(settings.published_folder(), CATALOGUE.figures, key, last_month)
    if form == "png":
        if sys.stdout.isatty():
            raise click.UsageError(
                f"a terminal cannot show a picture: write it to a file, as in `census figure {key} --png > it.png`"
            )
        for picture in pictures_of(read):
            sys.stdout.buffer.write(picture.image)
    elif form is None:
        click.echo(figure_as_text(read, read.labelled_title))
    else:
        click.echo(read.as_json(version) if form == "json" else read.as_csv(), nl=form == "json")


@census.command()
@click.option("--serve", "is_served", is_flag=True, help="Serve it on 127.0.0.1 until interrupted.")
@click.option("--port", default=8018, show_default=True, type=click.IntRange(0, 65535), help="0: any free port.")
def site(is_served: bool, port: int) -> None:  # noqa: FBT001
    """Says where the published pages begin; they open from the folder as well as from a server."""
    from pipeline.report.figures import SITE

    front = settings.published_folder() / SITE / "index.html"
    if not front.exists():
        raise CensusError(f"no pages are published in {settings.published_folder()}: run `census publish` first")
    click.echo(front)
    if is_served:
        from pipeline.report.serve import serve_folder

        serve_folder(front.parent, port)


@census.command()
@click.option("--month", type=MonthType(), help="The last month of the period.  [default: the headline's]")
@click.option("--since", type=MonthType(), help="Explain the change since the period that ended with this month.")
@click.option("--period", "--window", type=click.Choice(PERIODS), help="[default: the headline's]")
@click.option("--population", type=click.Choice(POPULATION_NAMES), help="[default: the headline's]")
@click.option("--attribution", default="uploader", show_default=True, type=click.Choice(ATTRIBUTIONS))
@click.option(
    "--country", shell_complete=COUNTRIES, help="A country's code (CN), international, unaffiliated or unmapped."
)
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
    from pipeline.report import explain as explaining

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
@click.option("--upload", is_flag=True, help="Upload; without it, only print what would be uploaded.")
def push(repository: str, upload: bool) -> None:  # noqa: FBT001
    """Uploads the published Parquet files with their card, and the pages, to REPOSITORY (namespace/name) on the Hub.

    It is a dataset, in which the pages are the folder `site`; one that is not there yet is made private. The token is
    that of HF_TOKEN, and goes to HF_ENDPOINT only.
    """
    from pipeline.publish.copies import folder_for_the_hub
    from pipeline.publish.folder import PublishedFolder
    from pipeline.sources.client import HubClient

    client, published = HubClient(token=os.environ.get("HF_TOKEN")), settings.published_folder()
    with folder_for_the_hub(published) as folder:
        version, files = PublishedFolder(published).current(), [path for path in folder.rglob("*") if path.is_file()]
        sizes: Counter[Path] = Counter()
        for path in sorted(files):
            sizes[Path(*path.relative_to(folder).parts[:2])] += path.stat().st_size
        for path, size in sizes.items():  # of the pages, which are thousands, their folders
            click.echo(f"{size:>12,}  {path}")
        total = f"{counted(len(files), 'file')}, {sizes.total():,} bytes, version {version}"
        if upload:
            click.echo(f"uploaded {total}: {client.upload_dataset(repository, folder, f'Publish version {version}')}")
        else:
            click.echo(f"{total} would go to dataset {repository} on {client.endpoint}: add --upload to do it")


@census.command()
@click.argument("version", required=False)
def restore(version: str | None) -> None:
    """Makes a kept VERSION of what is published the current one; without it, lists those that are kept."""
    from pipeline.publish.folder import PublishedFolder

    folder = PublishedFolder(settings.published_folder())
    if version is not None:
        folder.restore(version)
    for name in folder.versions():
        click.echo(f"{name}  current" if name == folder.current() else name)


@census.command()
@SNAPSHOTS
def sources(snapshots: Path | None) -> None:
    """Lists the sources and the months that each can serve."""
    prepare_home()
    from pipeline.sources.archive import ArchiveSource
    from pipeline.sources.client import HubClient
    from pipeline.sources.snapshots import SourceChoice, described_sources, open_source

    is_away = not HubClient().answers()
    for name, sentence in described_sources().items():
        try:
            source = open_source(SourceChoice(name, snapshots), settings.cache_folder())
            if is_away and isinstance(source, ArchiveSource):
                served = "not known now: the Hub does not answer"
            elif months := source.months():
                served = f"{in_words(months)} ({counted(len(months), 'month')})"
            else:
                served = f"no month now: {source.reach()}; {source.remedy}"
        except CensusError as error:
            served = str(error)
        click.echo(f"{name:10} {sentence}\n{'':10} {served}")


@census.command("list-counters")
def list_counters() -> None:
    """Lists the counters of popular repositories of the live Hub near a month's close, to read that close from.

    With those of the two days before the close, `census run --source hub` finds counters that stood still at it; run
    two or three days later once more, it reads them again itself and makes the month with what it found.
    """
    prepare_home()
    from pipeline.sources.hub import HubSource
    from pipeline.sources.snapshots import SourceChoice

    click.echo(HubSource.opened(SourceChoice("hub"), settings.cache_folder()).list_counters())


@census.command()
@JSON
def status(as_json: bool) -> None:  # noqa: FBT001
    """Shows every month that was asked for or is missing: made, held back or failed, from where, and its checks.

    Files are believed to be what their manifest lists where they were not written since; `census verify` reads them.
    Exit code 0: nothing is wrong. 1: something is, named with the command that mends it.
    """
    prepare_home()
    from dagster import DagsterInstance

    from pipeline.cli.months import as_dicts, month_statuses, statuses_as_text
    from pipeline.definitions import CATALOGUE
    from pipeline.lake.store import Lake

    months = month_statuses(Lake(settings.lake_url()), CATALOGUE, DagsterInstance.get())
    click.echo(json.dumps(as_dicts(months), indent=2) if as_json else statuses_as_text(months))
    sys.exit(1 if any(month.problems for month in months) else 0)


@census.command()
@JSON
def verify(as_json: bool) -> None:  # noqa: FBT001
    """Re-computes the digests of lake and publications, and names what does not match or was made from other files.

    Exit code 0: everything matches. 1: something does not.
    """
    from pipeline.definitions import CATALOGUE
    from pipeline.lake.store import Lake
    from pipeline.publish import verify as verifying

    found = verifying.verify(Lake(settings.lake_url()), CATALOGUE, settings.published_folder())
    click.echo(json.dumps(found.as_dict(), indent=2) if as_json else found.as_text())
    sys.exit(1 if found.findings else 0)


@census.command()
@click.option("--month", type=MonthType(), help="e.g. 2025-08.  [default: every month that was run]")
@click.option("--failed", is_flag=True, help="Only those that failed.")
@JSON
def checks(month: date | None, failed: bool, as_json: bool) -> None:  # noqa: FBT001
    """Shows what the checks of a month, or of every month, expected and found, those that failed first."""
    prepare_home()
    from dagster import DagsterInstance

    from pipeline.cli.months import as_dicts, checks_as_text, checks_of_months
    from pipeline.definitions import CATALOGUE

    found = checks_of_months(DagsterInstance.get(), CATALOGUE, month, failed_only=failed)
    click.echo(json.dumps(as_dicts(found), indent=2) if as_json else checks_as_text(found))


@census.command("serve-sample")
@click.option("--port", default=8017, show_default=True, type=click.IntRange(0, 65535), help="0: any free port.")
@click.option("--models", default=20_000, show_default=True, type=click.IntRange(1000), help="Size of the world.")
def serve_sample(port: int, models: int) -> None:
    """Serves the local Hub, a synthetic world, on 127.0.0.1 until interrupted."""
    prepare_home()
    from synthetic_hub.server import LocalHub
    from synthetic_hub.world import WorldSettings, ensure_world

    world = ensure_world(settings.cache_folder() / "sample" / "worlds", WorldSettings(models=models))
    with ports_in_words(port), LocalHub(world, port=port) as hub:
        click.echo(f"a synthetic Hub (nothing was measured): HF_ENDPOINT={hub.endpoint} (end with Ctrl-C)")
        hub.wait()


@census.command("compare-published")
@click.option("--figures", type=click.Path(path_type=Path), help="Another list of published figures.")
def compare_published(figures: Path | None) -> None:
    """Prints what others published beside ours for the same definition, with what differs."""
    from pipeline.report.compare import FIGURES, as_text, compare, published_figures

    click.echo(as_text(*compare(settings.published_folder(), published_figures(figures or FIGURES))))


@census.command()
@click.option("--folder", type=click.Path(path_type=Path), default=Path("docs"), show_default=True)
def docs(folder: Path) -> None:
    """Writes what follows from the code: a page on each published table, and the picture of the graph."""
    from pipeline.cli.graph_picture import graph_picture
    from pipeline.definitions import CATALOGUE
    from pipeline.publish.metadata import pages, schema_page

    schema = folder / "published-schema.md"
    written = {f"tables/{name}": text for name, text in pages(CATALOGUE.published).items()}
    written[schema.name] = schema_page(schema.read_text(encoding="utf-8"), CATALOGUE.published)
    written["images/graph.svg"] = graph_picture()
    for name, text in written.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


@census.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Prints what makes SHELL complete what one writes after `census`: eval "$(census completion bash)".

    It knows commands, options, sources, and the months, countries and models that are published.
    """
    from click.shell_completion import get_completion_class

    if completes := get_completion_class(shell):
        click.echo(completes(census, {}, "census", "_CENSUS_COMPLETE").source())


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
    from pipeline.orchestration.web import serve_ui

    serve_ui(port)
