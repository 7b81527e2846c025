"""The synthetic world: the same from the same seed, calibrated, and with its faults where it says they are."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import polars as pl
import pytest

from pipeline.reference.registry import read_registry
from synthetic_hub.world import WorldSettings, ensure_world

SMALL = WorldSettings(models=1_200, revisions=(date(2024, 8, 1), date(2025, 8, 1)))
TRAILING_YEAR = [date(2024 + (8 + step) // 12, (8 + step) % 12 + 1, 1) for step in range(12)]


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    return ensure_world(tmp_path_factory.getbasetemp() / "worlds", WorldSettings(models=1_500, pathologies=False))


def contents(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def summed(table, key, value="downloads", **only):
    """Sums of a truth table by one column."""
    return dict(table.filter(**only).group_by(key).agg(pl.col(value).sum()).iter_rows())


def shares(world, population, *months):
    """Percent by country of the uploader, of these months."""
    table = world.truth("country_downloads").filter(pl.col("month").is_in(months))
    sums = summed(table, "country", population=population, attribution="uploader")
    return {country: downloads / sum(sums.values()) * 100 for country, downloads in sums.items()}


def usable_near(world, boundary):
    distance = (pl.col("committed_at") - datetime(boundary.year, boundary.month, 1, tzinfo=UTC)).abs()
    return world.revisions.filter("usable").sort(distance).row(0, named=True)


def archived_near(world, boundary):
    """The usable revision nearest to a boundary."""
    return pl.read_parquet(usable_near(world, boundary)["path"])


def archived(world, **which):
    """The first revision of a kind, or committed at a time."""
    return pl.read_parquet(world.revisions.filter(**which)["path"][0])


def archived_in_august(world, day):
    return archived(world, committed_at=datetime(2025, 8, day, tzinfo=UTC))


def planted_as(world, label):
    return world.truth("pathologies").filter(label=label)


def counted_at(world, *boundaries):
    """The cumulative counters that the archive shows at boundaries, one column each, by repository."""
    columns = [
        archived_near(world, boundary).select(hub_id="_id", **{f"{boundary:%Y-%m}": "downloadsAllTime"})
        for boundary in boundaries
    ]
    return pl.concat(columns, how="align").sort("hub_id")


def following(month):
    return (month.replace(day=28) + timedelta(days=4)).replace(day=1)


def test_the_same_settings_make_the_same_bytes_and_another_seed_another_world(tmp_path):
    first, second = (ensure_world(tmp_path / name, SMALL) for name in ("one", "two"))
    assert contents(first.path) == contents(second.path)
    other = ensure_world(tmp_path, replace(SMALL, seed=7))
    assert not set(first.revisions["sha256"]) & set(other.revisions["sha256"])


def test_two_who_ask_at_once_get_one_world_with_only_the_chosen_revisions(tmp_path):
    with ThreadPoolExecutor(2) as pool:
        worlds = list(pool.map(lambda _: ensure_world(tmp_path, SMALL), range(2)))
    assert [path.name for path in tmp_path.iterdir()] == [world.path.name for world in worlds[:1]]
    assert worlds[1].revisions["committed_at"].dt.date().to_list() == [date(2024, 8, 1), date(2025, 7, 29)]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"models": 1_000, "truth": False, "revisions": (date(2023, 1, 1),)}, "no boundary 2023-01-01"),
        ({"models": 50}, "at least 1000 models, not 50"),
    ],
)
def test_a_world_is_refused_at_other_boundaries_and_too_small_for_its_organisations(tmp_path, asked, said):
    with pytest.raises(ValueError, match=said):
        ensure_world(tmp_path, WorldSettings(**asked))
    assert not list(tmp_path.iterdir())


def test_the_world_says_that_it_is_synthetic(world):
    assert "Synthetic" in (world.path / "README.md").read_text(encoding="utf-8")


def test_china_overtakes_the_usa_among_new_models_in_june_2025_and_not_among_all(world):
    by_month = {month: shares(world, "new", month) for month in world.months}
    ahead = [month for month, share in by_month.items() if share["CN"] > share["US"]]
    assert ahead == [month for month in world.months if month >= date(2025, 6, 1)]
    everything = shares(world, "all", *TRAILING_YEAR)
    assert max(everything, key=everything.get) == "US"


def test_the_giant_and_derivatives_hold_their_shares_of_downloads(world):
    """In a world this small some countries have no derivative to give downloads to."""
    months = world.truth("model_months")
    giant, total = (
        summed(months, "month", **only) for only in ({"model_id": "sentence-transformers/all-MiniLM-L6-v2"}, {})
    )
    assert [giant[month] / total[month] for month in world.months] == pytest.approx([0.08] * 14, abs=1e-4)
    last = months.filter(month=date(2025, 9, 1))
    derived = last.join(world.truth("models").filter(pl.col("relation").is_not_null()), on="hub_id", how="semi")
    assert derived["downloads"].sum() / last["downloads"].sum() == pytest.approx(0.43, abs=0.02)


def test_months_say_how_well_they_are_measured(world):
    quality = dict(world.truth("months").select("month", "quality").iter_rows())
    scaled = {date(2025, 7, 1), date(2025, 8, 1)}
    for month, word in quality.items():
        assert word == ("estimated" if month < date(2025, 3, 1) else "scaled" if month in scaled else "exact")


def test_the_two_counters_disagree_by_three_to_nine_percent(world):
    closing = archived_near(world, date(2025, 10, 1))
    months = world.truth("model_months").filter(pl.col("downloads") > 10_000, month=date(2025, 9, 1), case="measured")
    both = months.join(closing, left_on="hub_id", right_on="_id", suffix="_shown")
    assert (1 - both["downloads_shown"] / both["downloads"]).median() == pytest.approx(0.06, abs=0.02)


def test_every_pathology_is_planted_and_written_down(world):
    labels = set(world.truth("pathologies")["label"])
    assert {
        "deleted", "late_arrival", "renamed", "counter_reset", "counter_always_null", "rolled_back_in_may_2025",
        "thirty_days_frozen", "zeroed_counters", "partial", "stale", "off_boundary", "frozen", "rollback",
        "self_reference", "cycle_of_2_0", "cycle_of_3_1", "missing_parent", "free_text_relation", "repeated_edge",
        "untyped_tags_only", "card_only", "base_model_not_a_repository", "hostile_name", "hostile_card",
        "null_safetensors_total", "absurd_safetensors_total", "giant", "bot_burst", "test_traffic", "level_broken",
        "created_before_release", "weekday_effect", "no_namespace", "counters_disagree", "moved_to_community",
        "reuploader", "nested_family", "merge_of_several_countries",
    } <= labels  # fmt: skip
    cases = world.truth("months").filter(pl.col("month") >= date(2025, 3, 1))
    assert cases.select(pl.col("late_arrival", "counter_reset", "disappeared").sum() > 0).row(0) == (True,) * 3


def test_a_clean_world_has_no_pathology(clean):
    assert clean.truth("pathologies").is_empty()
    assert clean.revisions["usable"].all()
    assert clean.revisions.height == len(clean.months) + 1
    assert set(clean.truth("model_months")["case"]) == {"measured", "created"}
    assert set(clean.truth("months")["quality"]) == {"estimated", "exact"}


def test_a_revision_is_partial_one_a_copy_and_one_days_away(world):
    def revision(**which):
        return world.revisions.filter(**which).row(0, named=True)

    partial, stale = revision(pathology="partial"), revision(pathology="stale")
    sound = revision(committed_at=partial["committed_at"] + timedelta(hours=20))
    assert (partial["committed_at"], sound["usable"]) == (datetime(2025, 5, 1, tzinfo=UTC), True)
    assert partial["rows"] / sound["rows"] == pytest.approx(0.26, abs=0.01)
    original = revision(committed_at=stale["committed_at"] - timedelta(days=7))
    assert (stale["sha256"], stale["commit"] == original["commit"]) == (original["sha256"], False)
    moved = revision(pathology="off_boundary")["committed_at"]
    assert datetime(2025, 8, 1, tzinfo=UTC) - moved == timedelta(days=2, hours=12)


def test_the_archives_columns_come_in_with_their_eras(world):
    since = {
        "cardData": date(2024, 10, 1),
        "trendingScore": date(2024, 10, 1),
        "downloadsAllTime": date(2025, 2, 26),
        "baseModels": date(2025, 7, 25),
    }
    for revision in world.revisions.to_dicts():
        columns = pl.read_parquet_schema(revision["path"])
        for column, day in since.items():
            assert (column in columns) == (revision["observed_at"].date() >= day), (revision["observed_at"], column)


def test_counters_are_null_or_zero_where_they_first_appear(world):
    first = archived(world, pathology="zeroed_counters")
    assert first["downloadsAllTime"].null_count() > first.height / 3
    assert (first["downloadsAllTime"] == 0).sum() > first.height / 5


def test_counters_fall_across_the_hub_in_may_and_recover(world):
    before, after = (archived_near(world, boundary) for boundary in (date(2025, 5, 1), date(2025, 6, 1)))
    before, during, after = (
        frame.select("_id", "downloadsAllTime") for frame in (before, archived(world, pathology="rollback"), after)
    )
    joined = before.join(during, on="_id", suffix="_during").join(after, on="_id", suffix="_after")
    fell = pl.col("downloadsAllTime_during") < pl.col("downloadsAllTime")
    assert joined.filter(fell).height > joined.height / 50
    assert joined.filter(fell & (pl.col("downloadsAllTime_after") >= pl.col("downloadsAllTime"))).height > 0


def test_all_counters_stand_still_on_a_frozen_day(world):
    day_before, frozen = archived_in_august(world, 19), archived_in_august(world, 20)
    both = frozen.join(day_before, on="_id", suffix="_before")
    assert frozen.height >= day_before.height
    assert (both["downloadsAllTime"] == both["downloadsAllTime_before"]).sum() >= both.height - 3
    assert (both["downloads"] == both["downloads_before"]).all()


def test_a_changed_query_file_takes_a_repositorys_downloads_to_a_twentieth_for_good(world):
    """Beside the repositories of the same age that nothing was done to."""
    broken = planted_as(world, "level_broken")
    assert broken.height >= 2
    assert set(broken["month"]) == {date(2025, 6, 1)}
    march, june, october = "2025-03", "2025-06", "2025-10"
    counters = counted_at(world, date(2025, 3, 1), date(2025, 6, 1), date(2025, 10, 1)).drop_nulls()
    paces = counters.select(
        "hub_id",
        before=(pl.col(june) - pl.col(march)) / 92,
        after=(pl.col(october) - pl.col(june)) / 122,
    ).filter(pl.col("before") > 10)
    left = pl.col("after") / pl.col("before")
    others = paces.filter(~pl.col("hub_id").is_in(broken["hub_id"].to_list())).select(left.median()).item()
    fallen = paces.join(broken, on="hub_id", how="semi").select(left).to_series()
    assert fallen.len() == broken.height
    assert fallen.max() < others / 10


def test_a_repository_can_be_listed_for_months_before_its_first_download(world):
    early = planted_as(world, "created_before_release")
    assert early.height >= 2
    for row in early.to_dicts():
        counters = counted_at(world, row["month"], following(row["month"])).filter(hub_id=row["hub_id"])
        assert counters.select(pl.nth(1)).item() == 0 < counters.select(pl.nth(2)).item()
        listed = archived_near(world, row["month"]).filter(pl.col("_id") == row["hub_id"])
        waited = row["month"] - listed["createdAt"].item().date()
        assert timedelta(days=60) <= waited <= timedelta(days=124)


def test_counters_grow_less_on_saturdays_and_sundays_but_not_in_a_clean_world(world, clean):
    def growth(world):
        """On a Friday, a Saturday and a Sunday, of what was listed before."""
        days = [world.listing(datetime(2025, 8, day, tzinfo=UTC)) for day in (8, 9, 10, 11)]
        known = [day.filter(pl.col("createdAt") < date(2025, 8, 1)).drop_nulls("downloadsAllTime") for day in days]
        counted = [day.join(known[-1], on="_id", how="semi")["downloadsAllTime"].sum() for day in known]
        return [after - before for before, after in pairwise(counted)]

    on_friday, *weekend = growth(world)
    assert weekend == pytest.approx([0.6 * on_friday] * 2, rel=0.02)
    on_friday, *weekend = growth(clean)
    assert weekend == pytest.approx([on_friday] * 2, rel=0.001)
    assert set(planted_as(world, "weekday_effect")["month"]) == set(world.months)


def test_legacy_names_have_no_namespace_and_the_reviewed_lists_organisation(world):
    reviewed = read_registry().canonical_models.select("model_id", "organization", "country")
    legacy = planted_as(world, "no_namespace").join(world.truth("models"), on="hub_id")
    assert sorted(legacy["model_id"]) == ["bert-base-uncased", "camembert-base", "gpt2"]
    planted = legacy.select("model_id", "organization", "country")
    assert planted.join(reviewed, on=planted.columns, how="semi").height == planted.height
    for boundary in (date(2024, 8, 1), date(2025, 10, 1)):
        shown = archived_near(world, boundary).filter(~pl.col("id").str.contains("/"))
        assert sorted(shown["id"]) == sorted(legacy["model_id"])
        assert shown["author"].null_count() == shown.height


def test_some_merges_have_parents_of_several_countries(world):
    models = world.truth("models").select("hub_id", "country", "account_type")
    parents = (
        planted_as(world, "merge_of_several_countries")
        .join(world.truth("edges"), left_on="hub_id", right_on="child_hub_id")
        .join(models, left_on="parent_hub_id", right_on="hub_id", suffix="_of_parent")
    )
    countries = parents.group_by("hub_id").agg(pl.col("country").n_unique())
    assert countries.height == planted_as(world, "merge_of_several_countries").height > 0
    assert countries["country"].min() >= 2


@pytest.mark.parametrize("label", ["reuploader", "moved_to_community"])
def test_an_account_that_publishes_what_others_made_is_written_down_by_its_oldest_repository(world, label):
    models = world.truth("models").sort("hub_id")
    oldest = models.drop_nulls("namespace").unique("namespace", keep="first", maintain_order=True).select("hub_id")
    logged = planted_as(world, label).join(models, on="hub_id")
    assert logged.height >= 5
    assert (logged["namespace"] == logged["detail"]).all()
    assert logged.join(oldest, on="hub_id", how="semi").height == logged.height


def test_families_nest_in_one_another(world):
    edges = world.truth("edges").filter("carries_origin")
    nested = edges.filter(pl.col("parent_hub_id").is_in(edges["child_hub_id"].to_list()))
    assert set(planted_as(world, "nested_family")["hub_id"]) <= set(nested["child_hub_id"])


def test_a_renamed_account_keeps_its_repositories_ids(world):
    before, after = (archived_near(world, boundary) for boundary in (date(2025, 6, 1), date(2025, 9, 1)))
    renamed = before.filter(author="THUDM").join(after, on="_id", suffix="_after")
    assert renamed.height > 0
    assert set(renamed["author_after"]) == {"zai-org"}
    assert "zai-org" not in set(before["author"])


def test_a_parent_is_named_as_it_was_called_when_the_child_was_made(world):
    renamed = world.truth("edges").filter(
        pl.col("named_as") != pl.col("parent_model_id"), pl.col("parent_hub_id").is_not_null()
    )
    assert renamed.height > 0
    known = dict(world.truth("renames").select("hub_id", "former_id").iter_rows())
    assert all(known[edge["parent_hub_id"]] == edge["named_as"] for edge in renamed.to_dicts())


def test_every_revision_has_each_repository_once(world):
    for path in world.revisions["path"]:
        rows = pl.read_parquet(path, columns=["_id", "id"])
        assert rows["_id"].n_unique() == rows["id"].n_unique() == rows.height
        assert not rows.select(pl.all().null_count().sum()).row(0)[0]


def test_ids_are_object_ids_in_order_of_creation_none_older_than_the_hubs_first(world):
    models = world.truth("models")
    assert models["created_at"].min() == datetime(2022, 3, 2, 23, 29, 4, tzinfo=UTC)
    assert models["hub_id"].str.contains("^[0-9a-f]{24}$").all()
    assert models["hub_id"].is_sorted()
    seconds = models["hub_id"].str.head(8).str.to_integer(base=16)
    assert (seconds == models["created_at"].dt.epoch("s")).all()
