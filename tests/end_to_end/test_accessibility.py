"""No barriers that axe-core finds, on each kind of page of the sample; `make test-accessibility` fetches axe-core."""

import os
from pathlib import Path

import pytest

from tests.end_to_end.test_site import DRAWN, PAGES, REPORT

AXE_CORE = os.environ.get("AXE_CORE")
pytestmark = pytest.mark.skipif(AXE_CORE is None, reason="axe-core is fetched by make test-accessibility")

KINDS = ("figures", "countries", "compare", "months")
FURTHER = ("figures/leading-countries.html", *(f"{kind}/index.html" for kind in KINDS))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("address", PAGES + FURTHER)
def test_axe_finds_no_violation_with_tables_closed_and_open(browser, sample, address, scheme):
    page = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme=scheme)
    page.goto((sample[0] / "published" / "current" / "site" / address).resolve().as_uri())
    if address != REPORT:
        page.wait_for_function(DRAWN)
    page.evaluate(Path(AXE_CORE).read_text())
    for _ in ("closed", "open"):
        found = page.evaluate("axe.run()")["violations"]
        assert [(one["id"], one["help"], [node["html"][:200] for node in one["nodes"][:3]]) for one in found] == []
        page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true })")
    page.close()
