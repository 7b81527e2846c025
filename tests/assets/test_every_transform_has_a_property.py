"""Every public function of the pure transforms is called by a test that draws its examples, and a new one must be."""

import ast
import json
import os
import subprocess
import sys

import pytest

from tests.assets.called_by_properties import ASSETS, ROOT

TESTS = ("tests/assets", "tests/fuzz")
KNOWS_MORE_THAN_FRAMES = ("import click", "from pipeline.lake")


def public_functions():
    """Those of modules that know frames alone; an asset's body (decorated) is no function of frames."""
    return {
        f"{'.'.join(path.relative_to(ROOT).with_suffix('').parts)}.{node.name}"
        for path in ASSETS.rglob("*.py")
        if not any(line.startswith(KNOWS_MORE_THAN_FRAMES) for line in path.read_text().splitlines())
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and not node.decorator_list
        if "pl." in ast.unparse(node.args)
    }


@pytest.mark.faults
def test_property_tests_call_every_public_transform(tmp_path):
    called = tmp_path / "called.json"
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.assets.called_by_properties", *TESTS],
        cwd=ROOT,
        env=os.environ | {"CALLED_BY_PROPERTIES": str(called)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout[-2000:]
    assert public_functions() - set(json.loads(called.read_text())) == set()
