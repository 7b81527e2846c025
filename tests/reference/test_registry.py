"""A registry in one file is read as it is, and a defective one is named line by line with the remedy."""

import pytest

from pipeline.errors import CensusError
from pipeline.reference.registry import read_registry, registry_defects

COLUMNS = (
    *("namespace", "organization", "country", "kind", "parent"),
    *("valid_from", "valid_to", "evidence", "basis", "checked_on", "note"),
)
SOUND = {"namespace": "lab", "organization": "Lab", "country": "FR", "kind": "company"} | {
    "evidence": "https://lab.example/about",
    "basis": "read",
    "checked_on": "2026-01-31",
}


def line(**changes):
    row = SOUND | changes
    return ",".join(row.get(column, "") for column in COLUMNS)


def registry_file(tmp_path, *lines, columns=COLUMNS):
    path = tmp_path / "organizations.csv"
    path.write_text("\n".join([",".join(columns), *lines]))
    return path


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ([line(valid_to="2025-07-01"), line(valid_from="2025-06-01")], r"line 3 \(lab\): the namespace is in two org"),
        ([line(valid_from="soon")], r"line 2 \(lab\): valid_from soon is not a day: write it as 2025-07-01"),
        ([line(country="UK"), line(namespace="b", country="X")], r"UK is not .*; 1 more, see `census registry check"),
    ],
)
def test_a_registry_with_defects_that_decide_is_refused_with_the_first_of_them(tmp_path, lines, sentence):
    with pytest.raises(CensusError, match=sentence):
        read_registry(registry_file(tmp_path, *lines))


def test_what_cannot_be_read_is_named(tmp_path):
    with pytest.raises(CensusError, match="lacks the columns organization"):
        read_registry(registry_file(tmp_path, "lab", columns=("namespace", "country", "kind")))
    with pytest.raises(CensusError, match=r"nowhere\.csv cannot be read"):
        read_registry(tmp_path / "nowhere.csv")


DEFECTS = {
    "no namespace": ([line(namespace="")], 2, "is not a namespace: write the account's name"),
    "a name instead of a namespace": ([line(namespace="The Lab")], 2, "The Lab is not a namespace"),
    "no organisation": ([line(organization="")], 2, "the organisation is not named: name who stands behind"),
    "unknown kind": ([line(kind="firm")], 2, "kind firm is not known: choose one of company, university"),
    "a code that is none": ([line(), line(namespace="b", country="UK")], 3, "country UK is not an ISO 3166-1"),
    "no country": ([line(country="")], 2, "country (none) does not go with kind company: leave"),
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
        "the namespace is in two organisations at once: end the earlier row",
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
    "no evidence": ([line(evidence="")], 2, "evidence (none) is not a public address: give"),
    "evidence that is no address": ([line(evidence="common knowledge")], 2, "is not a public address"),
    "a refused source": ([line(evidence="https://www.grokipedia.com/x")], 2, "the policy refuses https://www.grok"),
    "no basis": ([line(basis="", checked_on="")], 2, "basis (none) is not known: write read if"),
    "read on no day": ([line(checked_on="")], 2, "checked_on (none) does not go with basis read: it is the day"),
    "a day without reading": ([line(basis="well_known")], 2, "checked_on 2026-01-31 does not go with basis well_known"),
    "after a value of two lines": ([line(note='"one\ntwo"'), line(namespace="b", kind="firm")], 4, "kind firm"),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_each_kind_of_defect_is_named_with_its_line_and_remedy(tmp_path, outcomes, defect):
    lines, number, words = DEFECTS[defect]
    found = [str(found) for found in registry_defects(registry_file(tmp_path, *lines))]
    outcomes.add(f"registry: {defect}", found, wrong=not found)
    assert any(said.startswith(f"organizations.csv, line {number} (") and words in said for said in found), found


def test_a_sound_registry_has_no_defects_and_periods_may_meet(tmp_path):
    daughter = line(namespace="b", organization="Daughter", parent="Lab", country="international")
    person = line(namespace="jane", organization="Jane", kind="individual", country="")
    moved = line(namespace="c", organization="C", valid_to="2025-07-01")
    since = line(namespace="c", organization="C", country="US", valid_from="2025-07-01")
    path = registry_file(tmp_path, line(), daughter, person, moved, since)
    assert registry_defects(path) == []
    assert read_registry(path).organizations.height == 5


def test_defects_of_the_evidence_do_not_keep_a_registry_from_being_used(tmp_path):
    assert read_registry(registry_file(tmp_path, line(evidence="", basis="", checked_on=""))).organizations.height == 1
