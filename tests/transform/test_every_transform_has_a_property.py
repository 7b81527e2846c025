"""Every public function of the pure transforms is called by a test that draws its examples, and a new one must be."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TRANSFORMS = ROOT / "pipeline" / "transform"


def public_functions():
    return {
        f"{'.'.join(path.relative_to(TRANSFORMS).with_suffix('').parts)}.{node.name}"
        for path in TRANSFORMS.rglob("*.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    }


@pytest.mark.faults
def test_property_tests_call_every_public_transform(tmp_path):
    called = tmp_path / "called.json"
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.transform.called_by_properties", "tests/transform", "tests/fuzz"],
        cwd=ROOT,
        env=os.environ | {"CALLED_BY_PROPERTIES": str(called)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout[-2000:]
    assert public_functions() - set(json.loads(called.read_text())) == set()
