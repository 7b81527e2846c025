"""Who may know whom, read from the syntax trees."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PURE = ("pipeline/transform", "pipeline/tables")
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


def test_only_the_composition_root_imports_assets():
    importers = [
        str(path.relative_to(ROOT))
        for path in modules_under("pipeline")
        if any(is_or_is_in(name, "assets") for name in imported_by(path))
    ]
    assert importers == ["pipeline/definitions.py"]


@pytest.mark.parametrize("path", modules_under(*PURE), ids=lambda path: str(path.relative_to(ROOT)))
def test_pure_modules_know_nothing_of_dagster_files_or_the_network(path):
    found = {name for name in imported_by(path) for module in IMPURE_MODULES if is_or_is_in(name, module)}
    assert not found


def test_great_expectations_is_imported_inside_functions_only():
    at_load = [
        str(path.relative_to(ROOT))
        for path in modules_under("pipeline", "assets")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.Import | ast.ImportFrom) and "great_expectations" in ast.unparse(node)
    ]
    assert at_load == []
