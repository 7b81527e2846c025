"""Files that are there whole or not at all, whenever the process that writes them dies."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives a name to write to; left without an error, the file takes the place of `path` in one step."""
    unfinished = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def write_atomically(path: Path, content: bytes) -> None:
    """Puts the content in the place of what the file held."""
    with replacing(path) as unfinished:
        unfinished.write_bytes(content)
