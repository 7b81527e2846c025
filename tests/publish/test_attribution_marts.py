"""What is published of attribution: organisations then and today, and what every month's downloads came to."""

from datetime import date

import polars as pl

from assets.attribution.attribution_coverage import ATTRIBUTION_COVERAGE
from assets.attribution.organizations import ORGANIZATIONS
from assets.listings.reconciliation import BOUNDARY_RECONCILIATION, DOWNLOAD_RECONCILIATION
from assets.published.coverage import coverage
from assets.published.organizations import accounts
from tests.assets.rows import rows_of

JULY, AUGUST = date(2025, 7, 1), date(2025, 8, 1)


def test_a_moved_organisation_is_published_where_it_was_and_where_it_is_today():
    rows = [
        {"namespace": "lab", "organization": "Lab", "country": "CN", "valid_to": AUGUST},
        {"namespace": "lab", "organization": "Lab", "country": "SG", "valid_from": AUGUST},
        {"namespace": "other", "organization": "Other", "country": "FR"},
    ]
    published = (
        accounts(rows_of(ORGANIZATIONS, rows)).select("namespace", "country", "is_current", "country_today").collect()
    )
    assert published.sort("namespace", "country").rows() == [
        ("lab", "CN", False, "SG"),
        ("lab", "SG", True, "SG"),
        ("other", "FR", True, "FR"),
    ]


def test_coverage_says_by_which_rule_and_to_what_the_downloads_were_attributed():
    rows = [
        ("registry", "company", 2, 60.0),
        ("registry", "individual", 1, 10.0),
        ("account", "individual", 3, 20.0),
        ("unmapped", "unmapped", 4, 10.0),
    ]
    names = ("method", "kind", "models", "downloads")
    attributed = rows_of(ATTRIBUTION_COVERAGE, [{"month": JULY} | dict(zip(names, row, strict=True)) for row in rows])
    nothing = (pl.LazyFrame(schema=table.schema) for table in (DOWNLOAD_RECONCILIATION, BOUNDARY_RECONCILIATION))
    covered = coverage(*nothing, attributed).select("aspect", "member", "models", "share_of_downloads").collect()
    found = {(aspect, member): (models, share) for aspect, member, models, share in covered.iter_rows()}
    assert found == {
        ("attribution", "account"): (3, 0.2),
        ("attribution", "registry"): (3, 0.7),
        ("attribution", "unmapped"): (4, 0.1),
        ("attributed_to", "organization"): (2, 0.6),
        ("attributed_to", "unaffiliated"): (4, 0.3),
        ("attributed_to", "unmapped"): (4, 0.1),
    }
