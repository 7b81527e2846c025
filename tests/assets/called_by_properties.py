"""A plugin of pytest: runs the property tests alone, few examples of each, and tells which functions they call.

The names go, as JSON, into the file that `CALLED_BY_PROPERTIES` names: `module.function` of the census.
"""

import json
import os
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parents[2]
ASSETS = ROOT / "assets"
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
