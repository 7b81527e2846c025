"""Independent work on two processors at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

First = TypeVar("First")
Second = TypeVar("Second")


def together(first: Callable[[], First], second: Callable[[], Second]) -> tuple[First, Second]:
    """What both return, done side by side: Polars and NumPy let go of the interpreter while they work on arrays."""
    with ThreadPoolExecutor(max_workers=1) as other:
        beside = other.submit(second)
        return first(), beside.result()
