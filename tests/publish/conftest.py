"""What the tests here begin with: a published folder that is not there yet."""

import pytest

from pipeline.publish.folder import PublishedFolder


@pytest.fixture
def folder(tmp_path):
    return PublishedFolder(tmp_path / "published")
