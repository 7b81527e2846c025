"""Puts the published Parquet files, with their card, on the Hub as a dataset."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import CensusError
from pipeline.sources.client import HubClient


@dataclass(frozen=True)
class Upload:
    """What goes, or would go, to a dataset on the Hub: the version and its files' sizes by path."""

    repository: str
    version: str
    folder: Path
    files: dict[str, int]
    client: HubClient

    def perform(self) -> str:
        """Uploads everything in one commit, in place of what the dataset held; the address of the commit.

        Raises:
            CensusError: the Hub cannot be reached or refuses.
        """
        return self.client.upload_dataset(self.repository, self.folder, f"Publish version {self.version}")


def plan_upload(folder: Path, repository: str) -> Upload:
    """The upload of the version that is current in the published `folder`.

    Raises:
        CensusError: nothing is published.
    """
    parquet = (folder / "current" / "parquet").resolve()
    if not parquet.is_dir():
        raise CensusError(f"nothing is published in {folder}: run `census run` first")
    paths = [path for path in sorted(parquet.rglob("*")) if path.is_file()]
    files = {path.relative_to(parquet).as_posix(): path.stat().st_size for path in paths}
    client = HubClient(token=os.environ.get("HF_TOKEN"))
    return Upload(repository, parquet.parent.name, parquet, files, client)
