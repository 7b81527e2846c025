"""What no message, event or file may hold: the secrets among this process' settings."""

import os
import re
from collections.abc import Iterator
from urllib.parse import unquote

from pipeline.errors import with_causes

SECRETS = (
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "CENSUS_ALERT_WEBHOOK",
    "CENSUS_DATABASE_PASSWORD",
    "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN",
    "PGPASSWORD",
)
"""Settings that are secret as a whole."""
ADDRESSES = (
    "ALL_PROXY",
    "AWS_ENDPOINT_URL",
    "CENSUS_BROKER_URL",
    "CENSUS_INSTANCE_URL",
    "CENSUS_LAKE_URL",
    "CENSUS_POSTGRES_URL",
    "CENSUS_PUBLISHED_URL",
    "HF_ENDPOINT",
    "HTTPS_PROXY",
    "HTTP_PROXY",
)
"""Settings whose value may have a password in it."""
_IN_ADDRESS = re.compile(r"^[\w+.-]*:?/{0,3}[^:/@\s]*:(?P<password>\S+)@")
_NAMED = re.compile(r"(?:password|passwd|pwd)=(?P<password>[^&\s]+)", re.IGNORECASE)
_PIECES = re.compile(r"[:/@?#&]+")


def hidden(text: str) -> str:
    """The text with the name of its setting in place of each secret."""
    for name, secret in _secrets():
        text = text.replace(secret, f"<{name}>")
    return text


def holds_a_secret(error: BaseException) -> bool:
    """Whether the text of the error, or of one that led to it, has a secret in it."""
    return any(hidden(str(seen)) != str(seen) for seen in with_causes(error))


def _secrets() -> Iterator[tuple[str, str]]:
    """Each secret with its setting; of a password in an address also the pieces into which a parser may cut it."""
    for name in (*SECRETS, *ADDRESSES, *map(str.lower, ADDRESSES)):
        value = os.environ.get(name, "")
        passwords = [found["password"] for pattern in (_IN_ADDRESS, _NAMED) for found in pattern.finditer(value)]
        if name in SECRETS or passwords:
            pieces = [piece for password in passwords for piece in _PIECES.split(password)]
            for secret in (value, *passwords, *pieces, *map(unquote, (*passwords, *pieces))):
                if len(secret) >= 3:  # what is shorter stands in too many words
                    yield name, secret
