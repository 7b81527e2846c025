"""What a census made matches its digests; a changed byte in any of its files does not."""

import json
from datetime import date

from assets.attribution.model_attribution import MODEL_ATTRIBUTION
from assets.listings.hub_snapshots import HUB_SNAPSHOTS
from assets.models.models import MODELS
from assets.shares.country_shares import COUNTRY_SHARES
from pipeline.definitions import CATALOGUE
from pipeline.lake.store import Lake
from pipeline.months import months_between
from pipeline.publish.verify import verify

MONTHS = months_between(date(2024, 8, 1), date(2025, 9, 1))
AUGUST = date(2025, 8, 1)


def test_the_sample_matches_and_says_so(asked, sample):
    finished = asked(sample[0], "verify", "--json")
    said = json.loads(finished.stdout)
    assert (finished.returncode, said["findings"]) == (0, [])
    assert said["months"] == [f"{month:%Y-%m}" for month in MONTHS]
    assert len(said["versions"]) == 1


def test_every_table_says_what_it_was_made_from(sample):
    lake = Lake(str(sample[0] / "lake"))
    snapshot, attributed, models, mart = (
        lake.provenance(table, AUGUST) for table in (HUB_SNAPSHOTS, MODEL_ATTRIBUTION, MODELS, COUNTRY_SHARES)
    )
    observed = lake.scan(HUB_SNAPSHOTS, AUGUST).select("source_revision", "observed_at").head(1).collect().row(0)
    assert (mart.source, mart.source_revision, mart.observed_at) == ("sample", observed[0], observed[1].isoformat())
    assert mart.made_by["registry"] == attributed.made_by["registry"]
    assert len(mart.made_by["registry"]) == 64
    assert attributed.inputs[HUB_SNAPSHOTS.path] == lake.digest(HUB_SNAPSHOTS, AUGUST)
    assert models.inputs[MODEL_ATTRIBUTION.path] == lake.digest(MODEL_ATTRIBUTION, AUGUST)
    assert mart.inputs[MODELS.path] == lake.digest(MODELS, AUGUST)
    assert snapshot.inputs == {}


def change_one_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def test_a_changed_byte_in_any_file_is_told_of_that_file(own_sample):
    versions = own_sample / "published" / "versions"
    [version] = versions.iterdir()
    published = [path for path in version.rglob("*") if path.is_file() and path.name != "SHA256SUMS"]
    lake = Lake(str(own_sample / "lake"))
    for path in published:
        change_one_byte(path)
    for month in MONTHS:
        for table in CATALOGUE.monthly:
            change_one_byte(lake.path(table, month))
    findings = {str(finding) for finding in verify(lake, CATALOGUE, own_sample / "published").findings}
    unnoticed = [
        f"{month:%Y-%m} {table.path}"
        for month in MONTHS
        for table in CATALOGUE.monthly
        if not any(said.startswith(f"{month:%Y-%m}: {table.path} has changed") for said in findings)
    ]
    unnoticed += [
        str(path)
        for path in published
        if not any(f"{path.relative_to(version)} has changed since it was published" in said for said in findings)
    ]
    assert unnoticed == []


def test_a_changed_byte_in_what_has_no_manifest_is_told_by_the_publication(own_sample):
    lake = Lake(str(own_sample / "lake"))
    paths = sorted((own_sample / "lake" / "published" / "month_manifest").rglob("*.parquet"))
    paths += sorted((own_sample / "lake" / "attribution" / "organizations").rglob("*.parquet"))
    for path in paths:
        change_one_byte(path)
    findings = "\n".join(map(str, verify(lake, CATALOGUE, own_sample / "published").findings))
    for path in paths:
        assert f"made from another {path.relative_to(own_sample / 'lake')} than the lake holds" in findings
