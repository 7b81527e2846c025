"""What the lake's files say of where they come from, and what happens when an input is replaced under a step."""

from dataclasses import replace
from datetime import UTC, date, datetime

import dagster as dg
import polars as pl
import pytest

from assets.listings.hub_accounts import HUB_ACCOUNTS
from assets.listings.hub_snapshots import HUB_SNAPSHOTS
from pipeline.definitions import CATALOGUE
from pipeline.lake.store import Lake
from pipeline.orchestration.lake_io import lake_io_manager
from pipeline.orchestration.resources import LakeResource
from pipeline.orchestration.table_assets import table_asset
from pipeline.reference.lists import list_digests
from tests.assets.rows import rows_of
from tests.lake.object_store import ObjectStoreServer

AUGUST = date(2025, 8, 1)
OBSERVED = datetime(2025, 8, 31, 23, tzinfo=UTC)


def rows(table, **values):
    return rows_of(table, [{"month": AUGUST} | values])


def run(lake, meanwhile=lambda: None):
    """A run of two steps, the second made from the first, and what happens while it is made."""

    @table_asset(HUB_SNAPSHOTS)
    def hub_snapshots(context: dg.AssetExecutionContext) -> pl.LazyFrame:
        context.add_output_metadata(
            {"source": "hub", "source_revision": "r", "observed_at": dg.MetadataValue.timestamp(OBSERVED)}
        )
        return rows(HUB_SNAPSHOTS, hub_id="a")

    @table_asset(HUB_ACCOUNTS, snapshot=HUB_SNAPSHOTS)
    def hub_accounts(snapshot: pl.LazyFrame) -> pl.LazyFrame:
        meanwhile()
        return rows(HUB_ACCOUNTS, namespace=snapshot.collect()["hub_id"][0])

    resource = LakeResource(url=lake.url)
    return dg.materialize(
        [hub_snapshots, hub_accounts],
        partition_key=AUGUST.isoformat(),
        resources={"lake": resource, "lake_io": lake_io_manager(CATALOGUE)},
        raise_on_error=False,
    )


def failure_of(ended):
    """What the one step that failed says."""
    [failed] = [event for event in ended.all_events if event.is_step_failure]
    return failed.step_failure_data.user_failure_data.description


def test_a_table_says_what_it_was_made_from_and_who_observed_it_when(lake):
    assert run(lake).success
    known = lake.provenance(HUB_ACCOUNTS, AUGUST)
    assert known.inputs == {HUB_SNAPSHOTS.path: lake.digest(HUB_SNAPSHOTS, AUGUST)}
    assert (known.source, known.source_revision, known.observed_at) == ("hub", "r", OBSERVED.isoformat())
    assert run(lake).success
    assert lake.provenance(HUB_ACCOUNTS, AUGUST) == known


def test_a_table_says_by_which_reviewed_lists_and_choices_it_was_made(lake):
    with_lists = replace(HUB_ACCOUNTS, reviewed_lists=("renames.csv",))
    catalogue = replace(CATALOGUE, tables={**CATALOGUE.tables, HUB_ACCOUNTS.path: with_lists})

    @table_asset(with_lists)
    def hub_accounts(context: dg.AssetExecutionContext) -> pl.LazyFrame:
        context.add_output_metadata({"made_by": {"rule": "majority"}})
        return rows(HUB_ACCOUNTS, namespace="a")

    dg.materialize(
        [hub_accounts],
        partition_key=AUGUST.isoformat(),
        resources={"lake": LakeResource(url=lake.url), "lake_io": lake_io_manager(catalogue)},
    )
    assert lake.provenance(HUB_ACCOUNTS, AUGUST).made_by == {"rule": "majority", **list_digests("renames.csv")}


@pytest.mark.parametrize("hub_id", ["a", "b"])
def test_a_step_whose_input_another_run_replaces_with_other_rows_stops_in_words_and_writes_nothing(lake, hub_id):
    def rival():
        known = lake.provenance(HUB_SNAPSHOTS, AUGUST)
        lake.write(HUB_SNAPSHOTS, AUGUST, rows(HUB_SNAPSHOTS, hub_id=hub_id), known)

    ended = run(lake, meanwhile=rival)
    assert ended.success == lake.holds(HUB_ACCOUNTS, AUGUST) == (hub_id == "a")
    if not ended.success:
        said = failure_of(ended)
        assert said.startswith("listings/hub_snapshots of 2025-08 was replaced while listings/hub_accounts was made")
        assert said.endswith("run the month again")


def test_a_run_whose_object_store_has_no_such_bucket_fails_with_one_sentence_and_tries_no_further_step(monkeypatch):
    with ObjectStoreServer() as server:
        server.new_bucket(monkeypatch)
        ended = run(Lake("s3://no-such-bucket-here/lake"))
    assert failure_of(ended) == (
        "s3://no-such-bucket-here/lake: the object store has no such bucket: create it, or name another; nothing was "
        "written"
    )
