"""The report says what every figure is of, shows names as text, and has a place for what is not there."""

import re
from datetime import UTC, date, datetime
from html import unescape
from html.parser import HTMLParser

import duckdb
import polars as pl
import pytest

from pipeline.definitions import CATALOGUE
from pipeline.publish.report import write_report
from pipeline.publish.report_charts import Bar, Bars, Cell, Grid, Panels, Part, Point, Stack, svg
from pipeline.publish.warehouse import FILE_NAME
from pipeline.schema.declaration import DECIMAL
from pipeline.synthetic import LABEL
from pipeline.text import plain

MONTHS = (date(2025, 7, 1), date(2025, 8, 1))
HOSTILE = (
    "maker/<script>alert(1)</script>",
    'maker/"onmouseover="alert(1)',
    "maker/'><img src=x onerror=alert(1)>",
    "maker/\u202egnp.exe",
    "maker/&lt;b&gt;",
    "maker/]]></style>",
    "maker/${1}{{datum}}currentColor",
)
TERMS = ("Window", "Population", "Attribution", "Denominator", "Coverage", "Basis", "Source")
FIGURES = (
    "countries",
    "countries-over-time",
    "organisations",
    "families-over-time",
    "built-on",
    "flows",
    "licences",
    "modality",
    "sizes",
    "sizes-over-time",
    "concentration",
    "cadence",
    "coverage",
    "months",
)
DEFAULTS = {
    pl.String: "text",
    pl.Int32: 1,
    pl.Int64: 1,
    pl.Float64: 0.5,
    DECIMAL: 0.5,
    pl.Boolean: True,
    pl.Date: MONTHS[-1],
}


def rows_of(table, *given):
    """Rows of a table of which only what matters is given."""

    def value(column):
        return datetime(2025, 9, 1, tzinfo=UTC) if isinstance(column.type, pl.Datetime) else DEFAULTS[column.type]

    filled = [{column.name: value(column) for column in table.columns} | row for row in given]
    return table, pl.DataFrame(filled, schema=table.schema)


def published(name):
    return CATALOGUE.published[name].table


def shares(table, members, **more):
    common = {"population": "new", "denominator": 1000.0, "coverage": 0.9, "basis": "all_time_delta"} | more
    return rows_of(
        table,
        *(
            {"month": month, "window": window, "attribution": attribution, "member": member, "is_complete": False}
            | {"months_in_window": 1 + MONTHS.index(month), "downloads": 100.0 * place, "share": 0.1 * place}
            | {"share_low": 0.1 * place, "share_high": 0.1 * place + 0.1}
            | common
            for month in MONTHS
            for window in ("month", "trailing_12_months")
            for attribution in ("uploader", "origin")
            for place, member in enumerate(members, start=1)
        ),
    )


def dimensions(source):
    synthetic = source == "sample"
    countries = {"CN": "China", "US": "United States", "unmapped": "Unmapped (organisations not in the registry)"}
    return [
        rows_of(
            published("dim_month"),
            *(
                {"month": month, "source": source, "source_revision": f"revision-{month}", "is_synthetic": synthetic}
                | {"basis": "all_time_delta", "downloads": 1000.0, "coverage": 0.9, "incidents": HOSTILE[0]}
                for month in MONTHS
            ),
        ),
        rows_of(
            published("dim_country"),
            *(
                {"country": code, "country_name": name, "is_country": len(code) == 2}
                for code, name in countries.items()
            ),
        ),
        rows_of(published("_census"), *({"month": month} for month in MONTHS)),
        shares(published("country_shares"), countries),
    ]


def facts():
    return [
        shares(published("organization_shares"), ("Alibaba", "Meta", "unmapped"), country="CN"),
        (
            published("attribute_shares"),
            pl.concat(
                shares(published("attribute_shares"), members, dimension=dimension, within=within)[1]
                for dimension, members in (
                    ("licence", ("none", "permissive")),
                    ("modality", ("text", "unknown")),
                    ("size_band", ("below_1B", "1B_to_5B")),
                )
                for within in ("all", "CN", "US")
            ),
        ),
        rows_of(
            published("family_shares"),
            *(
                {"month": month, "level": level, "family": name, "new_derivatives": 1.0, "new_derivatives_in_all": 7}
                for month in MONTHS
                for level, names in (("root_model", HOSTILE), ("root_organization", HOSTILE))
                for name in names
            ),
        ),
        rows_of(
            published("derivation_flows"),
            {"base_country": "CN", "derivative_country": "US", "new_derivatives": 3.0},
            {"base_country": "US", "derivative_country": "unmapped", "new_derivatives": 1.0},
        ),
        rows_of(
            published("model_sizes"),
            *(
                {"month": month, "window": "month", "population": "new", "within": within, "mean_parameters": 7e9}
                | {"basis": "all_time_delta"}
                for month in MONTHS
                for within in ("all", "CN")
            ),
        ),
        rows_of(
            published("concentration"),
            *(
                {"month": month, "window": "month", "population": "new", "attribution": "uploader"}
                | {"dimension": dimension, "basis": "all_time_delta"}
                for month in MONTHS
                for dimension in ("model", "organization", "country")
            ),
        ),
        rows_of(
            published("release_cadence"),
            {"window": "trailing_12_months", "dimension": "organization", "member": "Alibaba", "release_days": 9},
        ),
        rows_of(
            published("coverage"),
            *(
                {"month": month, "aspect": aspect, "member": member, "share_of_downloads": 0.5, "downloads": 500.0}
                for month in MONTHS
                for aspect, members in (
                    ("attributed_to", ("organization", "unmapped")),
                    ("measurement", ("continued", "counter_reset")),
                )
                for member in members
            ),
        ),
    ]


def reported(folder, tables):
    """The page and the pictures of a warehouse that holds the tables."""
    with duckdb.connect(str(folder / FILE_NAME)) as warehouse:
        for table, frame in tables:
            warehouse.register("given", frame.to_arrow())
            warehouse.sql(f'create table "{table.name}" as select * from given')
    pictures = write_report(folder)
    return (folder / "report.html").read_text(), {picture.key: picture for picture in pictures}


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return reported(tmp_path_factory.mktemp("report"), [*dimensions("sample"), *facts()])


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """The report of two months of a real source that are all but empty."""
    tables = [*dimensions("local"), *((table, frame.clear()) for table, frame in facts())]
    return reported(tmp_path_factory.mktemp("empty"), tables)[0]


def sections(page):
    return dict(re.findall(r'<section id="([^"]+)"(.*?)</section>', page, re.DOTALL))


class Elements(HTMLParser):
    """Every element with its attributes, and all text, as a browser would make them of the page."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.texts = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.texts.append(data)


@pytest.mark.parametrize("key", FIGURES)
def test_a_figure_says_what_it_is_of_and_has_chart_table_and_mark(report, key):
    section = sections(report[0])[key]
    views = section.count('<div class="view ')
    assert views
    for term in TERMS:
        stated = re.findall(rf"<dt>{term}</dt><dd>([^<]+)", section)
        assert len(stated) == views
        assert all(said.strip() not in ("", "none") for said in stated), term
    assert section.count("<code>revision-2025-08-01</code>") == views
    assert '<span class="synthetic">synthetic</span>' in section
    assert section.count("(synthetic)") >= views
    assert section.count("<caption>") == views
    assert section.count('<th scope="col"') > 1
    assert section.count('<th scope="row"') > 0
    if key != "months":
        assert section.count(f">{LABEL}</text>") == views
        assert section.count('role="img" aria-label="') == section.count("<svg") == views


def test_every_figure_is_there_in_order_and_named_in_the_contents(report):
    assert tuple(sections(report[0])) == FIGURES
    assert re.findall(r'<li><a href="#([^"]+)"', report[0]) == list(FIGURES)


@pytest.mark.parametrize("key", [key for key in FIGURES if key not in ("countries", "countries-over-time", "months")])
def test_a_figure_without_values_says_so_and_still_says_what_it_would_be_of(empty, key):
    section = sections(empty)[key]
    views = section.count('<div class="view ')
    assert section.count('class="nothing">No values: ') == views
    assert "<svg" not in section
    assert "<table" not in section
    for term in TERMS:
        assert len(re.findall(rf"<dt>{term}</dt><dd>[^<]+", section)) == views


def test_nothing_of_a_real_source_is_called_synthetic(empty):
    body = empty.partition("</style>")[2]
    assert "synthetic" not in body.lower()


def test_an_incomplete_window_is_called_incomplete(report):
    assert "2025-07 to 2025-08 (trailing_12_months, INCOMPLETE: 2 of 12 months)" in sections(report[0])["countries"]


def test_hostile_names_are_text_and_nothing_else(report):
    parsed = Elements(report[0])
    assert not {"script", "img", "iframe", "object", "b"} & {tag for tag, _ in parsed.elements}
    for tag, attributes in parsed.elements:
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
    text = "".join(parsed.texts)
    for name in HOSTILE:
        assert text.count(plain(name)) >= 2, name
    assert not set(report[0]) & {"\u202e", "\x1b"}


def test_the_page_asks_for_nothing_and_names_everything_once(report):
    page = report[0]
    assert len(page.encode()) < 5_000_000
    for tag, attributes in Elements(page).elements:
        for name in ("href", "src", "xlink:href", "action"):
            assert attributes.get(name, "#").startswith(("#", "data:")), (tag, attributes)
    assert "@import" not in page
    assert not re.findall(r"url\((?!#)", page)
    named = re.findall(r'\sid="([^"]+)"', page)
    assert len(named) == len(set(named))


def test_the_chart_is_told_to_those_who_do_not_see_it(report):
    [label] = re.findall(r'role="img" aria-label="([^"]+)"', sections(report[0])["countries"])
    assert "United States 20.0%; China 10.0%; Unmapped 30.0%." in unescape(label)


CHARTS = {
    "bars": Bars([Bar(name, 0.1, 0.1, 0.2) for name in HOSTILE], "share"),
    "grouped bars": Bars([Bar("a", 1, group=group) for group in HOSTILE[:3]], "count", HOSTILE[:3]),
    "panels": Panels([Point(name, f"2025-{m:02}", 1.0, 1.0, 2.0) for name in HOSTILE for m in (1, 2)], "billions"),
    "panels of one month": Panels([Point("a", "2025-01", 0.0, 0.0, 0.0)], "index"),
    "grid": Grid([Cell(down, across, 0.1) for down in HOSTILE for across in HOSTILE], "down and across"),
    "stack": Stack([Part("2025-01", name, 0.1) for name in HOSTILE]),
}


@pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)
def test_a_chart_is_valid_vega_lite_and_its_drawing_holds_no_markup_of_names(chart):
    assert chart.drawn("currentColor").to_dict()
    drawn = Elements(svg(chart, is_synthetic=False))
    assert {tag for tag, _ in drawn.elements} <= {"svg", "g", "path", "rect", "text", "line", "defs", "style"}
    assert not [name for _, attributes in drawn.elements for name in attributes if name.startswith("on")]


def test_the_main_figures_are_handed_out_as_small_pictures(report):
    pictures = report[1]
    assert list(pictures) == ["countries", "countries-over-time", "families-over-time"]
    for picture in pictures.values():
        assert picture.png.startswith(b"\x89PNG")
        assert len(picture.png) < 150_000
        words, _, itself = picture.as_markdown().partition("](")
        assert "(synthetic)" in words
        assert not set(words.removeprefix("![")) & set("[]\n")
        picture_alone, _, statement = itself.partition("\n\n")
        assert re.fullmatch(r"data:image/png;base64,[\w+/=]+\)", picture_alone)
        for term in ("Window", "Population", "Attribution", "Denominator", "Coverage", "Basis", "Source"):
            assert f"{term}: " in statement
