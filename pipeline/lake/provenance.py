"""What a file of the lake was made from: kept in the file itself, so that it goes wherever the file goes."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from pipeline.version import __version__

KEY = "open_model_census.provenance"
"""The key of the Parquet file's own metadata."""
OBSERVATION = ("source", "source_revision", "observed_at")
MADE_BY = "made_by"


@dataclass(frozen=True)
class Provenance:
    """What stands behind one table's month.

    `inputs` has the SHA-256 of every file of the lake that it was made from, by table. `observed_at` is the closing
    observation's time (ISO 8601, UTC). `made_by` has the digests of the reviewed lists, and other choices, that have
    part in it, by name.
    """

    inputs: Mapping[str, str] = field(default_factory=dict)
    source: str | None = None
    source_revision: str | None = None
    observed_at: str | None = None
    made_by: Mapping[str, str] = field(default_factory=dict)
    code_version: str = __version__

    @property
    def observation(self) -> tuple[str | None, str | None, str | None]:
        """Source, revision and time of the closing observation; None where it has no part."""
        return self.source, self.source_revision, self.observed_at

    def after(self, inputs: Iterable[Self]) -> Self:
        """The same, with what the inputs know of their origin where nothing is known here."""
        known = self
        for upstream in inputs:
            missing = {name: getattr(upstream, name) for name in OBSERVATION if getattr(known, name) is None}
            known = replace(known, **missing, made_by={**upstream.made_by, **known.made_by})
        return known

    def as_metadata(self) -> dict[str, str]:
        """For a Parquet file; the same provenance gives the same bytes."""
        return {KEY: json.dumps(asdict(self), sort_keys=True)}


def provenance_in(metadata: Mapping[bytes, bytes]) -> Provenance | None:
    """What a Parquet file's metadata say; None where they say nothing, or nothing that can be read."""
    try:
        said: dict[str, Any] = json.loads(metadata[KEY.encode()])
        return Provenance(**said)
    except (KeyError, TypeError, ValueError):
        return None
