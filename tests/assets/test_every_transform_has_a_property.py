"""Every public function of the pure transforms is called by a test that draws its examples, and a new one must be.

This module is a plugin of pytest as well: it runs the property tests alone, few examples of each, and tells which
functions they call. The names go, as JSON, into the file that `CALLED_BY_PROPERTIES` names: `module.function`.
"""

import ast
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parents[2]
ASSETS = ROOT / "assets"
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
        [sys.executable, "-m", "pytest", "-p", "tests.assets.test_every_transform_has_a_property", *TESTS],
        cwd=ROOT,
        env=os.environ | {"CALLED_BY_PROPERTIES": str(called)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout[-2000:]
    assert public_functions() - set(json.loads(called.read_text())) == set()


FEW = settings(max_examples=3, deadline=None)
CALLED = set()


def is_property(item):
    return getattr(getattr(item, "obj", None), "is_hypothesis_test", False)


def note_call(frame, event, _):
    if event == "call" and frame.f_code.co_filename.startswith(str(ASSETS)):
        module = Path(frame.f_code.co_filename).relative_to(ROOT).with_suffix("")
        CALLED.add(f"{'.'.join(module.parts)}.{frame.f_code.co_qualname}")


def pytest_collection_modifyitems(items):
    items[:] = [item for item in items if is_property(item)]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    # What `@settings` set, however the decorators stand; Hypothesis has no public way to set it anew.
    item.obj._hypothesis_internal_use_settings = FEW
    threading.setprofile(note_call)
    sys.setprofile(note_call)
    try:
        return (yield)
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def pytest_sessionfinish():
    Path(os.environ["CALLED_BY_PROPERTIES"]).write_text(json.dumps(sorted(CALLED)))
