"""Invented registries, as folders of files."""

import csv

from pipeline.reference.registry import FILES


def organization(name, kind="company", **more):
    return {"organization_id": name, "name": name.title(), "kind": kind} | more


def seat(name, country="FR", rule="head_office", **more):
    return {"organization_id": name, "country": country, "rule": rule, "basis": "well_known"} | more


def owner(name, above, **more):
    return {"organization_id": name, "owner_id": above, "basis": "well_known"} | more


def account(namespace, name, **more):
    return {"namespace": namespace, "organization_id": name} | more


def a_registry(folder, **files):
    """A folder with the registry's files; what a row leaves out is filled in, a file that is not given is empty."""
    filled = {"accounts": {"role": "own", "basis": "well_known"}, "persons": {"basis": "well_known"}}
    for name, columns in FILES.items():
        with (folder / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(filled.get(name, {}) | row for row in files.get(name, []))
    return folder
