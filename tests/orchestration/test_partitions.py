"""A home of the sample has the months that the sample has; any other has every month that has closed."""

from pipeline import settings
from pipeline.months import FIRST_MONTH
from pipeline.orchestration.partitions import mark_sample, partitions


def ends():
    months = partitions().get_partition_keys()
    return months[0], months[-1]


def test_once_the_sample_is_in_its_lake_a_home_has_no_months_that_the_sample_lacks(home):
    (home / "lake").mkdir(parents=True)
    assert ends()[0] == FIRST_MONTH.isoformat()
    assert ends()[1] > "2026"
    mark_sample(settings.lake_url())
    assert ends() == ("2024-08-01", "2025-09-01")


def test_a_lake_elsewhere_says_nothing_of_the_home(home):
    mark_sample("s3://bucket/lake")
    assert ends()[0] == FIRST_MONTH.isoformat()
