"""Superset reads the published file by its address alone, as `docs/bi.md` has it; by `make test-superset`."""

import json
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
import requests

from tests.end_to_end.sample import free_port

SUPERSET = Path(sys.prefix) / "superset" / "bin" / "superset"
GUIDE = (Path(__file__).parents[2] / "docs" / "bi.md").read_text()
SCHEMA = "census.main"
PASSWORD = "of this test"
SECONDS_TO_START = 120

pytestmark = [
    pytest.mark.superset,
    pytest.mark.skipif(not SUPERSET.exists(), reason="no Superset: `make test-superset` installs it"),
]


class Superset:
    """A Superset that was just installed, on loopback, with its administrator signed in."""

    def __init__(self, folder):
        self.log = folder / "superset.log"
        settings = {"SUPERSET_HOME": str(folder), "SUPERSET_SECRET_KEY": "x" * 42, "SCARF_ANALYTICS": "false"}
        self.environment = os.environ | settings | {"FLASK_DEBUG": "0"}
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        administrator = ["--username", "admin", "--firstname", "A", "--lastname", "B", "--email", "admin@example.org"]
        self.started("db", "upgrade").wait()
        self.started("fab", "create-admin", *administrator, "--password", PASSWORD).wait()
        self.started("init").wait()
        self.server = self.started("run", "--host", "127.0.0.1", "--port", str(port), "--with-threads")
        self.session = requests.Session()

    def started(self, *command):
        log = self.log.open("a")
        return subprocess.Popen([SUPERSET, *command], env=self.environment, stdout=log, stderr=subprocess.STDOUT)

    def sign_in(self):
        deadline = time.monotonic() + SECONDS_TO_START
        while not self.answers():
            assert time.monotonic() < deadline, self.log.read_text()[-3000:]
            time.sleep(1)
        who = {"username": "admin", "password": PASSWORD, "provider": "db"}
        self.session.headers["Authorization"] = f"Bearer {self.ask('security/login', who)['access_token']}"
        self.session.headers["X-CSRFToken"] = self.ask("security/csrf_token/")["result"]

    def answers(self):
        try:
            return self.session.get(f"{self.url}/health", timeout=10).ok
        except requests.ConnectionError:
            return False

    def ask(self, path, sent=None):
        answer = self.session.request("GET" if sent is None else "POST", f"{self.url}/api/v1/{path}", json=sent)
        assert answer.ok, f"{path}: {answer.text[:1000]} {self.log.read_text()[-3000:]}"
        return answer.json()


@pytest.fixture(scope="module")
def superset(tmp_path_factory):
    running = Superset(tmp_path_factory.mktemp("superset"))
    try:
        running.sign_in()
        yield running
    finally:
        running.server.terminate()
        running.server.wait()


@pytest.fixture(scope="module")
def warehouse(sample):
    """The file, held open by this process while Superset reads it."""
    with duckdb.connect(str(sample[0] / "published" / "census.duckdb"), read_only=True) as reading:
        yield reading


@pytest.fixture(scope="module")
def database(superset, warehouse, sample):
    """The file as a database of Superset, by the address that the guide gives."""
    [address] = re.findall(r"`(duckdb:/+[^`]+)`", GUIDE)
    at_home = address.replace("/census/published", str(sample[0] / "published"))
    return superset.ask("database/", {"database_name": "Open Model Census", "sqlalchemy_uri": at_home})["id"]


@pytest.fixture(scope="module")
def chart(superset, database):
    """A line of each country's share by month, over a data set of `headline_country`."""
    made = superset.ask("dataset/", {"database": database, "schema": SCHEMA, "table_name": "headline_country"})
    share = {"expressionType": "SIMPLE", "column": {"column_name": "share"}, "aggregate": "SUM", "label": "share"}
    month = {"columnType": "BASE_AXIS", "expressionType": "SQL", "sqlExpression": "month", "label": "month"}
    form = {
        "datasource": f"{made['id']}__table",
        "viz_type": "echarts_timeseries_line",
        "x_axis": "month",
        "time_grain_sqla": "P1M",
        "metrics": [share],
        "groupby": ["country_name"],
    }
    query = {"columns": [month | {"timeGrain": "P1M"}, "country_name"], "metrics": [share], "row_limit": 10000}
    context = {"datasource": {"id": made["id"], "type": "table"}, "queries": [query], "form_data": form}
    saved = {"slice_name": "Headline", "viz_type": form["viz_type"], "datasource_id": made["id"]}
    saved |= {"datasource_type": "table", "params": json.dumps(form), "query_context": json.dumps(context)}
    return superset.ask("chart/", saved)["id"]


def test_superset_lists_the_tables_with_their_comments(superset, database, warehouse):
    listed = superset.ask(f"database/{database}/tables/?q=(schema_name:'{SCHEMA}')")["result"]
    comments = dict(
        warehouse.sql(
            "select table_name, comment from duckdb_tables() where schema_name = 'main'"
            " union all select view_name, comment from duckdb_views() where schema_name = 'main' and not internal"
        ).fetchall()
    )
    assert {table["value"] for table in listed} == comments.keys()
    for table, comment in comments.items():
        seen = superset.ask(f"database/{database}/table_metadata/?name={table}&schema={SCHEMA}")
        assert seen["comment"] == comment, table
        assert all(column["comment"] for column in seen["columns"]), table


def test_a_chart_of_the_headline_has_the_files_figures_also_when_many_ask_at_once(superset, chart, warehouse):
    expected = {
        (month, name): share
        for month, name, share in warehouse.sql("select month, country_name, share from headline_country").fetchall()
    }
    with ThreadPoolExecutor(4) as readers:
        answers = readers.map(lambda _: superset.ask(f"chart/{chart}/data/?force=true"), range(4))
    for answer in answers:
        [result] = answer["result"]
        drawn = {
            (datetime.fromtimestamp(row["month"] / 1000, UTC).date(), row["country_name"]): row["share"]
            for row in result["data"]
        }
        assert drawn.keys() == expected.keys()
        assert drawn == pytest.approx({key: float(share) for key, share in expected.items()}, rel=1e-9)


def test_the_chart_is_drawn_in_a_browser(superset, chart, browser):
    page = browser.new_page()
    page.set_default_timeout(120_000)
    page.goto(f"{superset.url}/login/")
    page.fill("[data-test=username-input]", "admin")
    page.fill("[data-test=password-input]", PASSWORD)
    page.click("[data-test=login-button]")
    page.wait_for_url(lambda address: "/login" not in address)
    page.goto(f"{superset.url}/explore/?slice_id={chart}")
    page.wait_for_selector("[data-test=slice-container] canvas")
    assert page.locator("[role=alert]").count() == 0
