"""Fixed windows of requests, announced in the Hub's own headers."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass, field

UNLIMITED = 1_000_000_000
_PER_API_REQUEST = {"api": 1.0, "resolvers": 6.0, "pages": 0.2}
"""How the Hub's anonymous quotas compare: 500 API requests, 3,000 file requests, 100 pages a window."""


def bucket_of(path: str) -> str:
    """The quota a request is counted in."""
    if path.startswith("/api/"):
        return "api"
    return "resolvers" if "/resolve/" in path else "pages"


@dataclass(frozen=True)
class Allowance:
    """Where a bucket stands after a request."""

    bucket: str
    quota: int
    remaining: int
    resets_in: int
    window: int
    allowed: bool

    def headers(self) -> dict[str, str]:
        """The two headers of every answer."""
        return {
            "RateLimit": f'"{self.bucket}";r={self.remaining};t={self.resets_in}',
            "RateLimit-Policy": f'"fixed window";"{self.bucket}";q={self.quota};w={self.window}',
        }


@dataclass
class FixedWindows:
    """Counts requests by bucket in windows of so many seconds. `quota` is that of the API; None refuses nobody."""

    quota: int | None
    window: int
    _began: dict[str, float] = field(default_factory=dict)
    _used: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, path: str) -> Allowance:
        """Counts one request."""
        bucket = bucket_of(path)
        quota = UNLIMITED if self.quota is None else max(int(self.quota * _PER_API_REQUEST[bucket]), 1)
        now = time.monotonic()
        with self._lock:
            if now - self._began.get(bucket, -math.inf) >= self.window:
                self._began[bucket], self._used[bucket] = now, 0
            self._used[bucket] += 1
            remaining = max(quota - self._used[bucket], 0)
            allowed = self._used[bucket] <= quota
            resets_in = max(math.ceil(self.window - (now - self._began[bucket])), 0)
        return Allowance(bucket, quota, remaining, resets_in, self.window, allowed)
