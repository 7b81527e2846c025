"""What the tests here begin with: an empty lake, and a published folder that is not there yet."""

import pytest

from pipeline.lake.store import Lake
from pipeline.publish.folder import PublishedFolder


@pytest.fixture
def lake(tmp_path):
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def folder(tmp_path):
    return PublishedFolder(tmp_path / "published")
