"""The site is whole, its pages, downloads and SQL say the same, and what others wrote is only ever text."""

import csv
import json
import re
import threading
import urllib.request
from dataclasses import replace
from datetime import date
from html import unescape
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from pipeline import settings
from pipeline.cli.commands import census as commands
from pipeline.definitions import CATALOGUE
from pipeline.errors import CensusError
from pipeline.months import add_months
from pipeline.publish.warehouse import FILE_NAME
from pipeline.report.findings import percent
from pipeline.report.serve import listening
from pipeline.report.site import Edition, Site, file_name, freeze, write_pages
from pipeline.synthetic import LABEL
from pipeline.text import plain
from tests.report.scenario import Month, Page, publication, write
from tests.report.test_report import HOSTILE, facts, published

MONTHS = [
    Month(date(2025, month, 1), {"CN": 100 * month, "US": 300, "unmapped": 50}, "sample", is_synthetic=True)
    for month in (6, 7, 8)
]


def built(folder, fill=lambda folder: publication(folder, MONTHS)):
    folder.mkdir()
    fill(folder)
    write_pages(folder, CATALOGUE)
    return folder / "site"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    return built(tmp_path_factory.mktemp("site") / "published")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    tables = [*published(is_synthetic=True), *facts()]
    return built(tmp_path_factory.mktemp("hostile") / "published", lambda folder: write(folder, tables))


def pages_of(site):
    return sorted(site.rglob("*.html"))


def figures_of(page):
    """The tables that a page offers as JSON, in the order of the page."""
    for tag, found in Page(page.read_text()).elements:
        if tag == "a" and found.get("href", "").endswith(".json"):
            read = json.loads((page.parent / found["href"]).read_text())
            yield from read.get("views", read.get("figures", []))


def test_every_link_leads_somewhere_within_the_site(site, hostile):
    for root in (site, hostile):
        pages = {path: Page(path.read_text()) for path in pages_of(root)}
        for path, page in pages.items():
            for _, found in page.elements:
                for name in {"href", "src"} & found.keys():
                    address, _, place = found[name].partition("#")
                    if found[name].startswith("data:"):
                        continue
                    target = (path.parent / address).resolve() if address else path
                    assert target.is_relative_to(root), (path, found)
                    assert target.is_file(), (path, found)
                    assert not place or place in pages[target].ids, (path, found)


def test_there_is_a_page_for_every_figure_member_and_month(site):
    names = {path.relative_to(site).as_posix() for path in pages_of(site)}
    assert {f"figures/{figure.key}.html" for figure in CATALOGUE.figures} <= names
    assert {f"months/2025-0{month}.html" for month in (6, 7, 8)} <= names
    assert {"index.html", "countries/cn.html", "countries/us.html"} <= names
    assert f"organisations/{file_name('Makers of CN')}.html" in names


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """The site of two complete years and their months."""
    months = [
        Month(add_months(date(2025, 8, 1), -back), {"CN": 800, "US": 100, "unmapped": 50}) for back in range(23, -1, -1)
    ]
    return built(tmp_path_factory.mktemp("measured") / "published", lambda folder: publication(folder, months))


def test_two_members_stand_beside_each_other_in_months_and_in_complete_years(measured):
    pages = measured / "compare"
    assert {path.name for path in pages.glob("countries-*.html")} == {"countries-cn-us.html"}
    text = unescape((pages / "countries-cn-us.html").read_text())
    assert "Models published from China took 84.2% of the downloads of new models in the year to August 2025" in text
    assert "Models published from the United States took 10.5%" in text
    assert "China is ahead whatever the unmapped organisations are." in text
    by_month, by_year = json.loads((pages / "countries-cn-us-comparison.json").read_text())["views"]
    assert len(by_month["rows"]) == 2 * 24
    assert [row[:2] for row in by_year["rows"]][-2:] == [["2025-08", "China"], ["2025-08", "United States"]]
    assert len(by_year["rows"]) == 2 * 13
    assert "each complete year by its last month" in by_year["statement"]["Period"]


def test_every_share_that_a_page_of_countries_says_stands_in_its_tables(site):
    for path in [*(site / "compare").glob("*-*.html"), *(site / "countries").glob("??.html")]:
        shares = {
            percent(value)
            for view in figures_of(path)
            for row in view["rows"]
            for column, value in zip(view["columns"], row, strict=True)
            if column["kind"] == "share"
        }
        said = re.findall(r"\d+\.\d+%", " ".join(re.findall(r"<(?:p|li)[^>]*>([^<]*)</", path.read_text())))
        assert said
        assert set(said) <= shares, path


def test_every_page_says_that_it_is_synthetic_and_how_to_cite_it(site):
    for path in pages_of(site):
        text = unescape(path.read_text())
        assert LABEL in text
        assert f"{{{LABEL}. " in text, "BibTeX"
        assert "CSL-JSON" in text


def files_of(site):
    return {path.relative_to(site).as_posix(): path.read_bytes() for path in site.rglob("*") if path.is_file()}


def test_two_processes_write_the_pages_that_one_writes(site, tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.report.site.SHARED", 2)
    assert files_of(built(tmp_path / "published")) == files_of(site)


def test_what_stops_the_second_process_stops_the_publication(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.report.site.SHARED", 2)
    monkeypatch.setattr(Site, "write_shared", lambda site, taken: None)  # so all are left to the second
    countries, *rest = CATALOGUE.pages
    first, *others = countries.figures
    order = first.sql.rpartition("order by")[2]
    broken = f"select * from ({first.sql}) where if($member = 'US', error('no page'), true) order by {order}"
    broken_pages = replace(countries, figures=(replace(first, sql=broken), *others))
    publication(tmp_path, MONTHS)
    with pytest.raises(CensusError, match="the second process that writes pages ended with 1"):
        write_pages(tmp_path, replace(CATALOGUE, pages=(broken_pages, *rest)))


def test_a_long_list_of_members_is_on_several_pages_that_lead_to_each_other(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.report.site.LISTED", 1)
    countries = built(tmp_path / "published") / "countries"
    for page, member, other in (("index", "cn.html", "index-2.html"), ("index-2", "us.html", "index.html")):
        links = {
            found.get("href") for tag, found in Page((countries / f"{page}.html").read_text()).elements if tag == "a"
        }
        assert {f"../countries/{member}", other} <= links
    assert len((countries / "index.csv").read_text().splitlines()) == 3


def test_what_is_measured_is_nowhere_called_synthetic(measured):
    for path in pages_of(measured):
        without_sql = re.sub(r"<(pre|script).*?</\1>", "", path.read_text(), flags=re.DOTALL)
        assert "synthetic" not in without_sql.lower(), path


def test_every_table_is_what_its_downloads_and_its_sql_give(site):
    checked = 0
    with duckdb.connect(str(site.parent / FILE_NAME), read_only=True) as warehouse:
        for path in [*site.glob("*/*.html")]:
            tables = Page(path.read_text()).tables
            figures = [figure for figure in figures_of(path) if figure["rows"]]
            for table, figure in zip(tables, figures, strict=bool(figures)):
                headings, *rows = table
                assert headings == [column["heading"] for column in figure["columns"]]
                assert len(rows) == len(figure["rows"])
                checked += 1
                if "sql" in figure:
                    found = warehouse.sql(figure["sql"])
                    places = [found.columns.index(column["name"]) for column in figure["columns"]]
                    for given, row in zip(found.fetchall(), figure["rows"], strict=True):
                        for place, value in zip(places, row, strict=True):
                            if isinstance(value, float):
                                assert float(given[place]) == pytest.approx(value)
    assert checked > 20


def test_a_csv_holds_the_rows_of_the_table_beside_it(site):
    for path in site.glob("*/*.html"):
        page = Page(path.read_text())
        links = [found["href"] for tag, found in page.elements if tag == "a" and found.get("href", "").endswith(".csv")]
        tables = page.tables
        for name, table in zip(links, tables, strict=False) if len(links) == len(tables) else ():
            headings, *rows = list(csv.reader((path.parent / name).read_text().splitlines()))
            assert len(rows) == len(table) - 1
            assert len(headings) == len(table[0])
            for row, shown in zip(rows, table[1:], strict=True):
                for value, cell in zip(row, shown, strict=True):
                    assert same(value, cell), (path, name, value, cell)


def same(value, cell):
    """Whether a cell of a page shows a value of a CSV file, to the digits of the cell."""
    if cell == "none":
        return value == ""
    if number := re.fullmatch(r"([\d,.]+)(%?)", cell):
        shown = float(number[1].replace(",", ""))
        digits = len(number[1].partition(".")[2])
        given = float(value) * (100 if number[2] else 1) if not re.fullmatch(r"\d{4}-\d{2}", value) else None
        return given is None or abs(shown - given) <= 0.51 * 10**-digits or abs(shown * 1e9 - given) < 1e9
    return True


def test_hostile_names_are_text_in_pages_and_in_the_names_of_files(hostile):
    for path in hostile.rglob("*"):
        assert re.fullmatch(r"[\w.-]+", path.name, re.ASCII), path
    for path in pages_of(hostile):
        text = path.read_text()
        assert not set(text) & {"\u202e", "\x1b"}
        for tag, found in Page(path.read_text()).elements:
            assert tag not in {"img", "iframe", "object", "b"}, path
            assert not [name for name in found if name.startswith("on")], (path, found)
            assert tag != "script" or found.get("type") == "application/json" or found["src"].endswith("site.js")
    shown = unescape((hostile / "figures" / "built-on.html").read_text())
    for name in HOSTILE:
        assert plain(name) in shown


def test_names_of_files_differ_where_names_do_and_are_safe_on_every_file_system():
    names = [*HOSTILE, "Ai2", "AI2", "con", "CN", "cn", "..", "a/b", "a b", "", "\u4e2d\u6587", "x" * 300]
    files = [file_name(name) for name in names]
    assert len({file.casefold() for file in files}) == len(names)
    for file in files:
        assert re.fullmatch(r"[a-z0-9][a-z0-9-]{0,60}", file)
        assert file not in {"con", "nul", "aux", "index"}


def test_a_version_stays_at_its_own_address_when_another_is_published(site, tmp_path):
    [version] = [path.name for path in (site / "v").glob("*/")]
    frozen = {path.relative_to(site): path.read_bytes() for path in (site / "v").glob("*/**/*") if path.is_file()}
    assert {path.relative_to(f"v/{version}") for path in frozen} == {
        path.relative_to(site) for path in site.rglob("*") if path.is_file() and "v" not in path.relative_to(site).parts
    } - {Path("current.js")}
    folder = tmp_path / "later"
    folder.mkdir()
    publication(folder, MONTHS[:2])
    with duckdb.connect(str(folder / FILE_NAME)) as warehouse:
        warehouse.sql("update _census set version = 'later'")
    write_pages(folder, CATALOGUE, site.parent.parent)
    later = folder / "site"
    assert {path.name for path in (later / "v").glob("*/")} == {version, "later"}
    assert set(re.findall(r'<a href="(\w+)/index.html">', (later / "v" / "index.html").read_text())) == {
        version,
        "later",
    }
    for path, content in frozen.items():
        assert (later / path).read_bytes() == content
    assert json.loads((later / "current.js").read_text().partition("= ")[2].strip(";\n")) == "later"
    assert not (later / "months" / "2025-08.html").exists()
    assert (later / "v" / version / "months" / "2025-08.html").exists()


def test_of_many_versions_the_newest_stay_and_the_list_names_them_all(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.report.site.FROZEN_KEPT", 2)
    for version in ("1", "2", "3", "4"):
        folder = tmp_path / version
        (folder / "site").mkdir(parents=True)
        (folder / "site" / "index.html").write_text(version)
        freeze(folder / "site", Edition(version, "2025-09-01 00:00 UTC", "1", [date(2025, 8, 1)], ""), tmp_path)
    assert {path.name for path in (folder / "site" / "v").glob("*/")} == {"3", "4"}
    listed = (folder / "site" / "v" / "index.html").read_text()
    assert [name for name in "1234" if f"{name}, whose pages are not kept any more" in listed] == ["1", "2"]


def test_what_changed_adds_up_to_the_difference_of_two_months(site):
    for path in [*site.glob("countries/??.html"), *site.glob("organisations/*-*.html")]:
        by_month, change, _ = figures_of(path)
        columns = [column["name"] for column in by_month["columns"]]
        rows = [dict(zip(columns, row, strict=True)) for row in by_month["rows"]]
        before, now = (row["downloads"] for row in rows if row["counted"] == "By uploader" and row["month"] > "2025-06")
        whole = [row for row in change["rows"] if row[1] == "all of them"]
        assert sum(row[-1] for row in whole) == pytest.approx(now - before, abs=0.01)
        for kind in whole:
            models = [row for row in change["rows"] if row[0] == kind[0] and row is not kind]
            assert [row[-1] for row in models] == sorted((row[-1] for row in models), key=abs, reverse=True)
            assert kind[0] == "not listed one by one" or 1 <= len(models) <= kind[2]
            assert len(models) < (kind[2] or 1) or sum(row[-1] for row in models) == pytest.approx(kind[-1], abs=0.01)


@pytest.fixture
def run(site, monkeypatch):
    """Runs a command over a home in which the site is published."""

    def invoke(*arguments):
        monkeypatch.setattr(settings, "published_folder", lambda: site.parent)
        return CliRunner().invoke(commands, arguments)

    return invoke


def test_one_figure_is_printed_as_text_json_csv_or_picture(run, site):
    text = run("figure", "countries").stdout
    assert text.startswith(f"{LABEL}. Share of model downloads by country")
    assert "2025-06 (trailing" in run("figure", "countries", "--last-month", "2025-06").stdout
    assert run("figure", "countries", "--csv").stdout == (site / "figures" / "countries.csv").read_text()
    assert run("figure", "countries", "--json").stdout.strip() == (site / "figures" / "countries.json").read_text()
    assert run("figure", "countries", "--png").stdout_bytes.startswith(b"\x89PNG")
    unknown = run("figure", "contries")
    assert isinstance(unknown.exception, CensusError)
    assert "countries, map, leading-countries" in str(unknown.exception)


def test_the_pages_are_found_and_served_on_loopback_alone(run, site):
    assert run("site").stdout.strip() == str(site / "index.html")
    with listening(site, 0) as server:
        assert server.server_address[0] == "127.0.0.1"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/countries/cn.html"
        with urllib.request.urlopen(address) as answer:
            assert answer.read() == (site / "countries" / "cn.html").read_bytes()
        with pytest.raises(CensusError, match="cannot be listened on"):
            listening(site, server.server_port)
        server.shutdown()
