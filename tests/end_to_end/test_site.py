"""The pages and the report of the sample in a real browser."""

import re
import sys
from pathlib import Path

import duckdb
import pytest
from playwright.sync_api import expect

DESKTOP, TELEPHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
REPORT = "../report.html"
DRAWN = """
() => [...document.querySelectorAll('.chart')].every(chart => !chart.clientWidth || chart.querySelector('.vega-embed'))
"""
PAGES = (
    REPORT,
    "index.html",
    "figures/flows.html",
    "figures/map.html",
    "figures/countries-over-time.html",
    "countries/cn.html",
    "compare/countries-cn-us.html",
    "months/2025-08.html",
)

OVERLAPS = """
() => {
  const shown = [...document.querySelectorAll(
    'header,nav,section h2,section>p,fieldset.switch,.chart,dl,details.values,footer')]
    .filter(element => element.checkVisibility());
  const boxes = shown.map(element => element.getBoundingClientRect());
  const found = [];
  for (let i = 0; i < boxes.length; i++) for (let j = i + 1; j < boxes.length; j++) {
    const a = boxes[i], b = boxes[j];
    if (shown[i].contains(shown[j])) continue;
    if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1)
      found.push([shown[i].outerHTML.slice(0, 80), shown[j].outerHTML.slice(0, 80)]);
  }
  return found;
}
"""
TEXTS_OUTSIDE_THEIR_CHART = """
() => [...document.querySelectorAll('.chart')].filter(chart => chart.getClientRects().length).flatMap(chart => {
  const box = chart.querySelector('svg').getBoundingClientRect();
  return [...chart.querySelectorAll('text')].filter(text => {
    const own = text.getBoundingClientRect();
    return own.width && (own.left < Math.max(0, box.left - 8) || own.right > Math.min(innerWidth, box.right + 16)
      || own.top < box.top - 4 || own.bottom > box.bottom + 4);
  }).map(text => text.textContent);
})
"""
CONTRAST_OF_TEXT = """
() => {
  const part = value => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const colour = text => text.match(/[\\d.]+/g).map(Number);
  const behind = element => {
    for (; element; element = element.parentElement) {
      const found = colour(getComputedStyle(element).backgroundColor);
      if (found.length < 4 || found[3] > 0) return found;
    }
  };
  return Math.min(...[...document.querySelectorAll('h1,h2,p,a,dt,dd,summary,label,legend,caption,th,td,.synthetic')]
    .filter(element => element.getClientRects().length).map(element => {
      const [a, b] = [light(colour(getComputedStyle(element).color)), light(behind(element))];
      return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    }));
}
"""


@pytest.fixture(scope="module")
def site(sample):
    return (sample[0] / "published" / "current" / "site").resolve()


@pytest.fixture
def opened(browser, site):
    """Opens pages as a reader has them, and fails the test if one complains or asks for anything outside its folder."""
    complaints, requests, pages = [], [], []

    def open_page(address, viewport=TELEPHONE, colour_scheme="light", root=site, **more):
        page = browser.new_page(viewport=viewport, color_scheme=colour_scheme, **more)
        pages.append(page)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        within = ("data:", (root / address).resolve().as_uri() if address == REPORT else root.as_uri())
        page.on("request", lambda request: request.url.startswith(within) or requests.append(request.url))
        page.goto((root / address).resolve().as_uri())
        if address != REPORT and more.get("java_script_enabled", True):
            page.wait_for_function(DRAWN)
        return page

    yield open_page
    for page in pages:
        page.close()
    assert not complaints
    assert not requests


@pytest.mark.parametrize("width", [360, 768, 1440])
@pytest.mark.parametrize("address", PAGES)
def test_nothing_overlaps_is_cut_or_wider_than_the_page_and_text_stands_out(opened, address, width):
    page = opened(address, {"width": width, "height": 900}, "dark" if width == 768 else "light")
    for _ in ("closed", "open"):
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(OVERLAPS) == []
        assert page.evaluate(TEXTS_OUTSIDE_THEIR_CHART) == []
        page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true })")
    assert page.evaluate(CONTRAST_OF_TEXT) >= 4.5


def test_the_first_screen_of_a_telephone_has_finding_change_and_the_top_of_the_chart(opened, site):
    page = opened("index.html")
    for part in ("h1", ".changes", ".front .chart"):
        box = page.locator(part).first.bounding_box()
        assert box["y"] < TELEPHONE["height"] - 60, part
    shares = f"from '{site.parent}/parquet/headline_country/*.parquet' where country = 'CN'"
    [(month, china)] = duckdb.sql(f"select month, share {shares} order by month desc limit 1").fetchall()
    finding = f"Of all downloads of new models in the year to {month:%B %Y}, {china:.1%} went to models from China"
    assert page.locator("h1").inner_text().startswith(finding)


def test_pointing_at_a_line_says_its_value(opened):
    page = opened("figures/leading-countries.html", DESKTOP)
    page.locator(".view0 .mark-symbol path").last.hover(force=True)
    expect(page.locator("#vg-tooltip-element")).to_contain_text(re.compile(r"value\s*\d+\.\d%"))


def test_a_switch_is_turned_by_mouse_and_by_keyboard(opened):
    page = opened(REPORT, DESKTOP)
    figure = page.locator("#countries-over-time")
    uploader, origin = figure.locator(".view0"), figure.locator(".view1")
    expect(uploader).to_be_visible()
    expect(origin).to_be_hidden()
    figure.get_by_role("radio", name="By origin").click()
    expect(origin).to_be_visible()
    expect(uploader).to_be_hidden()
    expect(origin).to_contain_text("the roots that the repository derives from")
    figure.get_by_role("radio", name="By origin").focus()
    page.keyboard.press("ArrowLeft")
    expect(uploader).to_be_visible()
    expect(origin).to_be_hidden()
    expect(page.locator("#organisations .view0")).to_be_visible()


def test_a_table_of_values_opens_by_keyboard_and_holds_what_the_headline_says(opened, asked, sample):
    page = opened(REPORT)
    summary = page.locator("#countries details.values > summary")
    summary.focus()
    page.keyboard.press("Enter")
    table = page.locator("#countries table")
    expect(table).to_be_visible()
    china = table.get_by_role("row").filter(has=page.get_by_role("rowheader", name="China", exact=True))
    headline = asked(sample[0], "headline").stdout
    [line, *_] = [line for line in headline.splitlines() if line.split()[:1] == ["China"]]
    assert china.get_by_role("cell").all_inner_texts() == line.split()[1:]
    assert page.locator(".wide[tabindex='0'][role=region]").count() == page.locator("table").count()


def test_paper_shows_every_view_and_every_table(opened):
    page = opened(REPORT, DESKTOP)
    page.emulate_media(media="print")
    for view in page.locator(".view").all():
        expect(view).to_be_visible()
    for table in page.locator("table").all():
        expect(table).to_be_visible()
    expect(page.locator(".switch").first).to_be_hidden()


def test_members_are_chosen_by_keyboard_and_each_is_a_line(opened):
    page = opened("figures/leading-countries.html", {"width": 1440, "height": 900})
    view = page.locator(".view0")
    lines = view.locator(".mark-line path")
    expect(lines).to_have_count(4)
    fifth = view.get_by_role("checkbox").nth(4)
    fifth.focus()
    page.keyboard.press("Space")
    expect(lines).to_have_count(5)
    expect(view.locator("svg")).to_contain_text(fifth.get_attribute("value"))


def test_a_chart_is_downloaded_as_a_picture_from_every_kind_of_page(opened, site):
    assert (site / "figures" / "map.png").read_bytes().startswith(b"\x89PNG")
    page = opened("countries/cn.html")
    with page.expect_download() as downloaded:
        page.get_by_role("button", name="PNG").first.click()
    assert Path(downloaded.value.path()).read_bytes().startswith(b"\x89PNG")


def test_two_periods_that_are_chosen_stand_alone_in_the_table(opened):
    page = opened("compare/countries-cn-us.html", DESKTOP)
    view = page.locator(".view0")
    view.get_by_label("First").select_option("2025-08")
    view.get_by_label("Second").select_option("2024-09")
    expect(view.locator("tbody tr:visible th")).to_have_text(["2024-09", "2024-09", "2025-08", "2025-08"])
    view.get_by_label("First").select_option("all")
    expect(view.locator("tbody tr:visible th")).to_have_text(["2024-09", "2024-09"])


def test_a_page_is_whole_without_scripts(opened):
    page = opened("countries/cn.html", java_script_enabled=False)
    expect(page.locator("svg").first).to_be_visible()
    page.locator("summary").first.click()
    expect(page.locator("table").first).to_be_visible()


def test_a_frozen_page_says_when_a_newer_version_is_there(opened, site, own_sample):
    version = site.parent.name
    expect(opened(f"v/{version}/countries/cn.html").locator(".newer")).to_be_hidden()
    own = (own_sample / "published" / "current" / "site").resolve()
    (own / "current.js").write_text('window.censusCurrent = "later";\n')
    newer = opened(f"v/{version}/countries/cn.html", root=own).locator(".newer")
    expect(newer).to_be_visible()
    newer.get_by_role("link").click()


def test_the_bulletin_prints_on_few_pages(opened):
    page = opened("months/2025-08.html", DESKTOP)
    printed = page.pdf(format="A4")
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) <= 8


def test_the_site_and_the_report_are_small(opened, site):
    assert (site / REPORT).stat().st_size < 5_000_000
    page = opened(REPORT)
    assert page.locator("section").count() == page.locator("nav a").count()
    files = [path for path in site.rglob("*") if path.is_file()]
    pages = [path.stat().st_size for path in files if path.suffix == ".html"]
    total = sum(path.stat().st_size for path in files)
    sys.stdout.write(f"site: {len(pages)} pages, {total / 1e6:.1f} MB, the largest page {max(pages):,} bytes\n")
    assert total < 40e6
    assert max(pages) < 120_000
