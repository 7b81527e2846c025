"""Coverage-guided fuzzing of the targets beside this file, with libFuzzer's options.

Needs `atheris`, which is no requirement of the tests: `.venv/bin/uv pip install atheris`, then

    python tests/fuzz/fuzz.py tags -max_total_time=600

Targets: listing, bytes, cards, tags. Whatever it finds becomes an `@example` of its target.
"""

import importlib.util
import random
import sys
import tempfile
from pathlib import Path

import atheris


def targets():
    path = Path(__file__).with_name("test_words_of_strangers.py")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    with atheris.instrument_imports(include=["pipeline"]):
        spec.loader.exec_module(module)
    return module.TARGETS


def seeds(folder):
    """Bytes that Hypothesis draws whole examples from: an empty start would only ever draw small ones."""
    for number in range(200):
        chance = random.Random(number)
        Path(folder, f"seed-{number}").write_bytes(chance.randbytes(chance.choice([64, 512, 2048])))


if __name__ == "__main__":
    name, *options = sys.argv[1:]
    with tempfile.TemporaryDirectory() as corpus:
        seeds(corpus)
        atheris.Setup([sys.argv[0], *options, corpus], targets()[name].hypothesis.fuzz_one_input)
        atheris.Fuzz()
