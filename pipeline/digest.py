"""The digest by which a file is known."""

import hashlib
from io import BytesIO
from pathlib import Path
from typing import cast

from upath import UPath

ALGORITHM = "sha256"


def digest_of(file: Path | UPath) -> str:
    """SHA-256 of the file's bytes, in hexadecimal digits."""
    with file.open("rb") as opened:
        return hashlib.file_digest(cast("BytesIO", opened), ALGORITHM).hexdigest()
