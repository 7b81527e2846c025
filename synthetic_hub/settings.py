"""What makes one world different from another."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from synthetic_hub.accounts import FACTS_FILE, PROMINENCE_FILE
from synthetic_hub.incidents import DailyCounters

GENERATOR_VERSION = 6
"""Counted up whenever the same settings make a different world."""


@dataclass(frozen=True)
class WorldSettings:
    """`models` is about how many repositories exist by the end. Without `pathologies` nothing goes wrong.

    `revisions` keeps only the archive's usable revisions at these boundaries (first days of months), and `truth` can be
    left out: both are for large worlds. `daily` adds revisions on the days around boundaries, and what happens to
    counters on them; the flow that is planted is then that from boundary to boundary.
    """

    models: int = 20_000
    seed: int = 2025
    pathologies: bool = True
    revisions: tuple[date, ...] | None = None
    truth: bool = True
    daily: DailyCounters | None = None

    def stated(self) -> dict[str, Any]:
        """The settings by name, without `daily` where there is none: it came later, and must change no older world."""
        return {name: value for name, value in asdict(self).items() if name != "daily" or value}

    def digest(self) -> str:
        """Names a world by everything that determines its content."""
        text = json.dumps(self.stated(), sort_keys=True, default=str)
        facts = b"".join(file.read_bytes() for file in (FACTS_FILE, PROMINENCE_FILE))
        return hashlib.sha256(f"{GENERATOR_VERSION}{text}".encode() + facts).hexdigest()[:16]
