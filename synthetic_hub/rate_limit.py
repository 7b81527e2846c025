"""Fixed windows of requests, announced in the Hub's own headers."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass, field

UNLIMITED = 1_000_000_000
_PER_API_REQUEST = {"api": 1.0, "resolvers": 6.0, "pages": 0.2}
"""How the Hub's anonymous quotas compare: 500 API requests, 3,000 file requests, 100 pages a window."""


@dataclass
class FixedWindows:
    """Counts requests by bucket in windows of so many seconds. `quota` is that of the API; None refuses nobody."""

    quota: int | None
    window: int
    _began: dict[str, float] = field(default_factory=dict)
    _used: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, path: str) -> tuple[bool, dict[str, str]]:
        """Counts one request: whether it is allowed, and the headers that say where its bucket stands."""
        bucket = "api" if path.startswith("/api/") else "resolvers" if "/resolve/" in path else "pages"
        quota = UNLIMITED if self.quota is None else max(int(self.quota * _PER_API_REQUEST[bucket]), 1)
        now = time.monotonic()
        with self._lock:
            if now - self._began.get(bucket, -math.inf) >= self.window:
                self._began[bucket], self._used[bucket] = now, 0
            self._used[bucket] += 1
            left = quota - self._used[bucket]
            resets_in = max(math.ceil(self.window - (now - self._began[bucket])), 0)
        return left >= 0, {
            "RateLimit": f'"{bucket}";r={max(left, 0)};t={resets_in}',
            "RateLimit-Policy": f'"fixed window";"{bucket}";q={quota};w={self.window}',
        }
