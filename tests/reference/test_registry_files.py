"""The registry's files say each fact once; the map that is compiled from them says it for every account and day."""

import time
from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import CensusError
from pipeline.reference.registry import compile_map, merge_periods, read_files, read_registry, registry_defects
from pipeline.reference.registry_rules import RULES
from tests.reference.invented import a_registry, account, organization, owner, seat

LAB = {"organizations": [organization("lab")], "seats": [seat("lab")], "accounts": [account("lab", "lab")]}
BOUGHT = LAB | {
    "organizations": [organization("lab"), organization("buyer"), organization("holding")],
    "seats": [seat("lab"), seat("buyer", "US"), seat("holding", "JP")],
}


def rows(folder, *columns, namespace="lab"):
    """What the map says of an account in these columns, a row for each period in which it says the same."""
    said = read_registry(folder).organizations.select(*dict.fromkeys(["namespace", *columns, "valid_from", "valid_to"]))
    return merge_periods(said).filter(pl.col("namespace") == namespace).select(columns).rows()


def test_a_move_of_the_seat_moves_every_account_from_that_day(tmp_path):
    moved = [seat("lab", valid_to="2025-03-01"), seat("lab", "US", valid_from="2025-03-01")]
    folder = a_registry(tmp_path, **LAB | {"seats": moved, "accounts": [account("lab", "lab"), account("labs", "lab")]})
    periods = [("FR", None, date(2025, 3, 1)), ("US", date(2025, 3, 1), None)]
    assert rows(folder, "country", "valid_from", "valid_to") == periods
    assert rows(folder, "country", "valid_from", "valid_to", namespace="labs") == periods


def test_the_ultimate_owner_is_the_topmost_and_changes_when_the_owner_is_bought(tmp_path):
    folder = a_registry(
        tmp_path, **BOUGHT, owners=[owner("lab", "buyer"), owner("buyer", "holding", closed_on="2025-06-01")]
    )
    assert rows(folder, "parent", "ultimate_owner", "valid_from") == [
        ("Buyer", "Buyer", None),
        ("Buyer", "Holding", date(2025, 6, 1)),
    ]


def test_a_row_says_how_the_seat_is_known_and_how_the_account(tmp_path):
    read = {"basis": "read", "evidence": "https://lab.example/about", "checked_on": "2026-01-31"}
    folder = a_registry(
        tmp_path, **LAB | {"seats": [seat("lab", **read)], "accounts": [account("lab", "lab", basis="own_name")]}
    )
    assert rows(folder, "basis", "account_basis", "evidence", "checked_on") == [
        ("read", "own_name", "https://lab.example/about", date(2026, 1, 31))
    ]


DEFECTS = {
    "an unknown organisation of an account": (
        {"accounts": [account("lab", "lab"), account("x", "nobody")]},
        "accounts.csv, line 3 (x): organization_id nobody is not in organizations.csv: correct the id, or add a line",
    ),
    "an unknown owner": ({"owners": [owner("lab", "nobody")]}, "owners.csv, line 2 (lab): owner_id nobody is not in"),
    "a seat of nobody": ({"seats": [seat("lab"), seat("x")]}, "seats.csv, line 3 (x): organization_id x is not in"),
    "a model of nobody": (
        {"canonical_models": [{"model_id": "bert", "organization_id": "x", "basis": "well_known"}]},
        "canonical_models.csv, line 2 (bert): organization_id x is not in",
    ),
    "two organisations of one id": (
        {"organizations": [organization("lab"), organization("lab")]},
        "organizations.csv, line 3 (lab): the organization_id lab is missing or listed more than once: give",
    ),
    "two organisations of one name": (
        {
            "organizations": [organization("lab"), organization("b") | {"name": "Lab"}],
            "seats": [seat("lab"), seat("b")],
        },
        "organizations.csv, line 3 (b): the name Lab is missing or listed more than once",
    ),
    "an organisation without a seat": (
        {"seats": []},
        "organizations.csv, line 2 (lab): the organisation has no seat: add its line to seats.csv",
    ),
    **{
        name: ({"seats": seats}, f"seats.csv, line {len(seats) + 1} (lab): the seats of the organisation overlap or")
        for name, seats in {
            "seats that overlap": [seat("lab", valid_to="2025-03-01"), seat("lab", "US", valid_from="2025-02-01")],
            "two seats at once": [seat("lab"), seat("lab", "US")],
            "days without a seat": [seat("lab", valid_to="2025-03-01"), seat("lab", "US", valid_from="2025-04-01")],
            "a seat that begins": [seat("lab", valid_from="2025-03-01")],
            "a seat that ends": [seat("lab", valid_to="2025-03-01")],
        }.items()
    },
    "a seat by no rule": (
        {"seats": [seat("lab", rule="birthplace")]},
        "seats.csv, line 2 (lab): rule birthplace does not lead to country FR: choose one of head_office",
    ),
    "a base by the rule for none": (
        {"seats": [seat("lab", rule="no_single_base")]},
        "seats.csv, line 2 (lab): rule no_single_base does not lead to country FR",
    ),
    "a community with a country by no rule that allows it": (
        {"organizations": [organization("lab", "community")]},
        "seats.csv, line 2 (lab): a community is placed in FR by no rule that allows it: choose one of author_group",
    ),
    "a person among the organisations": (
        {"organizations": [organization("lab", "individual")]},
        "organizations.csv, line 2 (lab): a person is among the organisations, which have countries: move the account",
    ),
    "a person and an organisation at once": (
        {"persons": [{"namespace": "lab", "name": "Jane"}]},
        "persons.csv, line 2 (lab): the account is an organisation's in accounts.csv at the same time",
    ),
    "owners in a circle": (
        BOUGHT | {"owners": [owner("lab", "buyer"), owner("buyer", "holding"), owner("holding", "lab")]},
        "owners.csv, line 2 (lab): the organisation owns itself through its owners",
    ),
    "two owners at once": (
        BOUGHT | {"owners": [owner("lab", "buyer"), owner("lab", "holding", closed_on="2025-01-01")]},
        "owners.csv, line 3 (lab): the organisation has two owners at once",
    ),
    "a purchase closed before it was announced": (
        BOUGHT | {"owners": [owner("lab", "buyer", announced_on="2025-02-01", closed_on="2025-01-01")]},
        "owners.csv, line 2 (lab): the purchase is closed before it was announced",
    ),
    "one account in two spellings": (
        {"accounts": [account("lab", "lab"), account("Lab", "lab")]},
        "accounts.csv, line 2 (lab): the account is there in two spellings: keep the one in the address",
    ),
    "an unknown role": ({"accounts": [account("lab", "lab", role="guest")]}, "accounts.csv, line 2 (lab): role guest"),
    "a name that is not its own": (
        {"accounts": [account("quite-other", "lab", basis="own_name")]},
        "accounts.csv, line 2 (quite-other): the account does not bear its organisation's name, which own_name claims",
    ),
    "a long quotation": (
        {"seats": [seat("lab", quote=" ".join(["word"] * 21))]},
        "seats.csv, line 2 (lab): the quotation has more than 20 words",
    ),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_each_defect_of_the_files_is_named_with_its_line_and_remedy(tmp_path, defect):
    files, sentence = DEFECTS[defect]
    found = [str(found) for found in registry_defects(a_registry(tmp_path, **LAB | files))]
    assert any(said.startswith(sentence) for said in found), found


def test_a_sound_folder_has_no_defects(tmp_path):
    assert registry_defects(a_registry(tmp_path, **BOUGHT, owners=[owner("lab", "buyer")])) == []


def test_a_folder_with_a_defect_that_decides_is_refused(tmp_path):
    with pytest.raises(CensusError, match=r"organizations\.csv, line 2 \(lab\): the organisation has no seat"):
        read_registry(a_registry(tmp_path, **LAB | {"seats": []}))


def test_our_registry_is_sound_and_compiled_in_less_than_a_second_with_every_account():
    assert [str(defect) for defect in registry_defects()] == []
    files = read_files()
    began = time.perf_counter()
    compiled = compile_map(files)
    assert time.perf_counter() - began < 1
    assert [rule.name for rule in RULES if not compiled.filter(rule.is_broken).is_empty()] == []
    assert set(compiled["namespace"]) == set(files["accounts"]["namespace"]) | set(files["persons"]["namespace"])
    registry = read_registry()
    assert registry.organizations.equals(compiled.drop("line"))
    assert len(registry.digest) == 64


DAYS = st.integers(0, 40).map(lambda weeks: date(2025, 1, 1) + timedelta(weeks=weeks))
NAMES = ("ash", "birch", "cedar", "dogwood")


def written(day):
    return "" if day is None else day.isoformat()


@st.composite
def registries(draw):
    """Sound registries: owners are owned by later names alone, seats and accounts follow one another."""
    seats, owners, accounts, persons = [], [], [], []
    for number, name in enumerate(NAMES):
        moves = sorted(draw(st.sets(DAYS, max_size=2)))
        for since, until in zip([None, *moves], [*moves, None], strict=True):
            country, legal = draw(st.sampled_from(["FR", "US", "CN"])), draw(st.sampled_from(["", "KY"]))
            seats.append(seat(name, country, legal_country=legal, valid_from=written(since), valid_to=written(until)))
        if NAMES[number + 1 :] and draw(st.booleans()):
            days = sorted(draw(st.lists(DAYS, min_size=3, max_size=3, unique=True)))
            announced, closed, ended = (draw(st.sampled_from([None, day])) for day in days)
            begun = {"announced_on": written(announced), "closed_on": written(closed), "ended_on": written(ended)}
            owners.append(owner(name, draw(st.sampled_from(NAMES[number + 1 :])), **begun))
    for namespace in ("x", "y"):
        handed = draw(st.none() | DAYS)
        accounts.append(account(namespace, draw(st.sampled_from(NAMES)), valid_to=written(handed)))
        if handed and draw(st.booleans()):
            persons.append({"namespace": namespace, "name": "Jane", "valid_from": written(handed)})
        elif handed:
            accounts.append(account(namespace, draw(st.sampled_from(NAMES)), valid_from=written(handed)))
    organizations = [organization(name) for name in NAMES]
    return {"organizations": organizations, "seats": seats, "owners": owners, "accounts": accounts, "persons": persons}


def holds(row, day, begin="valid_from", end="valid_to"):
    since, until = row.get(begin) or "0001-01-01", row.get(end) or "9999-01-01"
    return since <= day.isoformat() < until


def owned_by(files, name, day, *, if_announced):
    """The organisation and who owns it, one above the other, looked up one fact after the other."""
    chain = [name]
    for row in files["owners"]:
        is_waiting = row["announced_on"] and not row["closed_on"]
        begins = "announced_on" if if_announced and row["announced_on"] else "closed_on"
        is_owner = (if_announced or not is_waiting) and holds(row, day, begins, "ended_on")
        if row["organization_id"] == chain[-1] and is_owner:
            chain.append(row["owner_id"])
    return chain


def told(files, namespace, day):
    """What the files say of an account on a day."""
    if any(row["namespace"] == namespace and holds(row, day) for row in files["persons"]):
        return ("Jane", *[None] * 6)
    [name] = [row["organization_id"] for row in files["accounts"] if row["namespace"] == namespace and holds(row, day)]
    seats = {row["organization_id"]: row for row in files["seats"] if holds(row, day)}
    owners = owned_by(files, name, day, if_announced=False)
    announced = owned_by(files, name, day, if_announced=True)[-1]
    return (
        name.title(),
        seats[name]["country"],
        owners[1].title() if owners[1:] else None,
        owners[-1].title(),
        seats[owners[-1]]["country"],
        seats[announced]["country"],
        seats[name]["legal_country"] or None,
    )


SAID = ("organization", "country", "parent", "ultimate_owner", "ultimate_owner_country", "announced_owner_country")


@given(registries(), DAYS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_map_says_of_every_account_and_day_what_the_files_say_and_keeps_every_rule(tmp_path, files, day):
    compiled = read_registry(a_registry(tmp_path, **files)).organizations
    begun = pl.col("valid_from").is_null() | (pl.col("valid_from") <= day)
    valid = compiled.filter(begun & (pl.col("valid_to").is_null() | (pl.col("valid_to") > day)))
    assert dict(zip(valid["namespace"], valid.select(*SAID, "legal_country").rows(), strict=True)) == {
        namespace: told(files, namespace, day)
        for namespace in ("x", "y")
        if any(row["namespace"] == namespace and holds(row, day) for row in [*files["accounts"], *files["persons"]])
    }
    for rule in RULES:
        assert compiled.filter(rule.is_broken).is_empty(), rule.name


@given(registries())
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_row_ends_only_where_something_about_the_account_changes(tmp_path, files):
    compiled = read_registry(a_registry(tmp_path, **files)).organizations
    said = pl.struct(*SAID, "legal_country")
    follows = (pl.col("valid_from") == pl.col("valid_to").shift(1).over("namespace")).fill_null(value=False)
    repeats = compiled.filter(follows & (said == said.shift(1).over("namespace")))
    assert repeats.is_empty()
