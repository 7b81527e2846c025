"""A figure that had been published does not move unseen."""

from datetime import date

import duckdb
import pytest

from pipeline.publish import drift
from pipeline.publish.drift import headline_changes
from pipeline.publish.folder import PublishedFolder

JULY, AUGUST = date(2025, 7, 1), date(2025, 8, 1)
COLUMNS = (
    'month date, "window" varchar, months_in_window integer, is_complete boolean, population varchar, '
    "attribution varchar, member varchar, downloads double, share double, share_low double, share_high double, "
    "denominator double, basis varchar, coverage double"
)


@pytest.fixture
def publish(tmp_path, monkeypatch):
    """Publishes a warehouse in which the latest month has these shares; the folder."""

    def version(shares, month=AUGUST):
        with (
            PublishedFolder(tmp_path).new_version() as draft,
            duckdb.connect(draft.path / "census.duckdb") as made,
        ):
            made.sql(f"create table country_shares ({COLUMNS})")
            made.sql("create table dim_country (country varchar, country_name varchar)")
            for member, share in shares.items():
                made.execute(
                    "insert into country_shares values (?, 'trailing_12_months', 12, true, 'new', 'uploader', ?, "
                    "1, ?, 0, 1, 1, 'mixed', 1)",
                    [month, member, share],
                )
        return tmp_path

    def headline(folder):
        class Headline:
            last_month, window, population, attribution = AUGUST, "trailing_12_months", "new", "uploader"

        return Headline

    monkeypatch.setattr(drift, "read_headline", headline)
    return version


def test_a_first_version_has_nothing_to_stand_by(publish):
    assert headline_changes(publish({"CN": 0.6, "US": 0.4})) == []


def test_the_same_shares_stand(publish):
    publish({"CN": 0.6, "US": 0.4})
    assert headline_changes(publish({"CN": 0.601, "US": 0.399})) == []


def test_a_correction_that_flips_the_headline_is_told_with_both_figures(publish, outcomes):
    folder = publish({"CN": 0.6, "US": 0.4})
    first = PublishedFolder(folder).current()
    said = headline_changes(publish({"CN": 0.4, "US": 0.6}))
    outcomes.add("registry: a correction that flips the headline", said[:1], wrong=not said)
    assert said == [
        f"US leads 2025-08, CN did in version {first}: if that was not meant, `census restore {first}` takes it back",
        f"CN: 40.00%, 60.00% in version {first}",
        f"US: 60.00%, 40.00% in version {first}",
    ]


def test_a_month_that_is_no_longer_published_is_told(publish):
    publish({"CN": 1.0})
    [said] = headline_changes(publish({"CN": 1.0}, month=JULY))
    assert said.startswith("2025-08 is no longer published")
