"""The pages of a publication: the report as one file, and the site, which needs no server.

`report.html` holds the figures; the site has a page for each figure, country, organisation, family and month,
and one for each two of the leading ones of a kind.

    site/
      index.html, figures/, countries/, organisations/, families/, compare/, months/   the current version
      v/<version>/                                                    the same of each version, never changed

Pages name each other by relative addresses, so the site opens from a folder. They are whole without scripts; the one
script says values where one points, and that a newer version is there.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from hashlib import sha256
from itertools import combinations
from pathlib import Path
from typing import Any

import duckdb
import jinja2

from pipeline.errors import CensusError
from pipeline.months import add_months, next_month, previous_month
from pipeline.report.figures import (
    Definition,
    FigureReader,
    ReadFigure,
    Row,
    View,
    headline_definition,
    open_warehouse,
    rows_as_csv,
    rows_of,
)
from pipeline.report.findings import (
    POPULATIONS,
    Measured,
    change_of,
    headline_of,
    in_month,
    in_period,
    member_of,
    order_of,
    with_article,
)
from pipeline.report.pages import TEMPLATES, Edition, pictures_of, read_edition, templates
from pipeline.report.picture import REPORT_NAME, SITE, Picture
from pipeline.schema.catalogue import Catalogue
from pipeline.schema.figure import Figure, MemberPages

FRONT_CHART, HEADLINE = "leading-countries", "countries"
"""The figures of which the front page is made."""
SCRIPT, STYLE, CURRENT = "site.js", "style.css", "current.js"
COMPARED = 6
"""Leading members of each kind: any two of them have a page."""
CHARACTERS_OF_A_NAME = 40
"""In the name of a member's file."""


class Site:
    """Writes the pages of one publication, read from its open warehouse, into a folder."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, edition: Edition, environment: jinja2.Environment, folder: Path
    ) -> None:
        self._connection = connection
        self._edition = edition
        self._environment = environment
        self._folder = folder
        self._definition = headline_definition(connection)
        months = connection.sql("select month from dim_month order by month").fetchall()
        self._links: dict[str, str] = {}
        environment.globals |= {"links": self._links, "file_name": file_name}
        self._months: list[date] = [month for (month,) in months]

    def write(self, catalogue: Catalogue, read: Sequence[ReadFigure], pictures: Iterable[tuple[str, bytes]]) -> None:
        """Every page, with what can be downloaded from it; `pictures` are those of figures, PNG by key."""
        reader = FigureReader(self._connection, self._definition)
        for folder in ("figures", "months", "compare", *(pages.kind for pages in catalogue.pages)):
            (self._folder / folder).mkdir(parents=True)
        for name in (SCRIPT, STYLE):
            shutil.copyfile(TEMPLATES / name, self._folder / name)
        for key, image in pictures:
            (self._folder / "figures" / f"{key}.png").write_bytes(image)
        members = {pages.kind: reader.members(pages) for pages in catalogue.pages}
        for kind, those in reversed(members.items()):  # a name that is of several kinds leads to the first
            self._links |= {member["member"]: f"{kind}/{file_name(member['key'])}.html" for member in those}
        for pages in catalogue.pages:
            self._members(pages, members[pages.kind], reader)
        compared = {
            pages.kind: self._comparisons(pages, members[pages.kind][:COMPARED], reader) for pages in catalogue.pages
        }
        self._page("compare/index.html", "Compare", "comparisons.html", compared=compared, most=COMPARED)
        for figure in read:
            self._figure(figure)
        self._page("figures/index.html", "Figures", "figures.html", figures=read)
        for place, month in enumerate(self._months):
            self._month(month, catalogue, self._months[max(place - 1, 0) : place], self._months[place + 1 : place + 2])
        self._page("months/index.html", "Months", "months.html", months=self._months[::-1])
        self._front(
            {figure.figure.key: figure for figure in read}, {kind: len(those) for kind, those in members.items()}
        )

    def _front(self, figures: dict[str, ReadFigure], kinds: dict[str, int]) -> None:
        last = self._months[-1]
        self._page(
            "index.html",
            "",
            "index.html",
            finding=self._finding(self._definition),
            changes=self._changes(self._definition),
            read=figures[FRONT_CHART],
            headline=figures[HEADLINE],
            kinds=kinds,
            figures_count=len(figures),
            months_count=len(self._months),
            last=in_month(last),
            next_month=in_month(next_month(last)),
            due=f"1 {in_month(next_month(next_month(last)))}",
        )

    def _figure(self, read: ReadFigure) -> None:
        key = read.figure.key
        files = self._downloads(f"figures/{key}", [read])
        if read.figure.chart and read.views[0].rows:
            drawn = str(self._environment.globals["chart_svg"](read, read.views[0], wide=True))  # type: ignore[operator]
            (self._folder / f"figures/{key}.svg").write_text(drawn, encoding="utf-8")
            files[key].append(("SVG", f"{key}.svg"))
        if (self._folder / f"figures/{key}.png").exists():
            files[key].append(("PNG", f"{key}.png"))
        self._page(
            f"figures/{key}.html",
            read.figure.title,
            "figure_page.html",
            read=read,
            files=files,
            months=self._months[::-1] if read.figure.over == "period" else [],
        )

    def _members(self, pages: MemberPages, members: Sequence[Row], reader: FigureReader) -> None:
        """A page for each member, and the list of them."""
        period = in_period(
            self._definition.period,
            self._definition.last_month,
            self._definition.months_in_period,
            is_complete=self._definition.is_complete,
        )
        for member in members:
            shares = Measured(member["member"], period, *(member[n] for n in ("share", "share_low", "share_high")))
            figures = [reader.read(figure, member["key"]) for figure in pages.figures]
            change = _latest_change(figures[0].views[0], member["member"])
            stem = f"{pages.kind}/{file_name(member['key'])}"
            self._page(
                f"{stem}.html",
                member["member"],
                "member.html",
                kind=pages.kind,
                finding=self._of_member(pages, shares),
                changes=[change] if change else [],
                figures=figures,
                files=self._downloads(stem, figures),
            )
        self._write(f"{pages.kind}/index.csv", rows_as_csv(pages.columns, members))
        self._page(
            f"{pages.kind}/index.html",
            pages.kind.capitalize(),
            "members.html",
            pages=pages,
            members=members,
            period=period,
            population=POPULATIONS[self._definition.population],
        )

    def _comparisons(self, pages: MemberPages, members: Sequence[Row], reader: FigureReader) -> dict[str, str]:
        """A page for each two of the members; by its title, its file."""
        written = {}
        for both in combinations(members, 2):
            read = reader.read(pages.comparison, [member["key"] for member in both])
            title = " and ".join(member["member"] for member in both)
            stem = "-".join([pages.kind, *(file_name(member["key"]) for member in both)])
            finding, changes = self._compared(pages, read, [member["member"] for member in both])
            self._page(
                f"compare/{stem}.html",
                title,
                "member.html",
                kind="compare",
                finding=" ".join(finding),
                changes=changes,
                figures=[read],
                files=self._downloads(f"compare/{stem}", [read]),
            )
            written[title] = f"{stem}.html"
        return written

    def _compared(self, pages: MemberPages, read: ReadFigure, names: Sequence[str]) -> tuple[list[str], list[str]]:
        """What is said of two members in the latest year, or month where no year is complete; how each changed."""
        finding: list[str] = []
        changes: list[str] = []
        for view, period, earlier in zip(read.views, ("month", self._definition.period), (-1, -12), strict=True):
            found = {
                (row["month"], row["member"]): Measured(
                    row["member"],
                    in_period(period, row["month"], 12, is_complete=True),
                    *(row[column] for column in ("share", "share_low", "share_high", "basis")),
                )
                for row in view.rows
            }
            last = max((month for month, _ in found), default=None)
            now = [found[last, name] for name in names if last and (last, name) in found]
            if last and len(now) == len(names):
                finding = [*(self._of_member(pages, one) for one in now), order_of(*now)]
                before = add_months(last, earlier)
                changes += [change_of(one, found[before, one.name]) for one in now if (before, one.name) in found]
        return finding, changes

    def _of_member(self, pages: MemberPages, member: Measured) -> str:
        named = with_article(member.name) if pages.columns[0].kind == "country" else member.name
        return member_of(pages.finding, replace(member, name=named), self._definition.population)

    def _month(self, month: date, catalogue: Catalogue, before: Sequence[date], after: Sequence[date]) -> None:
        """The bulletin of a month: the figures over periods as they were with it as the last month."""
        definition = headline_definition(self._connection, month)
        reader = FigureReader(self._connection, definition)
        figures = [reader.read(figure) for figure in catalogue.figures if figure.over == "period"]
        name = f"{month:%Y-%m}"
        written = [figure.as_dict() | {"sql": figure.views[0].sql} for figure in figures]
        self._write(f"months/{name}.json", json.dumps({"version": self._edition.version, "figures": written}))
        self._page(
            f"months/{name}.html",
            in_month(month),
            "month.html",
            finding=self._finding(definition),
            changes=self._changes(definition),
            figures=figures,
            before=before,
            after=after,
        )

    def _finding(self, definition: Definition) -> list[str]:
        leading = self._countries(definition, definition.period, definition.last_month)[:2]
        return headline_of(leading, definition.population)

    def _changes(self, definition: Definition) -> list[str]:
        """How the leading countries' shares changed on the month and on the year before, where both are published."""
        month, said = definition.last_month, []
        names = [leading.name for leading in self._countries(definition, definition.period, month)[:2]]
        for period, before in (("month", previous_month(month)), (definition.period, add_months(month, -12))):
            now, earlier = (
                {found.name: found for found in self._countries(definition, period, last) if found.is_complete}
                for last in (month, before)
            )
            said += [change_of(now[name], earlier[name]) for name in names if name in now and name in earlier]
        return said

    def _countries(self, definition: Definition, period: str, month: date) -> list[Measured]:
        """The countries' shares in a period, the largest first."""
        found = self._connection.sql(
            """
            select country_name, share, share_low, share_high, basis, months_in_period, is_complete
            from country_shares join dim_country on country = member
            where month = $month and "period" = $period and population = $population and attribution = 'uploader'
              and is_country and downloads > 0
            order by downloads desc, member
            """,
            params={"month": month, "period": period, "population": definition.population},
        )
        return [
            Measured(
                row["country_name"],
                in_period(period, month, row["months_in_period"], is_complete=row["is_complete"]),
                *(row[name] for name in ("share", "share_low", "share_high", "basis", "is_complete")),
            )
            for row in rows_of(found)
        ]

    def _downloads(self, stem: str, figures: Sequence[ReadFigure]) -> dict[str, list[tuple[str, str]]]:
        """Writes the figures' tables as CSV and JSON; by figure, what each file is and its name."""
        files: dict[str, list[tuple[str, str]]] = {}
        for read in figures:
            name = stem if stem.endswith(f"/{read.figure.key}") else f"{stem}-{read.figure.key}"
            files[read.figure.key] = []
            for place, view in enumerate(read.views):
                of_view = f"-{file_name(view.name, digits=0)}" if place else ""
                label = f"CSV{f', {view.name}' if len(read.views) > 1 else ''}"
                self._write(f"{name}{of_view}.csv", read.as_csv(place))
                files[read.figure.key].append((label, Path(f"{name}{of_view}.csv").name))
            self._write(f"{name}.json", read.as_json(self._edition.version))
            files[read.figure.key].append(("JSON", Path(f"{name}.json").name))
        return files

    def _page(self, address: str, title: str, template: str, **values: Any) -> None:
        root = "../" * address.count("/")
        page = self._environment.get_template(template).render(
            address=address,
            root=root,
            title=title,
            edition=self._edition,
            **values,
        )
        self._write(address, page)

    def _write(self, address: str, text: str) -> None:
        (self._folder / address).write_text(text, encoding="utf-8")


def write_pages(folder: Path, catalogue: Catalogue, versions: Path | None = None) -> list[Picture]:
    """Writes report and site of the warehouse in `folder` beside it; pictures of the figures that are pictured.

    The site carries along what the sites in `versions`, the folder of the versions that are kept, have at their frozen
    addresses. A figure without values is there and says so.

    Raises:
        CensusError: the warehouse holds no shares.
    """
    environment = templates()
    with open_warehouse(folder) as connection:
        reader = FigureReader(connection, headline_definition(connection))
        read = [reader.read(figure) for figure in catalogue.figures]
        edition = read_edition(connection)
        page = environment.get_template("report.html").render(edition=edition, figures=read)
        (folder / REPORT_NAME).write_text(page, encoding="utf-8")
        pictures = [picture for figure in read if figure.figure.is_pictured for picture in pictures_of(figure)]
        site = Site(connection, edition, environment, folder / SITE)
        site.write(catalogue, read, [(picture.key, picture.image) for picture in pictures])
    freeze(folder / SITE, edition.version, versions)
    return pictures


def read_one(
    folder: Path, figures: Iterable[Figure], key: str, last_month: date | None = None
) -> tuple[ReadFigure, str]:
    """The declared figure of that key from the warehouse published in `folder`, and the version.

    Raises:
        CensusError: nothing is published, or not that month, or no figure has the key.
    """
    by_key = {figure.key: figure for figure in figures}
    if key not in by_key:
        raise CensusError(f"no figure {key!r} is declared: choose one of {', '.join(by_key)}")
    with open_warehouse(folder) as connection:
        reader = FigureReader(connection, headline_definition(connection, last_month))
        return reader.read(by_key[key]), read_edition(connection).version


def freeze(folder: Path, version: str, versions: Path | None) -> None:
    """Puts the site's files under the version's own address too, and there those that the sites in `versions` have.

    Nothing is copied where the file system knows links: they are the same files under a second name.
    """
    shutil.copytree(folder, folder / "v" / version, copy_function=_link, ignore=shutil.ignore_patterns("v"))
    for earlier in sorted(versions.glob(f"[!.]*/{SITE}/v/*")) if versions else []:
        if not (folder / "v" / earlier.name).exists():
            shutil.copytree(earlier, folder / "v" / earlier.name, copy_function=_link)
    (folder / CURRENT).write_text(f"window.censusCurrent = {json.dumps(version)};\n", encoding="utf-8")


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def file_name(name: str, digits: int = 8) -> str:
    """A name for a member's file that any file system and address takes, and that no other member has.

    Codes of countries are their own; others get digits of their digest, which keeps apart what differs in case or in
    characters that a file cannot be called.
    """
    if re.fullmatch("[A-Z]{2}", name):
        return name.lower()
    readable = re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-")[:CHARACTERS_OF_A_NAME]
    digest = sha256(name.encode()).hexdigest()[:digits]
    return "-".join(part for part in (readable, digest) if part)


def _latest_change(view: View, name: str) -> str:
    """How the member's share changed in the last month, by the first figure of its page."""
    facts = {facts.month: facts for facts in view.period.held}
    counted = [row for row in view.rows if row["counted"] == view.rows[0]["counted"]]
    last = max(facts, default=None)
    found = {
        row["month"]: Measured(
            name, in_month(row["month"]), row["share"], row["share_low"], row["share_high"], facts[row["month"]].basis
        )
        for row in counted
        if last and row["month"] in (last, previous_month(last)) and None not in (row["share"], row["share_high"])
    }
    return change_of(found[last], found[previous_month(last)]) if last and len(found) == 2 else ""
