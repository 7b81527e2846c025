"""The reviewed registry is sound, and a defective one is refused in words."""

import polars as pl
import pycountry
import pytest

from pipeline.errors import CensusError
from pipeline.reference.registry import read_registry
from pipeline.reference.tasks import language_tasks

HEADER = "namespace,organization,country,kind,parent,valid_from,valid_to,evidence,basis,checked_on,note\n"


def registry_file(tmp_path, *lines, header=HEADER):
    path = tmp_path / "organizations.csv"
    path.write_text(header + "\n".join(lines))
    return path


def test_our_registry_is_read_with_its_digest():
    registry = read_registry()
    assert registry.organizations.height >= 800
    assert len(registry.digest) == 64


def test_every_country_of_our_registry_exists():
    codes = set(read_registry().organizations["country"].drop_nulls()) - {"international"}
    assert {code for code in codes if pycountry.countries.get(alpha_2=code) is None} == set()


def test_persons_and_only_persons_have_no_country():
    rows = read_registry().organizations
    assert rows.filter(pl.col("country").is_null() != (pl.col("kind") == "individual")).is_empty()


def test_what_was_read_says_when():
    rows = read_registry().organizations
    assert rows.filter((pl.col("basis") == "read") != pl.col("checked_on").is_not_null()).is_empty()


def test_language_tasks_are_many_and_distinct():
    tasks = language_tasks()
    assert "text-generation" in tasks
    assert len(tasks) == len(set(tasks))


def test_a_namespace_in_two_organisations_at_once_is_refused(tmp_path):
    path = registry_file(
        tmp_path,
        "lab,One,US,company,,,2025-07-01,https://one.example,well_known,,",
        "lab,Two,FR,company,,2025-06-01,,https://two.example,well_known,,",
    )
    with pytest.raises(CensusError, match=r"puts namespace 'lab' into two organisations at once: end the earlier row"):
        read_registry(path)


def test_periods_that_meet_do_not_overlap(tmp_path):
    path = registry_file(
        tmp_path,
        "lab,One,US,company,,,2025-07-01,https://one.example,well_known,,",
        "lab,Two,FR,company,,2025-07-01,,https://two.example,well_known,,",
    )
    assert read_registry(path).organizations.height == 2


def test_a_missing_column_is_named(tmp_path):
    with pytest.raises(CensusError, match="lacks the columns organization"):
        read_registry(registry_file(tmp_path, "lab", header="namespace,country,kind\n"))


def test_a_date_that_is_none_is_refused(tmp_path):
    path = registry_file(tmp_path, "lab,One,US,company,,soon,,https://one.example,well_known,,")
    with pytest.raises(CensusError, match="not of its column's type"):
        read_registry(path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(CensusError, match=r"nowhere\.csv cannot be read"):
        read_registry(tmp_path / "nowhere.csv")
