"""The pages of a publication: the site, which needs no server, and its front page and figures as one file, the report.

    site/
      index.html, figures/, countries/, organisations/, families/, compare/, months/   the current version
      v/<version>/                                                    the same of each version, never changed

Pages name each other by relative addresses, so the site opens from a folder. They are whole without scripts; with them
the charts are drawn anew as wide as there is space, say their values, and let members be chosen.
"""

from __future__ import annotations

import gc
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache, partial
from hashlib import sha256
from itertools import combinations
from multiprocessing import get_context
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

import duckdb
import jinja2
from markupsafe import Markup

from pipeline.errors import CensusError
from pipeline.months import add_months, in_words, next_month, previous_month
from pipeline.report import charts
from pipeline.report.figures import (
    REPORT_NAME,
    SITE,
    TEXTS,
    Definition,
    FigureReader,
    ReadFigure,
    Row,
    draw,
    headline_definition,
    open_warehouse,
    rows_as_csv,
    rows_of,
    written,
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
from pipeline.report.pictures import Picture, pictures_of
from pipeline.report.statements import MONTH_BY_MONTH, Period, read_period
from pipeline.schema.catalogue import Catalogue
from pipeline.schema.figure import Figure, MemberPages, Shown
from pipeline.text import in_html, plain
from pipeline.wording import counted

TEMPLATES = Path(__file__).with_name("templates")
FRONT_CHART, HEADLINE = "leading-countries", "countries"
"""The figures of which the front page is made."""
SCRIPT, STYLE, RUNTIME, CURRENT = "site.js", "style.css", "vega.js", "current.js"
FROZEN, LIST, FROZEN_KEPT = "v", "versions.json", 60
"""Versions that stay at their own addresses; of older ones the list names the version."""
COMPARED = 6
"""Leading members of each kind: any two of them have a page."""
CHARACTERS_OF_A_NAME = 40
"""In the name of a member's file."""
MOST_READ, LEAST_READ = 400, 50
"""Members whose figures are read by one query: fewer towards the end, so that both processes end together."""
LISTED = 400
"""Members on one page of their list."""
SHARED = 100
"""Pages of members and months from which on a second process shares the work: it takes two seconds to start."""


@dataclass(frozen=True)
class Edition:
    """Which publication a page is of; `label` is what is said of it where any of it is synthetic."""

    version: str
    published_at: str
    code_version: str
    months: Sequence[date]
    label: str


def read_edition(connection: duckdb.DuckDBPyConnection) -> Edition:
    """The publication that a warehouse is of."""
    [(version, published_at, code_version)] = connection.sql(
        """
        select any_value(version), strftime(max(published_at), '%Y-%m-%d %H:%M UTC'), any_value(code_version)
        from _census
        """
    ).fetchall()
    period = read_period(connection, MONTH_BY_MONTH)
    return Edition(version, published_at, code_version, period.months, period.label())


def templates(**known: Any) -> jinja2.Environment:
    """The templates of pages: all text is escaped, and what would turn its direction is written out."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value,
    )
    environment.globals |= {
        "bibtex": lambda text: re.sub(r"([\\{}%&$#_~^])", lambda found: f"\\char{ord(found[1])} ", text),
        "chart_words": charts.in_words,
        "counted": counted,
        "drawing": lambda view: Markup(view.svg),  # noqa: S704 - of data, never of markup
        "file_name": file_name,
        "finding_of": lambda chart, rows: f"As measured: {charts.in_words(chart, rows, charts.TOLD_FIRST)}",
        "in_words": in_words,
        "revisions": lru_cache(maxsize=64)(_revisions),
        "spec": _spec,
        "style": Markup((TEMPLATES / STYLE).read_text(encoding="utf-8")),  # noqa: S704 - ours
        "class_of": _class_of,
        "table_rows": _table_rows,
        "written": written,
    }
    environment.globals |= known
    return environment


def _class_of(shown: Shown) -> Markup:
    """The class of a column's cells; numbers, which are most of a table, have none."""
    named = "text" if shown.kind in ("country", "member") else shown.kind
    return Markup(f' class="{named}"' if shown.kind in TEXTS else "")  # noqa: S704 - declared words


def _spec(drawing: charts.Drawing) -> Markup:
    """The chart as scripts read it: of its points first the names of what they have, once for all of them."""
    given = drawing.values["points"]
    names = list(dict.fromkeys(name for point in given for name in point))
    points = [names, *([point.get(name) for name in names] for point in given)]
    text = json.dumps(drawing.spec | {"datasets": {**drawing.values, "points": points}}, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))  # noqa: S704 - no markup can begin in it


def _revisions(period: Period) -> Markup:
    """What each month was read from, as the items of a list."""
    item = Markup("<li>{} <code>{}</code></li>\n").format
    return Markup("").join(item(written(facts.month, "month"), plain(facts.source_revision)) for facts in period.held)


def _table_rows(columns: Sequence[Shown], rows: Sequence[Row], links: Mapping[str, str], root: str) -> Markup:
    """The body of a table; names lead to their pages where they stand first."""
    classes = {shown.column: _class_of(shown) for shown in columns}
    linked: set[str] = set()

    def cell(value: Any, shown: Shown) -> str:
        if value is None:
            return '<span class="absent">none</span>'
        text = written(value, shown.kind)
        if shown.kind not in TEXTS:
            return text
        text = in_html(text)
        if not text.isascii():
            text = f"<bdi>{text}</bdi>"
        if shown.kind not in ("country", "text") or value not in links or value in linked:
            return text
        linked.add(value)
        return f'<a href="{root}{links[value]}">{text}</a>'

    lines = []
    for row in rows:
        first, *others = ((f"{classes[shown.column]}>", cell(row[shown.column], shown)) for shown in columns)
        cells = "".join(f"<td{opened}{text}</td>" for opened, text in others)
        lines.append(f'<tr><th scope="row"{first[0]}{first[1]}</th>{cells}</tr>\n')
    return Markup("".join(lines))  # noqa: S704 - each cell is escaped


class Site:
    """Writes the pages of one publication, read from its open warehouse, into a folder."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, catalogue: Catalogue, folder: Path) -> None:
        self._connection = connection
        self._catalogue = catalogue
        self._folder = folder
        self._definition = headline_definition(connection)
        self._reader = FigureReader(connection, self._definition)
        self._edition = read_edition(connection)
        self._members = {pages: self._reader.members(pages) for pages in catalogue.pages}
        links: dict[str, str] = {}
        for pages, those in reversed(self._members.items()):  # a name that is of several kinds leads to the first
            links |= {member["member"]: f"{pages.kind}/{file_name(member['key'])}.html" for member in those}
        self._templates = templates(edition=self._edition, links=links)

    def write(self) -> list[Picture]:
        """Every page, with what can be downloaded from it; the pictures of all figures."""
        for folder in ("figures", "months", "compare", *(pages.kind for pages in self._members)):
            (self._folder / folder).mkdir(parents=True)
        for name in (SCRIPT, STYLE):
            shutil.copyfile(TEMPLATES / name, self._folder / name)
        with self._second_process() as taken:
            read = [self._reader.read(figure) for figure in self._catalogue.figures]
            pictures = [picture for figure in read for picture in self._figure(figure)]
            self._page("figures/index.html", "Figures", "figures.html", {"figures": read})
            self._front(read)
            self._page("months/index.html", "Months", "months.html", {})
            for pages in self._members:
                self._list_of(pages)
            compared = {
                pages.kind: {title: f"{stem}.html" for _, title, stem in self._pairs(pages)} for pages in self._members
            }
            self._page("compare/index.html", "Compare", "comparisons.html", {"compared": compared, "most": COMPARED})
            self.write_shared(taken)
        return pictures

    @contextmanager
    def _second_process(self) -> Iterator[Synchronized[int]]:
        """How much of what is shared is taken: where there are many pages, a second process takes some too."""
        context = get_context("spawn")
        taken = context.Value("i")
        if sum(map(len, [self._edition.months, *self._members.values()])) < SHARED:
            yield taken
            return
        given = (self._folder, Catalogue(figures=self._catalogue.figures, pages=self._catalogue.pages), taken)
        process = context.Process(target=_write_shared, args=given, daemon=True)
        process.start()
        try:
            yield taken
            process.join()
        finally:
            process.terminate()
        if process.exitcode:
            raise CensusError(f"the second process that writes pages ended with {process.exitcode}: its error is above")

    def _front(self, read: Sequence[ReadFigure]) -> None:
        by_key, last = {figure.figure.key: figure for figure in read}, self._edition.months[-1]
        front = {
            "finding": self._finding(self._definition),
            "changes": self._changes(self._definition),
            "read": by_key[FRONT_CHART],
            "headline": by_key[HEADLINE],
            "figures": read,
            "members": {pages.kind: members for pages, members in self._members.items()},
            "last": in_month(last),
            "next_month": in_month(next_month(last)),
            "due": f"1 {in_month(next_month(next_month(last)))}",
        }
        self._page("index.html", "", "index.html", front)
        self._page(f"../{REPORT_NAME}", "", "report.html", front)

    def _figure(self, read: ReadFigure) -> list[Picture]:
        key = read.figure.key
        files, pictures = self._downloads(f"figures/{key}", [read]), pictures_of(read)
        for picture in pictures:
            (self._folder / f"figures/{key}.png").write_bytes(picture.image)
            files[key].append(("PNG", f"{key}.png"))
        self._page(f"figures/{key}.html", read.figure.title, "figure_page.html", {"read": read, "files": files})
        return pictures

    def write_shared(self, taken: Synchronized[int]) -> None:
        """What pages draw with, comparisons, members and months, as long as some are not taken by either process."""
        shared: list[Callable[[], None]] = [
            lambda: self._write(RUNTIME, charts.runtime()),
            *(partial(self._comparisons, pages) for pages in self._members),
            *(
                partial(self._portion, pages, portion)
                for pages, members in self._members.items()
                for portion in _portions(members)
            ),
            *(partial(self._month, place) for place in range(len(self._edition.months))),
        ]
        gc.freeze()  # what is loaded need not be looked through again and again while rows come and go
        while (place := _next_of(taken)) < len(shared):
            shared[place]()
        gc.unfreeze()

    def _portion(self, pages: MemberPages, members: Sequence[Row]) -> None:
        keys = [member["key"] for member in members]
        read = [self._reader.read_each(figure, keys) for figure in pages.figures]
        draw([view for of_figure in read for figure in of_figure for view in figure.views])
        for member, *figures in zip(members, *read, strict=True):
            self._member(pages, member, figures)

    def _list_of(self, pages: MemberPages) -> None:
        """The list of the members with pages, the largest first."""
        members = self._members[pages]
        self._write(f"{pages.kind}/index.csv", rows_as_csv(pages.columns, members))
        starts = range(0, max(len(members), 1), LISTED)
        lists = ["index.html", *(f"index-{place}.html" for place in range(2, len(starts) + 1))]
        population = POPULATIONS[self._definition.population]
        given = {"pages": pages, "lists": lists, "period": self._period(), "population": population}
        for start, name in zip(starts, lists, strict=True):
            given |= {"members": members[start : start + LISTED], "name": name}
            self._page(f"{pages.kind}/{name}", pages.kind.capitalize(), "members.html", given)

    def _member(self, pages: MemberPages, member: Row, figures: Sequence[ReadFigure]) -> None:
        name, stem = member["member"], f"{pages.kind}/{file_name(member['key'])}"
        share = Measured(name, self._period(), *(member[column] for column in ("share", "share_low", "share_high")))
        view = figures[0].views[0]
        found = _by_month((row for row in view.rows if row["counted"] == view.rows[0]["counted"]), "month", name)
        last_two = [
            found.get((month, name)) for month in (view.period.months[-1], previous_month(view.period.months[-1]))
        ]
        changes = [change_of(now, before) for now, before in [last_two] if now and before]
        self._of_members(stem, name, pages.kind, ([self._of_member(pages, share)], changes), figures)

    def _period(self) -> str:
        of = self._definition
        return in_period(of.period, of.last_month, of.months_in_period, is_complete=of.is_complete)

    def _of_members(
        self, stem: str, title: str, kind: str, said: tuple[list[str], list[str]], figures: Sequence[ReadFigure]
    ) -> None:
        given = {"kind": kind, "figures": figures, "files": self._downloads(stem, figures, title)}
        given |= {"finding": " ".join(said[0]), "changes": said[1]}
        self._page(f"{stem}.html", title, "member.html", given)

    def _pairs(self, pages: MemberPages) -> Iterator[tuple[Sequence[Row], str, str]]:
        """Each two of the leading members, with the title of their page and the name of its file."""
        for both in combinations(self._members[pages][:COMPARED], 2):
            title = " and ".join(member["member"] for member in both)
            yield both, title, "-".join([pages.kind, *(file_name(member["key"]) for member in both)])

    def _comparisons(self, pages: MemberPages) -> None:
        """A page for each two of the leading members."""
        for both, title, stem in self._pairs(pages):
            read = self._reader.read(pages.comparison, [member["key"] for member in both])
            said = self._compared(pages, read, [member["member"] for member in both])
            self._of_members(f"compare/{stem}", title, "compare", said, [read])

    def _compared(self, pages: MemberPages, read: ReadFigure, names: list[str]) -> tuple[list[str], list[str]]:
        """What is said of two members in the latest year, or month where no year is complete; how each changed."""
        finding: list[str] = []
        changes: list[str] = []
        for view, period, earlier in zip(read.views, ("month", self._definition.period), (-1, -12), strict=True):
            found = _by_month(view.rows, period)
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

    def _month(self, place: int) -> None:
        """The bulletin: the figures over periods as they were with this month as the last."""
        months = self._edition.months
        definition = headline_definition(self._connection, months[place])
        reader = FigureReader(self._connection, definition)
        read = [reader.read(figure) for figure in self._catalogue.figures if figure.over == "period"]
        tables = [figure.as_dict() | {"sql": figure.views[0].sql} for figure in read]
        stem = f"months/{months[place]:%Y-%m}"
        self._write(f"{stem}.json", json.dumps({"version": self._edition.version, "figures": tables}))
        given = {
            "finding": self._finding(definition),
            "changes": self._changes(definition),
            "figures": read,
            "before": months[max(place - 1, 0) : place],
            "after": months[place + 1 : place + 2],
        }
        self._page(f"{stem}.html", in_month(months[place]), "month.html", given)

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

    def _downloads(self, stem: str, figures: Sequence[ReadFigure], of: str = "") -> dict[str, list[tuple[str, str]]]:
        """Writes the figures' tables as CSV and JSON, and charts as SVG; by figure, what each file is and its name."""
        files: dict[str, list[tuple[str, str]]] = {}
        for read in figures:
            name = stem if stem.endswith(f"/{read.figure.key}") else f"{stem}-{read.figure.key}"
            forms = {f"{name}.json": ("JSON", read.as_json(self._edition.version))}
            for place, view in enumerate(read.views):
                of_view, said = ("", "") if len(read.views) == 1 else (f"-{file_name(view.name, digits=0)}", view.name)
                of_view = of_view if place else ""
                forms[f"{name}{of_view}.csv"] = (f"CSV {said}", read.as_csv(place))
                if view.drawing:
                    title = ": ".join(part for part in (of, read.figure.title, said) if part)
                    forms[f"{name}{of_view}.svg"] = (f"SVG {said}", charts.picture(view.svg, title))
            for address, (_, text) in forms.items():
                self._write(address, text)
            files[read.figure.key] = [(said.strip(), Path(address).name) for address, (said, _) in forms.items()]
        return files

    def _page(self, address: str, title: str, template: str, values: Mapping[str, Any]) -> None:
        root = "../" * address.removeprefix("../").count("/")
        given = {"address": address, "root": root, "title": title, "alone": address.startswith("../")}
        self._write(address, self._templates.get_template(template).render({**given, **values}))

    def _write(self, address: str, text: str) -> None:
        (self._folder / address).write_text(text, encoding="utf-8")


def _portions(members: Sequence[Row]) -> Iterator[Sequence[Row]]:
    while members:
        size = min(MOST_READ, max(LEAST_READ, len(members) // 4))
        yield members[:size]
        members = members[size:]


def _next_of(taken: Synchronized[int]) -> int:
    with taken.get_lock():
        taken.value += 1
        return taken.value - 1


def _write_shared(folder: Path, catalogue: Catalogue, taken: Synchronized[int]) -> None:
    with open_warehouse(folder.parent) as connection:
        Site(connection, catalogue, folder).write_shared(taken)


def write_pages(folder: Path, catalogue: Catalogue, versions: Path | None = None) -> list[Picture]:
    """Writes report and site of the warehouse in `folder` beside it; the pictures of all figures.

    The site carries along what the sites in `versions`, the folder of the versions that are kept, have at their frozen
    addresses. A figure without values is there and says so.

    Raises:
        CensusError: the warehouse holds no shares.
    """
    with open_warehouse(folder) as connection:
        pictures = Site(connection, catalogue, folder / SITE).write()
        freeze(folder / SITE, read_edition(connection), versions)
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


def freeze(folder: Path, edition: Edition, versions: Path | None) -> None:
    """Puts the site's files under the version's own address too, and there those that the sites in `versions` have.

    Nothing is copied where the file system knows links: they are the same files under a second name. The newest
    `FROZEN_KEPT` versions stay; a page lists them, and the names of those before.
    """
    frozen = folder / FROZEN
    shutil.copytree(folder, frozen / edition.version, copy_function=_link, ignore=shutil.ignore_patterns(FROZEN))
    there = sorted(versions.glob(f"[!.]*/{SITE}/{FROZEN}/*")) if versions else []
    earlier = {path.name: path for path in there if path.is_dir() and path.name != edition.version}
    lists = [json.loads(path.read_text(encoding="utf-8")) for path in there if path.name == LIST]
    kept = sorted(earlier, reverse=True)[: FROZEN_KEPT - 1]
    for name in kept:
        shutil.copytree(earlier[name], frozen / name, copy_function=_link)
    names = sorted({edition.version, *earlier}.union(*lists), reverse=True)
    (frozen / LIST).write_text(json.dumps(names), encoding="utf-8")
    given = {"address": f"{FROZEN}/index.html", "root": "../", "title": "Versions", "alone": False}
    page = templates(edition=edition, links={}).get_template("versions.html")
    text = page.render(given | {"names": names, "kept": {edition.version, *kept}})
    (frozen / "index.html").write_text(text, encoding="utf-8")
    (folder / CURRENT).write_text(f"window.censusCurrent = {json.dumps(edition.version)};\n", encoding="utf-8")


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


def _by_month(rows: Iterable[Row], period: str, name: str = "") -> dict[tuple[date, str], Measured]:
    """Members' shares of the periods that end with each month; the rows of one member need not name it."""
    return {
        (row["month"], name or row["member"]): Measured(
            name or row["member"],
            in_period(period, row["month"], 12, is_complete=True),
            *(row[column] for column in ("share", "share_low", "share_high", "basis")),
        )
        for row in rows
        if row["share"] is not None and row["share_high"] is not None
    }
