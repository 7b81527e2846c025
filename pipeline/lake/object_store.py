"""What a lake on an object store needs beside the filesystem layer: how it is opened, and its errors in a sentence.

Endpoint, region and credentials come from the environment, as every client of S3 reads them (`AWS_ENDPOINT_URL`,
`AWS_REGION`, `AWS_ACCESS_KEY_ID`, ...). An object is there under its name once its upload is complete, so a month is
whole or absent without any renaming.
"""

import functools
import inspect
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from upath import UPath

from pipeline.atomic_file import replacing
from pipeline.digest import ALGORITHM, digest_of
from pipeline.errors import CensusError, storage_trouble

Place = TypeVar("Place")

S3_PROTOCOLS = frozenset({"s3", "s3a"})
S3_OPTIONS: dict[str, Any] = {
    # A listing that is kept never learns of what other machines write.
    "use_listings_cache": False,
    "config_kwargs": {
        "connect_timeout": 10,
        "read_timeout": 30,
        "retries": {"mode": "standard", "total_max_attempts": 4},
    },
}
"""How S3 is opened. The filesystem layer tries connections that break five times, each with these attempts."""


@functools.cache
def located(url: str) -> UPath:
    """The folder at the URL, with what its protocol needs to be read by many machines.

    Raises:
        CensusError: the URL's protocol needs a package that is not installed.
    """
    protocol = url.split("://", 1)[0]
    try:
        folder: UPath = UPath(url, **(S3_OPTIONS if protocol in S3_PROTOCOLS else {}))
    except ImportError as error:
        raise CensusError(
            f"{url} cannot be opened, the package for {protocol}:// is not installed: install the distribution's extra "
            "object-store"
        ) from error
    return folder


def upload(file: Path, path: UPath) -> None:
    """Puts the file there under its name in one step; an upload that fails leaves what was there.

    Raises:
        CensusError: the store holds something else than was sent.
    """
    digest = digest_of(file)
    if path.protocol in ("", "file", "local"):
        Path(path.path).parent.mkdir(parents=True, exist_ok=True)
        with replacing(Path(path.path)) as unfinished:
            shutil.copyfile(file, unfinished)
    else:
        stated = {"Metadata": {ALGORITHM: digest}} if path.protocol in S3_PROTOCOLS else {}
        path.fs.put_file(str(file), path.path, **stated)
    if path.stat().st_size != file.stat().st_size:
        raise CensusError(f"{path} is not of the size that was sent, another writer may have put it there: run again")


def stated_digest(path: UPath) -> str | None:
    """The SHA-256 that an object says of itself, without reading it; None where nothing says it."""
    return path.fs.metadata(path.path).get(ALGORITHM) if path.protocol in S3_PROTOCOLS else None


def in_words(place: type[Place]) -> type[Place]:
    """The class of something with a `url`: its methods say in one sentence what the object store there refuses."""

    def told(method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def call(self: Any, /, *args: Any, **kwargs: Any) -> Any:
            try:
                return method(self, *args, **kwargs)
            except CensusError:
                raise
            except Exception as error:
                if trouble := refusal(self.url, error):
                    raise CensusError(trouble) from error
                raise

        return call

    for name, method in list(vars(place).items()):
        if inspect.isfunction(method) and not name.startswith("_"):
            setattr(place, name, told(method))
    return place


def refusal(url: str, error: BaseException) -> str | None:
    """What an object store's error means for what is kept at the URL; None for other errors and other places."""
    trouble = storage_trouble(error) if url.split("://", 1)[0] in S3_PROTOCOLS else None
    return trouble and f"{url}: {trouble}"
