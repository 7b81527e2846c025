"""The registry's commands over the sample's months, as a reviewer uses them."""

import re
import shutil

import polars as pl

from pipeline.reference.registry import our_registry, read_registry


def registry(asked, sample, *arguments):
    finished = asked(sample[0], "registry", *arguments)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def test_our_registry_is_sound_and_the_months_are_remarked_on(asked, sample):
    said = registry(asked, sample, "check")
    assert "registry: no defects" in said
    assert re.search(r"remark: [\d,]+ namespaces never listed in 2024-08 to 2025-09", said)
    assert re.search(r"remark: the most downloaded namespaces in 2025-09 that are unmapped\n +\w+ +\d\.\d{3}%", said)


def test_a_defective_registry_is_told_line_by_line_and_exits_1(asked, sample, tmp_path):
    defective = tmp_path / "defective"
    shutil.copytree(our_registry(), defective)
    seats = (defective / "seats.csv").read_text()
    (defective / "seats.csv").write_text(seats.replace("01-ai,CN,", "01-ai,UK,"))
    finished = asked(sample[0], "registry", "check", defective)
    assert finished.returncode == 1
    assert re.search(
        r"seats.csv, line \d+ \(01-ai\): country UK is not an ISO 3166-1 alpha-2 code: write", finished.stdout
    )
    assert "defective: 1 defect\n" in finished.stdout


def test_coverage_of_a_listing_and_of_the_months_is_printed_with_the_part_that_was_read(asked, sample, tmp_path):
    listing = tmp_path / "listing.csv"
    listing.write_text("namespace,june\ngoogle,90\nnobody-knows-them,10\n")
    said = registry(asked, sample, "coverage", listing)
    assert re.search(r"june: 100 in 2 namespaces\n +in the registry +90\.000%\n +read +90\.000%", said)
    assert re.search(r"the largest without a row:\n +nobody-knows-them +10\.000%", said)
    months = registry(asked, sample, "coverage")
    assert len(re.findall(r"^20\d\d-\d\d: ", months, re.MULTILINE)) == 14


def test_all_variants_stand_side_by_side_with_what_each_moves(asked, sample):
    said = registry(asked, sample, "compare", "--last-month", "2025-08")
    assert re.search(
        r"^ +ours  head_office  ultimate_owner  legal_seat  greater_china  announced_owner$", said, re.MULTILINE
    )
    assert re.search(r"^  China +17\.10% +\+0\.00%", said, re.MULTILINE)
    moved = re.findall(r"^  Hong Kong +\d+\.\d+% +\+0\.00% +\S+ +\S+ +(\S+)%", said, re.MULTILINE)
    assert all(float(difference) < 0 for difference in moved)


def test_the_map_is_exported_as_a_registry_of_one_file(asked, sample, tmp_path):
    exported = tmp_path / "map.csv"
    exported.write_text(registry(asked, sample, "export"))
    header = (
        "namespace,organization,country,kind,parent,valid_from,valid_to,ultimate_owner,ultimate_owner_country,basis"
    )
    assert exported.read_text().splitlines()[0] == header
    rows = pl.read_csv(exported, infer_schema=False, null_values=[""])
    assert set(rows["namespace"]) == set(read_registry().organizations["namespace"])
    assert read_registry(exported).organizations.select(rows.columns).height == rows.height


def test_a_review_lists_what_is_announced_disputed_or_read_long_ago(asked, sample):
    said = registry(asked, sample, "review", "--on", "2028-01-01")
    assert re.search(r"^due on 2028-01-01: [\d,]+ facts$", said, re.MULTILINE)
    assert re.search(r"^read more than a year ago: [\d,]+$", said, re.MULTILINE)


def test_the_same_seed_draws_the_same_rows(asked, sample):
    first = registry(asked, sample, "sample", "--seed", 7)
    assert registry(asked, sample, "sample", "--seed", 7) == first
    assert registry(asked, sample, "sample", "--seed", 8) != first
    assert len(first.splitlines()) == 32
