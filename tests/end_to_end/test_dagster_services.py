"""The services that `make ui` starts: the graph is served, a backfill makes one run a month, checks show by month."""

import os
import shutil
import signal
import socket
import urllib.request
from datetime import date
from itertools import product
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from assets.listings.hub_snapshots import HUB_SNAPSHOTS
from assets.listings.opening_counters import OPENING_COUNTERS
from assets.shares.country_shares import COUNTRY_SHARES
from pipeline.checks.declared import declared_checks
from pipeline.definitions import CATALOGUE
from pipeline.lake.store import Lake
from tests.end_to_end.sample import lake_of
from tests.mirror import answering, saying

MONTHS = ["2025-07-01", "2025-08-01"]
BROWSED_MONTH = "2025-06-01"
SECONDS_FOR_THE_DAEMON = 120

CHECKS = """
query Checks($assetKey: AssetKeyInput!, $checkName: String!) {
  assetCheckExecutions(assetKey: $assetKey, checkName: $checkName, limit: 20) { status evaluation { partition } }
}
"""


@pytest.fixture(scope="module")
def services(dagster_services, sample, tmp_path_factory):
    home = tmp_path_factory.mktemp("services")
    (home / "cache").symlink_to(sample[0] / "cache")
    with dagster_services(home) as running:
        yield running


@pytest.fixture(scope="module")
def backfill(services):
    """The runs of two months that were launched together, and of the publication after them."""
    return services.launch_months(MONTHS), services.publications()


def test_a_backfill_makes_one_green_run_a_month_to_the_same_bytes_and_one_publication(services, backfill, sample):
    runs, publications = backfill
    assert [run["status"] for run in runs] == ["SUCCESS"] * len(MONTHS)
    assert sorted(run["tags"]["dagster/partition"] for run in runs) == MONTHS
    assert [publication["status"] for publication in publications] == ["SUCCESS"]
    lake = Lake(str(services.home / "lake"))
    for month, table in product(map(date.fromisoformat, MONTHS), CATALOGUE.monthly):
        assert lake.digest(table, month) == lake_of(sample).digest(table, month), (table.path, month)

    for check in declared_checks(COUNTRY_SHARES):
        executions = services.ask(CHECKS, assetKey={"path": ["shares", "country_shares"]}, checkName=check.name)[
            "assetCheckExecutions"
        ]
        assert sorted(execution["evaluation"]["partition"] for execution in executions) == MONTHS, check.name
        assert {execution["status"] for execution in executions} == {"SUCCEEDED"}, check.name


def test_the_ui_is_served_on_loopback_only(services):
    with urllib.request.urlopen(f"http://127.0.0.1:{services.port}/", timeout=30) as page:
        assert page.status == 200
    outside = socket.gethostbyname(socket.gethostname())
    if not outside.startswith("127."):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((outside, services.port), timeout=5)


ATTACK = """<form id="attack" method="post" enctype="text/plain"
 action="http://127.0.0.1:{port}/graphql?query={query}"></form><script>attack.submit()</script>"""
STARTS_A_SENSOR = """mutation {startSensor(sensorSelector: {repositoryName: "__repository__",
 repositoryLocationName: "open-model-census", sensorName: "abandoned_runs"}) {__typename}}"""


def test_another_sites_page_cannot_change_anything_in_a_browser(services, page):
    """A page of another port posts a form to the UI, as any page on the web could."""

    attack = ATTACK.format(port=services.port, query=quote(STARTS_A_SENSOR)).encode()
    with answering(lambda _: saying(attack, "text/html")) as evil:
        page.goto(evil)
        expect(page.get_by_text("refused: the request comes from a page of another site")).to_be_visible()


def test_a_second_ui_of_a_home_says_where_the_first_is_and_leaves_it_alone(services, asked):
    finished = asked(services.home, "ui", "--port", services.port + 1)
    assert finished.returncode == 2
    assert f"is open already, at http://127.0.0.1:{services.port}" in finished.stderr
    assert services.ask("{ version }")


@pytest.fixture
def page(services, browser):
    """A page of a real browser that shows the UI and fails the test if it reports an error of its own."""
    page = browser.new_page(base_url=f"http://127.0.0.1:{services.port}", viewport={"width": 1500, "height": 1000})
    page.set_default_timeout(60_000)
    expect.set_options(timeout=60_000)
    crashes = []
    page.on("pageerror", lambda error: crashes.append(str(error)))
    yield page
    page.close()
    assert not crashes


@pytest.fixture
def commanded(services, backfill, asked, unpublished, sample):
    """The run of a command that made a correction of a month, without reading a Hub."""
    corrected, lake = date.fromisoformat(MONTHS[0]), Lake(str(services.home / "lake"))
    read = {table: lake.path(table, corrected).stat().st_mtime_ns for table in (HUB_SNAPSHOTS, OPENING_COUNTERS)}
    cache = services.home / "cache"
    kept = cache.rename(services.home / "cache-of-the-sample")
    finished = asked(services.home, "run", "--from-step", "attribution", "--from", "2025-07", "--to", "2025-07")
    assert finished.returncode == 0, finished.stderr
    assert not (cache / "sample").exists()
    shutil.rmtree(cache)
    kept.rename(cache)
    assert {table: lake.path(table, corrected).stat().st_mtime_ns for table in read} == read
    for table in CATALOGUE.monthly:
        assert lake.digest(table, corrected) == lake_of(sample).digest(table, corrected), table.path
    return services.runs()[0]


def test_a_person_sees_the_correction_that_a_command_made_and_what_the_launchpad_takes(commanded, page):
    page.goto("/overview/activity/timeline")
    expect(page.get_by_role("link", name="monthly_census").first).to_be_visible()
    page.goto("/locations/open-model-census/jobs/monthly_census/runs")
    expect(page.get_by_text(commanded["runId"][:8]).first).to_be_visible()

    page.goto("/assets/shares/country_shares?view=checks&checkDetail=latest_month_is_there")
    expect(page.get_by_text("Warns when the last month is missing a day after it closed.").first).to_be_visible()
    expect(page.get_by_text("Passed").first).to_be_visible()

    page.goto("/assets/published/tables/dim_definition?view=overview")
    expect(page.get_by_text("first_rows")).to_be_visible()
    expect(
        page.get_by_text("Downloads of a derivative belong to the models that it goes back to").first
    ).to_be_visible()

    page.goto("/locations/open-model-census/jobs/publish/playground")
    page.locator(".cm-content, .CodeMirror").first.click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text("resources:\n  snapshot_source:\n    config:\n      source: nope\n      ")
    expect(page.get_by_text("source not in enum type Source got nope")).to_be_visible()
    expect(page.get_by_text("the dataset that keeps a daily copy of the Hub's model listing")).to_be_visible()


def test_a_wrong_folder_ends_the_launch_with_its_remedy_and_no_run_is_made(services, page):
    def runs():
        return services.ask("{ runsOrError { ... on Runs { count } } }")

    before = runs()
    page.goto("/locations/open-model-census/jobs/monthly_census")
    page.get_by_role("button", name="Materialize all").first.click(modifiers=["Shift"])
    launchpad, sure = page.get_by_role("dialog"), page.get_by_role("button", name="Confirm")
    expect(launchpad.get_by_placeholder("Partition").or_(sure).first).to_be_visible()
    if sure.is_visible():
        sure.click()
    launchpad.get_by_placeholder("Partition").fill(BROWSED_MONTH)
    page.keyboard.press("Enter")
    launchpad.locator(".CodeMirror").first.click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text("resources:\n  snapshot_source:\n    config: {source: folder, snapshots: /absent}\n")
    launchpad.get_by_role("button", name="Materialize").click()
    expect(page.get_by_text("CensusError: the snapshots' folder /absent does not exist").first).to_be_visible()
    assert runs() == before


def test_a_person_finds_the_groups_and_sees_checks_with_their_numbers(backfill, page):
    page.goto("/asset-groups/")
    for group in sorted({table.group for table in CATALOGUE.tables.values()}):
        expect(page.get_by_text(group, exact=True).first).to_be_visible()

    page.goto("/assets/shares/country_shares?view=overview")
    expect(page.get_by_text(f"One row per {COUNTRY_SHARES.grain}.")).to_be_visible()
    expect(page.get_by_text("Row count")).to_be_visible()

    page.goto("/assets/shares/country_shares?view=checks&checkDetail=shares_sum_to_one")
    expect(page.get_by_text("Passed").first).to_be_visible()
    expect(page.get_by_text("0 rows failed").first).to_be_visible()


def test_the_daemon_ends_within_two_minutes_what_a_killed_command_left(services, begun):
    process, _ = begun(services.home, "2025-03")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    left = services.runs()[0]
    assert left["status"] == "STARTED"

    def ended():
        [run] = services.runs(runIds=[left["runId"]])
        places = services.ask("{ instance { concurrencyLimits { activeSlotCount } } }")["instance"]["concurrencyLimits"]
        return run["status"] == "FAILURE" and not any(place["activeSlotCount"] for place in places)

    services.wait_until(ended, SECONDS_FOR_THE_DAEMON)
