"""Who may know whom, and how long a function may be, read from the syntax trees."""

import ast
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PURE = ("pipeline/schema",)
IMPURE_MODULES = ("dagster", "duckdb", "huggingface_hub", "httpx2", "pathlib", "requests", "upath", "urllib")


def imported_by(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def modules_under(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def is_or_is_in(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def importers_of(*packages: str, under: str) -> set[str]:
    """The modules that import one of the packages, or something in it."""
    return {
        str(path.relative_to(ROOT))
        for path in modules_under(under)
        if any(is_or_is_in(name, package) for name in imported_by(path) for package in packages)
    }


def test_only_the_composition_root_imports_assets_and_the_synthetic_hub_nothing_of_the_census():
    assert importers_of("assets", under="pipeline") == {"pipeline/definitions.py"}
    assert importers_of("assets", "pipeline", under="synthetic_hub") == set()


def test_sources_know_nothing_of_what_is_made_of_them():
    assert importers_of("pipeline.schema", "pipeline.lake", under="pipeline/sources") == set()


CHAIN = ("listings", "lineage", "attribution", "models", "shares", "published")


@pytest.mark.parametrize("group", CHAIN)
def test_no_group_of_the_census_knows_one_that_comes_after_it(group):
    after = [f"assets.{later}" for later in CHAIN[CHAIN.index(group) + 1 :]]
    known = {name for path in modules_under(f"assets/{group}") for name in imported_by(path)}
    assert not [name for name in known for package in after if is_or_is_in(name, package)]


@pytest.mark.parametrize("path", modules_under(*PURE), ids=lambda path: str(path.relative_to(ROOT)))
def test_pure_modules_know_nothing_of_dagster_files_or_the_network(path):
    found = {name for name in imported_by(path) for module in IMPURE_MODULES if is_or_is_in(name, module)}
    assert not found


CLUSTER_MODULES = ("celery", "dagster_celery", "dagster_k8s", "kombu", "kubernetes", "redis")
STORE_MODULES = ("botocore", "fsspec", "s3fs", "upath")
PLACES = (*CLUSTER_MODULES, *STORE_MODULES, "os", "pathlib", "platform", "socket", "tempfile")
"""Modules by which code could learn where it runs, or where its files are."""
SAID_OF_PLACES = re.compile(r"s3://|file://|\bAWS_|\benviron\b|executor|run_launcher|dagster-celery|dagster-k8s")


WITHOUT_COMMANDS = [path for path in modules_under("assets", *PURE) if not path.stem.endswith("_command")]
"""A command is told where files are by the person who gives it."""


@pytest.mark.parametrize("path", WITHOUT_COMMANDS, ids=lambda path: str(path.relative_to(ROOT)))
def test_assets_and_transforms_know_of_no_place_and_no_executor(path):
    assert not {name for name in imported_by(path) for module in PLACES if is_or_is_in(name, module)}
    assert SAID_OF_PLACES.findall(path.read_text()) == []


def test_the_cluster_is_known_to_its_own_modules_only_and_the_store_to_the_lake():
    assert importers_of(*CLUSTER_MODULES, under="pipeline") == {
        "pipeline/orchestration/celery_runs.py",
        "pipeline/orchestration/celery_worker.py",
    }
    assert importers_of(*STORE_MODULES, under="pipeline") == {
        "pipeline/digest.py",
        "pipeline/lake/object_store.py",
        "pipeline/lake/store.py",
    }


def test_great_expectations_is_imported_inside_functions_only():
    at_load = [
        str(path.relative_to(ROOT))
        for path in modules_under("pipeline", "assets")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.Import | ast.ImportFrom) and "great_expectations" in ast.unparse(node)
    ]
    assert at_load == []


@pytest.mark.parametrize("path", modules_under("assets", "pipeline", "synthetic_hub"), ids=lambda path: path.stem)
def test_no_function_is_longer_than_sixty_lines(path):
    nodes = ast.walk(ast.parse(path.read_text()))
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert [one.name for one in functions if one.end_lineno - one.lineno + 1 > 60] == []


def test_every_benchmark_finds_what_it_imports():
    for path in modules_under("benchmarks"):
        if path.stem != "__main__":
            importlib.import_module(f"benchmarks.{path.stem}")
