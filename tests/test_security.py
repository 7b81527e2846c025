"""No secret is in what is published as source, and nothing listens beyond this machine."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from synthetic_hub.server import LocalHub
from synthetic_hub.world import WorldFiles, WorldSettings

ROOT = Path(__file__).parents[1]

SECRETS = {
    "a token of the Hub": (r"\bhf_[A-Za-z0-9]{30,}\b", "hf_" + "A" * 34),
    "a token of GitHub": (r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{40,})\b", "ghp_" + "a" * 36),
    "a key of AWS": (r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b", "AKIA" + "A" * 16),
    "a key of Google": (r"\bAIza[0-9A-Za-z_-]{35}\b", "AIza" + "a" * 35),
    "a private key": (r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----", "-----BEGIN RSA " + "PRIVATE KEY-----"),
    "a webhook": (r"hooks\.slack\.com/services/T[A-Z0-9]+/B[A-Z0-9]+/\w+", "hooks.slack.com/services/" + "T0/B0/x"),
    "a signed token": (r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}", ".".join(["eyJ" + "a" * 10] * 2 + ["a" * 10])),
    "a password in an address": (
        r"\b[a-z][a-z0-9+]*://[^\s/:@'\"{}$]+:(?!\$|\.{3}@)[^\s/@'\"{}$]{3,}@(?!hub\.invalid)",
        "https://" + "someone:" + "secret@example.com",
    ),
}
"""By kind: the pattern that finds it, and one that was made up."""


def secrets_in(text):
    return [kind for kind, (pattern, _) in SECRETS.items() if re.search(pattern, text)]


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_is_recognised(kind):
    assert secrets_in(f"value = '{SECRETS[kind][1]}'") == [kind]


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="what is tracked is known in a clone alone")
def test_no_tracked_file_holds_a_secret():
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    paths = [ROOT / name for name in tracked.stdout.split("\0") if name]
    found = {
        str(path): kinds
        for path in paths
        if path.is_file() and (kinds := secrets_in(path.read_text(encoding="utf-8", errors="replace")))
    }
    assert found == {}


def test_the_local_hub_listens_on_loopback_only():
    hub = LocalHub(WorldFiles(Path("nowhere"), WorldSettings()))
    host, _ = hub._socket.getsockname()
    hub._socket.close()
    assert host == "127.0.0.1"


def test_a_deployment_publishes_on_loopback_only_and_gives_the_token_to_one_service():
    services = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())["services"]
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)
    assert [name for name, service in services.items() if "HF_TOKEN" in service.get("environment", {})] == ["daemon"]
