r"""One meaning for a declared pattern, whichever engine matches it.

Great Expectations matches pandas strings with Python's `re`, Polars with Rust's `regex`. The two disagree on what
`\s`, `\w` and `$` mean, so a pattern is written once in the part that both read, and spelled out for each:
classes mean what Python means by them, and `$` is the very end of the text (in Python alone it would also let a
trailing line feed pass, which strangers could hide in a name).
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping

import polars as pl

_TOKEN = re.compile(r"\\.|\[\^?\]?|.", re.DOTALL)
_FOR_POLARS = {
    r"\s": r"[\s\x1c-\x1f]",
    r"\S": r"[^\s\x1c-\x1f]",
    r"\w": r"[\p{L}\p{N}_]",
    r"\W": r"[^\p{L}\p{N}_]",
}
_FOR_PYTHON = {"$": r"\Z"}
_REFUSED = (r"\b", r"\B", r"\A", r"\Z", r"\z", r"\p", r"\P")


def for_polars(pattern: str) -> str:
    """The pattern as Polars must be given it."""
    return _respelled(pattern, _FOR_POLARS)


def for_python(pattern: str) -> str:
    """The pattern as Python's `re` must be given it."""
    return _respelled(pattern, _FOR_PYTHON)


def require_portable(pattern: str) -> None:
    """Refuses a pattern that the two engines do not both read, and read alike.

    Raises:
        ValueError: with what is wrong with the pattern.
    """
    tokens = _TOKEN.findall(pattern)
    if refused := sorted(set(tokens).intersection(_REFUSED)):
        raise ValueError(f"the pattern {pattern!r} uses {', '.join(refused)}, which engines read differently")
    if re.search(r"\(\?(?!:)", "".join(token for token in tokens if not token.startswith("\\"))):
        raise ValueError(f"the pattern {pattern!r} uses a flag, a name or a look-around: only `(?:` is portable")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            re.compile(for_python(pattern))
            pl.Series([""]).str.contains(for_polars(pattern))
        except (re.error, FutureWarning, pl.exceptions.ComputeError) as error:
            raise ValueError(f"the pattern {pattern!r} cannot be read by both engines: {error}") from error


def _respelled(pattern: str, spellings: Mapping[str, str]) -> str:
    pieces = []
    in_class = False
    for token in _TOKEN.findall(pattern):
        pieces.append(token if in_class and token == "$" else spellings.get(token, token))  # noqa: S105 (a regex token)
        in_class = token.startswith("[") or (in_class and token != "]")  # noqa: S105
    return "".join(pieces)
