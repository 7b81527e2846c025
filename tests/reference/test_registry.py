"""The reviewed registry is sound, and a defective one is refused in words."""

import pytest

from pipeline.errors import CensusError
from pipeline.reference.lists import language_tasks
from pipeline.reference.registry import read_registry, registry_defects

HEADER = "namespace,organization,country,kind,parent,valid_from,valid_to,evidence,basis,checked_on,note\n"


def registry_file(tmp_path, *lines, header=HEADER):
    path = tmp_path / "organizations.csv"
    path.write_text(header + "\n".join(lines))
    return path


def test_our_registry_is_read_with_its_digest():
    registry = read_registry()
    assert registry.organizations.height >= 800
    assert len(registry.digest) == 64


def test_our_registry_has_no_defects():
    assert [str(defect) for defect in registry_defects()] == []


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
    with pytest.raises(CensusError, match=r"line 3 \(lab\): the namespace is in two organisations at once"):
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
    with pytest.raises(CensusError, match=r"line 2 \(lab\): valid_from soon is not a day: write it as 2025-07-01"):
        read_registry(path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(CensusError, match=r"nowhere\.csv cannot be read"):
        read_registry(tmp_path / "nowhere.csv")


SOUND = {
    "namespace": "lab",
    "organization": "Lab",
    "country": "FR",
    "kind": "company",
    "evidence": "https://lab.example/about",
    "basis": "read",
    "checked_on": "2026-01-31",
}


def line(**changes):
    row = SOUND | changes
    return ",".join(row.get(column, "") for column in HEADER.strip().split(","))


DEFECTS = {
    "no namespace": ([line(namespace="")], 2, "is not a namespace: write the account's name"),
    "a name instead of a namespace": ([line(namespace="The Lab")], 2, "The Lab is not a namespace"),
    "no organisation": ([line(organization="")], 2, "the organisation is not named: name who stands behind"),
    "unknown kind": ([line(kind="firm")], 2, "kind firm is not known: choose one of company, university"),
    "a code that is none": ([line(), line(namespace="b", country="UK")], 3, "country UK is not an ISO 3166-1"),
    "no country": (
        [line(country="")],
        2,
        "country (none) does not go with kind company: leave",
    ),
    "a person with a country": ([line(kind="individual")], 2, "country FR does not go with kind individual"),
    "a day that is none": ([line(valid_from="2025-02-30")], 2, "valid_from 2025-02-30 is not a day: write it as"),
    "a period that ends first": (
        [line(valid_from="2025-06-01", valid_to="2025-06-01")],
        2,
        "the row ends on 2025-06-01, not after it begins on 2025-06-01: valid_to is the first day",
    ),
    "overlapping periods": (
        [line(valid_to="2025-07-01"), line(valid_from="2025-06-30")],
        3,
        "the namespace is in two organisations at once: end the earlier row's valid_to",
    ),
    "a period inside a longer one": (
        [line(valid_to="2026-01-01"), line(valid_from="2025-03-01", valid_to="2025-04-01")],
        3,
        "two organisations at once",
    ),
    "the same row twice": ([line(), line()], 3, "two organisations at once"),
    "two headquarters": ([line(), line(namespace="b", country="US")], 2, "Lab is in FR here and elsewhere"),
    "an orphan parent": ([line(parent="Nobody")], 2, "parent Nobody is not another organisation of the registry"),
    "its own parent": ([line(parent="Lab")], 2, "parent Lab is not another organisation"),
    "no evidence": ([line(evidence="")], 2, "evidence (none) is not a public address: give the address"),
    "evidence that is no address": ([line(evidence="common knowledge")], 2, "is not a public address"),
    "no basis": ([line(basis="", checked_on="")], 2, "basis (none) is not known: write read if"),
    "read on no day": (
        [line(checked_on="")],
        2,
        "checked_on (none) does not go with basis read: checked_on",
    ),
    "a day without reading": ([line(basis="well_known")], 2, "checked_on 2026-01-31 does not go with basis well_known"),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_each_kind_of_defect_is_named_with_its_line_and_remedy(tmp_path, outcomes, defect):
    lines, number, words = DEFECTS[defect]
    found = [str(found) for found in registry_defects(registry_file(tmp_path, *lines))]
    outcomes.add(f"registry: {defect}", found, wrong=not found)
    assert any(said.startswith(f"organizations.csv, line {number} (") and words in said for said in found), found


def test_a_sound_registry_has_no_defects(tmp_path):
    daughter = line(namespace="b", organization="Daughter", parent="Lab", country="international")
    person = line(namespace="jane", organization="Jane", kind="individual", country="")
    moved = line(namespace="c", organization="C", valid_to="2025-07-01")
    since = line(namespace="c", organization="C", country="US", valid_from="2025-07-01")
    assert registry_defects(registry_file(tmp_path, line(), daughter, person, moved, since)) == []


def test_lines_are_counted_over_values_of_several_lines(tmp_path):
    path = registry_file(tmp_path, line(note='"one\ntwo"'), line(namespace="b", kind="firm"))
    assert [defect.line for defect in registry_defects(path)] == [4]


def test_defects_of_the_evidence_do_not_keep_a_registry_from_being_used(tmp_path):
    assert read_registry(registry_file(tmp_path, line(evidence="", basis="", checked_on=""))).organizations.height == 1


def test_a_registry_whose_countries_do_not_exist_is_refused_with_the_number_of_other_defects(tmp_path):
    path = registry_file(tmp_path, line(country="UK"), line(namespace="b", country="XX"))
    with pytest.raises(CensusError, match=r"country UK is not an ISO .*; 1 more, see `census registry check"):
        read_registry(path)
