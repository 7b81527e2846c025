"""What a file of the lake was made from: kept in the file itself, so that it goes wherever the file goes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from pipeline.version import __version__

KEY = "open_model_census.provenance"
"""The key of the Parquet file's own metadata."""
INHERITED = ("source", "source_revision", "observed_at", "registry_digest")
"""What a table has from the tables that it is made from, unless its own step says otherwise."""


@dataclass(frozen=True)
class Provenance:
    """What stands behind one table's month.

    `inputs` has the SHA-256 of every file of the lake that it was made from, by table; `observed_at` is the closing
    observation's time (ISO 8601, UTC), `registry_digest` that of the registry, None where neither has part in it.
    """

    inputs: Mapping[str, str] = field(default_factory=dict)
    source: str | None = None
    source_revision: str | None = None
    observed_at: str | None = None
    registry_digest: str | None = None
    code_version: str = __version__

    def after(self, inputs: Iterable[Provenance]) -> Provenance:
        """The same, with what the inputs know of their origin where nothing is known here."""
        known = self
        for upstream in inputs:
            missing = {name: getattr(upstream, name) for name in INHERITED if getattr(known, name) is None}
            known = replace(known, **missing)
        return known

    def as_metadata(self) -> dict[str, str]:
        """For a Parquet file; the same provenance gives the same bytes."""
        return {KEY: json.dumps(asdict(self) | {"inputs": dict(sorted(self.inputs.items()))}, sort_keys=True)}


def provenance_in(metadata: Mapping[str, str]) -> Provenance | None:
    """What a Parquet file's metadata say; None where they say nothing, or nothing that can be read."""
    try:
        said: dict[str, Any] = json.loads(metadata[KEY])
        return Provenance(**said)
    except (KeyError, TypeError, ValueError):
        return None
