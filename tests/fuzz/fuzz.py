"""Coverage-guided fuzzing of what reads untrusted input: tags, cards, listing records, listing pages.

By `make fuzz`, which installs `atheris`; or, for 150 seconds of one target,

    python -m tests.fuzz.fuzz tags 150

What must hold is what the properties in `test_untrusted_input.py` say, here of a hundred values at a time, for a table
costs the same to make of one repository as of a hundred. Whatever is found becomes an `@example` there.
"""

import os
import random
import sys
import tempfile
import time
from pathlib import Path

import atheris
from hypothesis import given, settings
from hypothesis import strategies as st

with atheris.instrument_imports(include=["pipeline", "assets"]):
    from tests.faults.figures import keep
    from tests.fuzz import test_untrusted_input as properties

TOGETHER = 100
TARGETS = {
    "tags": (properties.test_declarations_become_edges_that_add_up, properties.DECLARED),
    "listing": (properties.test_listing_records_become_rows_and_edges, properties.RECORDS),
    "cards": (properties.test_cards_in_archives_become_names_of_base_models, properties.WRITTEN_CARDS),
    "pages": (properties.test_listing_pages_become_rows, st.lists(properties.RECORDS, max_size=3)),
}


def main():
    target, seconds = sys.argv[1], int(sys.argv[2])
    held, values = TARGETS[target]
    counted = 0

    @settings(database=None)
    @given(st.lists(values, min_size=1, max_size=TOGETHER))
    def holds(together):
        nonlocal counted
        counted += len(together)
        held.hypothesis.inner_test(together)

    began = time.monotonic()

    def take(content):
        holds.hypothesis.fuzz_one_input(content)
        passed = round(time.monotonic() - began)
        if passed > seconds:
            sys.stderr.write(f"{target}: {counted} inputs in {passed} s\n")
            keep("fuzzing", {target: {"inputs": counted, "seconds": passed}})
            os._exit(0)

    with tempfile.TemporaryDirectory() as corpus:
        for number in range(200):
            chance = random.Random(number)
            Path(corpus, f"seed-{number}").write_bytes(chance.randbytes(chance.choice([256, 1024, 4096])))
        atheris.Setup([sys.argv[0], "-seed=1", "-max_len=8192", "-len_control=0", corpus], take)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
