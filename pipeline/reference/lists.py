"""The reviewed lists as files: their digests go with whatever is made by them."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from pipeline.digest import digest_of


def list_digests(*names: str) -> dict[str, str]:
    """The digest of each list, by the name of its file."""
    folder = Path(str(files("pipeline.reference")))
    return {name: digest_of(folder / name) for name in names}
