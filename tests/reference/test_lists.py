"""What is made by a reviewed list says by which version of it."""

import re
from pathlib import Path

from pipeline import reference
from pipeline.definitions import CATALOGUE
from pipeline.reference.lists import list_digests

FOLDER = Path(reference.__file__).parent
WITHOUT_PART_IN_FIGURES = {"incidents.csv", "plausible_downloads.csv", "country_groups.csv"}
"""They comment on months, or are for other maps: a line more changes no figure."""


def test_every_list_behind_a_figure_is_named_by_a_table():
    named = {name for table in CATALOGUE.tables.values() for name in table.reviewed_lists}
    assert named == {path.name for path in FOLDER.glob("*.csv")} - WITHOUT_PART_IN_FIGURES


def test_a_list_is_known_by_its_digest():
    digests = list_digests("licences.csv", "renames.csv")
    assert list(digests) == ["licences.csv", "renames.csv"]
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in digests.values())
