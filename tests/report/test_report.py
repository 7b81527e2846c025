"""The report says what every figure is of, shows names as text, and has a place for what is not there."""

import re
from dataclasses import replace
from datetime import date
from html import unescape
from types import ModuleType

import altair as alt
import pycountry
import pytest

from pipeline.definitions import CATALOGUE
from pipeline.report.charts import drawing_of, picture, png, svg, svgs, world
from pipeline.report.figures import COUNTS_REPOSITORIES, folded
from pipeline.report.site import write_pages
from pipeline.schema.catalogue import catalogue_of
from pipeline.schema.figure import Chart
from pipeline.synthetic import LABEL
from pipeline.text import in_html, in_markdown, plain
from tests.report.scenario import Month, Page, country_shares, dimensions, rows_of, write

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
TERMS = ("Period", "Population", "Attribution", "Denominator", "Coverage", "Basis", "Incidents", "Source")
FIGURES = tuple(figure.key for figure in CATALOGUE.figures)
OF_COUNTRIES = ("countries", "map", "countries-over-time", "leading-countries")


def published(*, is_synthetic):
    downloads = {"CN": 300, "US": 500, "unmapped": 200}
    source = "sample" if is_synthetic else "folder"
    months = [Month(month, downloads, source, is_synthetic=is_synthetic, incidents=HOSTILE[0]) for month in MONTHS]
    return [*dimensions(months), country_shares(months)]


def of_every_period(*given):
    """The rows for each month, period and attribution."""
    return [
        {"month": month, "period": period, "population": "new", "attribution": attribution} | row
        for month in MONTHS
        for period in ("month", "trailing_12_months")
        for attribution in ("uploader", "origin")
        for row in given
    ]


def facts():
    organizations = [{"member": name, "country": "CN"} for name in ("Alibaba", HOSTILE[0], "unmapped")]
    attributes = [
        {"dimension": dimension, "within": within, "member": member}
        for dimension, members in (
            ("licence", ("none", "permissive")),
            ("modality", ("text", "unknown")),
            ("size_band", ("100B_to_250B", "unknown", "below_1B", "1B_to_5B", "250B_and_above")),
        )
        for within in ("all", "CN", "US")
        for member in members
    ]
    families = [
        {"month": month, "level": level, "family": name, "new_derivatives": 1.0, "new_derivatives_in_all": 7}
        for month in MONTHS
        for level in ("root_model", "root_organization")
        for name in (*HOSTILE, "Qwen/one")
    ]
    flows = [
        {"base_country": "CN", "derivative_country": "US", "new_derivatives": 3.0},
        {"base_country": "US", "derivative_country": "unmapped", "new_derivatives": 1.0},
    ]
    covered = [
        {"month": month, "aspect": aspect, "member": member, "share_of_downloads": 0.5, "downloads": 500.0}
        for month in MONTHS
        for aspect, members in (
            ("attributed_to", ("organization", "unmapped")),
            ("measurement", ("continued", "counter_reset")),
            ("boundary", ("measured", "bridged_freeze")),
        )
        for member in members
    ]
    unmapped = [
        {"month": month, "hub_id": name, "country": "unmapped", "downloads": 5} for month in MONTHS for name in HOSTILE
    ]
    groups = [{"member": "eu", "group_name": name, "kind": "union"} for name in ("European Union", HOSTILE[0])]
    given = [
        rows_of("organization_shares", *of_every_period(*organizations)),
        rows_of(
            "variant_shares",
            *of_every_period({"member": "CN", "map_name": "head_office"}, {"member": "CN", "map_name": "x"}),
        ),
        rows_of("country_group_shares", *of_every_period(*groups)),
        rows_of("model_month", *unmapped),
        rows_of("dim_model", *({"hub_id": name, "namespace": name} for name in HOSTILE)),
        rows_of("attribute_shares", *of_every_period(*attributes)),
        rows_of("family_shares", *families),
        rows_of("derivation_flows", *flows),
        rows_of("model_sizes", *of_every_period({"within": "all", "mean_parameters": 7e9}, {"within": "CN"})),
        rows_of("concentration", *of_every_period(*({"dimension": name} for name in ("model", "country")))),
        rows_of("release_cadence", {"period": "trailing_12_months", "dimension": "organization", "member": "Alibaba"}),
        rows_of("coverage", *covered),
    ]
    missing = {figure.table for figure in CATALOGUE.figures} - {name for name, _ in given}
    periodic = [name for name in missing if "period" in CATALOGUE.published[name].table.schema]
    return [*given, *(rows_of(name, *of_every_period({})) for name in periodic if name != "country_shares")]


def reported(folder, tables):
    """The page and the pictures of a warehouse that holds the tables."""
    pictures = write_pages(write(folder, tables), CATALOGUE)
    return (folder / "report.html").read_text(), {picture.key: picture for picture in pictures}


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return reported(tmp_path_factory.mktemp("report"), [*published(is_synthetic=True), *facts()])


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """The report of two months of a real source that are all but empty."""
    return reported(tmp_path_factory.mktemp("empty"), published(is_synthetic=False))[0]


def sections(page):
    return dict(re.findall(r'<section id="([^"]+)"(.*?)</section>', page, re.DOTALL))


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
        assert section.count('role="img" aria-label="') == section.count('class="chart"') == views


@pytest.mark.parametrize("figure", CATALOGUE.figures, ids=lambda figure: figure.key)
def test_a_figure_of_repositories_states_no_counter_and_one_of_downloads_does(report, figure):
    is_of_repositories = any(word in figure.denominator for word in ("derivatives", "repositories"))
    section = sections(report[0])[figure.key]
    stated = set(re.findall(r"<dt>Basis</dt><dd>([^<]+)", section))
    assert (stated == {COUNTS_REPOSITORIES}) == is_of_repositories
    assert ("<dt>Quality</dt>" in section) != is_of_repositories


def test_the_report_begins_as_the_front_page_does_and_has_every_figure_in_order(report):
    assert "Of all downloads of new models in" in report[0].partition("<section")[0]
    assert tuple(sections(report[0])) == FIGURES
    assert re.findall(r'<li><a href="#([^"]+)"', report[0]) == list(FIGURES)


@pytest.mark.parametrize("key", [key for key in FIGURES if key not in (*OF_COUNTRIES, "months")])
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


def test_an_incomplete_period_is_called_incomplete(report):
    said = "2025-07 to 2025-08 (trailing_12_months, INCOMPLETE: 2 of 12 months; missing: 2024-09 to 2025-06)"
    assert said in sections(report[0])["countries"]


def test_hostile_names_are_text_and_nothing_else(report):
    parsed = Page(report[0])
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
    for tag, attributes in Page(page).elements:
        for name in ("href", "src", "xlink:href", "action"):
            assert attributes.get(name, "#").startswith(("#", "data:")), (tag, attributes)
    assert "@import" not in page
    assert not re.findall(r"url\((?!#)", page)
    named = re.findall(r'\sid="([^"]+)"', page)
    assert len(named) == len(set(named))


def test_the_chart_is_told_to_those_who_do_not_see_it(report):
    [label] = re.findall(r'role="img" aria-label="([^"]+)"', sections(report[0])["countries"])
    assert "United States 50.0%; China 30.0%; Unmapped 20.0%." in unescape(label)


def points(**more):
    return [
        {"name": name, "group": group, "month": month, "value": 0.1, "high": 0.2} | more
        for name in HOSTILE
        for group in HOSTILE[:3]
        for month in MONTHS
    ]


CHARTS = {
    "bars": (Chart("bars", "name", "value", high="high"), points(group="", month=MONTHS[0])),
    "grouped bars": (Chart("bars", "name", "value", group="group", number="count"), points(month=MONTHS[0])),
    "lines": (Chart("lines", "name", "value", high="high", number="billions"), points(group="")),
    "lines of one month": (Chart("lines", "name", "value", high="high", number="index"), points(value=0, high=0)[::2]),
    "grid": (
        Chart("grid", "name", "value", group="group", title="down and across"),
        [*points(month=MONTHS[0])[:-1], *points(month=MONTHS[0], value=0)[-1:]],
    ),
    "stack": (Chart("stack", "name", "value"), points(group="")),
    "lines in one panel": (Chart("together", "name", "value", marks_crossing=True), points(group="")),
    "lines to choose from": (Chart("together", "name", "value", chosen=2), points(group="")),
    "map": (Chart("map", "name", "value", high="high", group="group"), points(group="CN", month=MONTHS[0])),
}


@pytest.mark.parametrize(("chart", "rows"), CHARTS.values(), ids=CHARTS)
def test_a_chart_is_valid_vega_lite_and_its_drawing_holds_no_markup_of_names(chart, rows):
    drawing = drawing_of(chart, rows, LABEL)
    alt.Chart.from_dict(drawing.spec | {"background": "white"}, validate=True)
    drawn = Page(svg(drawing))
    assert LABEL in "".join(drawn.texts)
    assert not {"undefined", "null", "NaN"} & set(drawn.texts)
    assert {tag for tag, _ in drawn.elements} <= {"svg", "g", "path", "rect", "text", "line", "circle", "defs", "style"}
    assert not [name for _, attributes in drawn.elements for name in attributes if name.startswith("on")]
    assert png(picture(svg(drawing), HOSTILE[0])).startswith(b"\x89PNG")


def test_charts_drawn_at_once_say_what_each_says_alone():
    chart = Chart("together", "name", "value")
    drawings = [drawing_of(chart, points(group="", value=value)) for value in (0.5, 0.001, 0.2)]
    drawn = [Page(drawing) for drawing in svgs(drawings)]
    assert [one.texts for one in drawn] == [Page(svg(drawing)).texts for drawing in drawings]
    assert len({tuple(one.texts) for one in drawn}) == 3


def test_an_axis_of_small_shares_writes_each_of_its_marks_differently():
    drawing = drawing_of(Chart("together", "name", "value"), points(group="", value=0.0016))
    marks = [text for text in Page(svg(drawing)).texts if re.fullmatch(r"[\d.]+%", text)]
    assert len(set(marks)) == len(marks) > 2


def test_labels_at_the_ends_of_lines_stand_apart_and_in_the_order_of_their_values():
    rows = [
        {"name": name, "month": MONTHS[1], "value": value} for name, value in zip("abc", (0.2, 0.2, 0.19), strict=True)
    ]
    points = drawing_of(Chart("together", "name", "value"), rows).values["points"]
    heights = {point["name"]: point["height"] for point in points}
    assert heights["c"] == 0.19
    assert heights["a"] - heights["c"] > 0.017
    assert heights["b"] - heights["a"] > 0.017


def test_the_map_knows_every_country_that_it_draws_by_its_code():
    known = {country.numeric for country in pycountry.countries}
    outlines = [country.get("id") for country in world()["objects"]["countries"]["geometries"]]
    assert len(outlines) > 170
    assert set(outlines) - known == {None}, "parts of the world whose standing is disputed have no code"
    assert {"156", "840", "348", "688", "104"} <= set(outlines)


def test_rows_that_a_chart_shows_as_one_are_added_up_and_what_could_be_theirs_is_added_once():
    rows = [
        {"name": "others", "value": 0.1, "high": 0.4, "models": 1},
        {"name": "others", "value": 0.2, "high": 0.5, "models": None},
        {"name": "one", "value": 0.3, "high": 0.6, "models": None},
    ]
    others, one = folded(rows, Chart("bars", "name", "value", high="high"), "name")
    assert (others["value"], others["high"], others["models"]) == (pytest.approx(0.3), pytest.approx(0.6), 1)
    assert one == rows[2]


def test_two_figures_of_one_key_are_refused():
    package = ModuleType("census_of_two")
    package.__path__ = []
    package.FIGURES = [CATALOGUE.figures[0], replace(CATALOGUE.figures[0], title="Another")]
    with pytest.raises(ValueError, match="countries is declared twice"):
        catalogue_of(package)


def test_sizes_stand_in_the_order_of_size_whatever_bands_there_are(report):
    table = sections(report[0])["sizes"].partition("<tbody>")[2]
    assert re.findall(r'class="text">([^<]+)', table) == [
        "below 1B",
        "1B to 5B",
        "100B to 250B",
        "250B and above",
        "unknown",
    ]


@pytest.mark.parametrize("text", [*HOSTILE, "![x](javascript:alert(1))", "`code`", "|a|b|", "a\nb"])
def test_what_others_wrote_stays_text_in_pages_and_in_markdown(text):
    assert not re.search(r"[<>\"']", in_html(text))
    markdown = in_markdown(text)
    assert not re.search(r"(?<!\\)[`*_\[\]()!|~]|[<>\n]", markdown)


def test_figures_with_values_are_handed_out_as_small_pictures(report):
    pictures = report[1]
    assert {figure.key for figure in CATALOGUE.figures if figure.is_pictured} < set(pictures)
    for one in pictures.values():
        assert one.image.startswith(b"\x89PNG")
        assert len(one.image) < 300_000
        words, _, itself = one.as_markdown().partition("](")
        assert "\\(synthetic\\)" in words
        assert not re.search(r"(?<!\\)[\[\]]", words.removeprefix("!["))
        picture_alone, _, statement = itself.partition("\n\n")
        assert re.fullmatch(r"data:image/png;base64,[\w+/=]+\)", picture_alone)
        for term in ("Period", "Population", "Attribution", "Denominator", "Coverage", "Basis", "Source"):
            assert f"{term}: " in statement
