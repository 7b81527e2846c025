"""The report of the sample in a real browser: it opens by itself, nothing covers anything, its switches switch."""

import sys

import pytest
from playwright.sync_api import expect

DESKTOP = {"width": 1280, "height": 900}
TELEPHONE = {"width": 390, "height": 844}

OVERLAPS = """
() => {
  const shown = [...document.querySelectorAll(
    'header,nav,section h2,section>p,fieldset.switch,.chart,dl,details.values,footer')]
    .filter(element => element.getClientRects().length);
  const boxes = shown.map(element => element.getBoundingClientRect());
  const found = [];
  for (let i = 0; i < boxes.length; i++) for (let j = i + 1; j < boxes.length; j++) {
    const a = boxes[i], b = boxes[j];
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


@pytest.fixture
def opened(browser, sample):
    """Opens the report as a reader has it, and fails the test if it complains or asks for anything."""
    address = (sample[0] / "published" / "report.html").as_uri()
    complaints, requests, pages = [], [], []

    def open_page(viewport, colour_scheme="light"):
        page = browser.new_page(viewport=viewport, color_scheme=colour_scheme)
        pages.append(page)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(address)
        return page

    yield open_page
    for page in pages:
        page.close()
    assert not complaints
    assert [url for url in requests if not url.startswith("data:")] == [address] * len(pages)


@pytest.mark.parametrize("viewport", [DESKTOP, TELEPHONE], ids=["desktop", "telephone"])
def test_nothing_overlaps_or_is_cut_with_tables_closed_and_open(opened, viewport):
    page = opened(viewport)
    for _ in ("closed", "open"):
        assert page.evaluate(OVERLAPS) == []
        assert page.evaluate(TEXTS_OUTSIDE_THEIR_CHART) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
        page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true })")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_the_page(opened, scheme):
    page = opened(DESKTOP, scheme)
    assert page.evaluate(CONTRAST_OF_TEXT) >= 4.5


def test_a_switch_is_turned_by_mouse_and_by_keyboard(opened):
    page = opened(DESKTOP)
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
    page = opened(TELEPHONE)
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
    page = opened(DESKTOP)
    page.emulate_media(media="print")
    for view in page.locator(".view").all():
        expect(view).to_be_visible()
    for table in page.locator("table").all():
        expect(table).to_be_visible()
    expect(page.locator(".switch").first).to_be_hidden()


def test_the_report_is_small_and_opens_at_once(opened, sample):
    page = opened(DESKTOP)
    took = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
    size = (sample[0] / "published" / "report.html").stat().st_size
    sys.stdout.write(f"report.html: {size:,} bytes, loaded after {took:,.0f} ms\n")
    assert size < 5_000_000
    assert page.locator("section").count() == page.locator("nav a").count()
