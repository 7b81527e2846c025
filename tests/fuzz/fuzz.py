"""Coverage-guided fuzzing of what reads untrusted input: tags, cards, listing records, listing pages.

By `make fuzz`, which installs `atheris`; or, for 150 seconds of one target,

    python -m tests.fuzz.fuzz tags 150

A table costs the same to make of one repository as of hundreds, so inputs are gathered and read together; if something
is found, they are read in halves until the one to blame is told. Whatever is found becomes an `@example` of the test
in `test_untrusted_input.py` that holds the same.
"""

import json
import os
import random
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["pipeline"]):
    from tests.faults.figures import keep
    from tests.fuzz import test_untrusted_input as words

REFUSED = words.REFUSED
TEXTS = (
    "Qwen/base",
    "a/b",
    "bert",
    "../..",
    "a/<b>",
    "🤗/🤗",
    "a/\x00",
    "https://hf.co/a/b",
    "",
    "C:\\x",
    "A/B",
    "a/b/c",
)
MARKS = ("base_model:", "base_model:finetune:", "base_model:merge:", "base_model:x:", "license:", "dataset:", ":", "")
RELATIONS = ("finetune", "adapter", "merge", "quantized", "Finetune", "", "x", ":")
CARDS = ('{"base_model": "a/b"}', '{"base_model": ["a/b", "bert"]}', '{"base_model": [{"a": null}]}', "[", '"', "null")


class Words:
    """Draws texts and lists from an input's bytes."""

    def __init__(self, content):
        self.drawn = atheris.FuzzedDataProvider(content)

    def text(self):
        place = self.drawn.ConsumeIntInRange(0, 2 * len(TEXTS))
        return TEXTS[place] if place < len(TEXTS) else self.any_text()

    def any_text(self):
        return self.drawn.ConsumeUnicodeNoSurrogates(self.drawn.ConsumeIntInRange(0, 24))

    def tag(self):
        return self.one_of(MARKS) + self.text()

    def one_of(self, values):
        return values[self.drawn.ConsumeIntInRange(0, len(values) - 1)]

    def several(self, draw):
        return [draw() for _ in range(self.drawn.ConsumeIntInRange(0, 4))]

    def perhaps(self, draw):
        return draw() if self.drawn.ConsumeBool() else None

    def parent(self, id_field, name_field):
        return {id_field: self.one_of(("1", "2", "", "zz")), name_field: self.text()}

    def anything(self):
        """A value of any shape that JSON has, now and then what was meant."""
        try:
            return json.loads(self.any_text())
        except (ValueError, RecursionError):
            return self.one_of((None, True, 1.5, [], {}, [{}], {"total": "x"}, {"base_model": {"a": [1]}}))


@atheris.instrument_func
def repository(content):
    """What a listed repository declares, or None."""
    said = Words(content)
    return {
        "model_id": said.text() or "x",
        "tags": said.perhaps(lambda: said.several(said.tag)),
        "card_base_models": said.perhaps(lambda: said.several(said.text)),
        "base_model_relation": said.one_of(RELATIONS),
        "base_models": said.perhaps(lambda: said.several(lambda: said.parent("hub_id", "model_id"))),
    }


@atheris.instrument_func
def record(content):
    """A record as the listing API writes it."""
    said = Words(content)
    return {
        "id": said.text(),
        "_id": said.any_text(),
        "createdAt": said.one_of(("2025-08-01T00:00:00.000Z", "soon", None, said.any_text())),
        "downloads": said.one_of((0, -1, 2**63 - 1, None)),
        "tags": said.perhaps(lambda: said.several(said.tag)),
        "cardData": {"base_model": said.one_of((said.text(), said.several(said.text), said.anything()))},
        "safetensors": said.anything(),
        "gguf": said.anything(),
        "gated": said.anything(),
        "baseModels": said.one_of(
            (said.anything(), {"relation": said.text(), "models": said.several(lambda: said.parent("_id", "id"))})
        ),
    }


@atheris.instrument_func
def card(content):
    """A card as an archive keeps it: JSON, or text that is none."""
    said = Words(content)
    return said.one_of(
        (
            said.one_of(CARDS),
            said.any_text(),
            json.dumps({"base_model": said.anything()}),
            f'{{"base_model": "{said.text()}"}}',
        )
    )


@atheris.instrument_func
def page(content):
    """A page of the listing with some bytes damaged, if a crawl would keep it: a list of records."""
    said = Words(content)
    usual = ("id", "_id", "createdAt", "downloads", "tags")
    records = [
        {name: value for name, value in record(part).items() if name in usual} for part in (content, content[::-1])
    ]
    whole = json.dumps(records).encode()
    damaged = bytearray(whole)
    for _ in range(said.drawn.ConsumeIntInRange(0, 3)):
        damaged[said.drawn.ConsumeIntInRange(0, len(damaged) - 1)] = said.drawn.ConsumeIntInRange(0, 255)
    try:
        records = json.loads(damaged)
    except (ValueError, RecursionError):
        return whole
    kept = isinstance(records, list) and all(isinstance(record, dict) for record in records)
    return bytes(damaged) if kept else whole


@dataclass
class Gathered:
    """Inputs until there are enough for a table, and what must hold of all of them together."""

    draw: object
    hold: object
    together: int
    inputs: int = 0
    refused: int = 0
    waiting: list = field(default_factory=list)

    def take(self, content):
        self.inputs += 1
        drawn = self.draw(content)
        if drawn is not None:
            self.waiting.append((content, drawn))
        if len(self.waiting) == self.together:
            self.look()

    def look(self):
        together, self.waiting = self.waiting, []
        if together:
            self.look_at(together)

    def look_at(self, together):
        """Holds them; what is refused is held in halves, so that it hides nothing of the rest."""
        halves = together[: len(together) // 2], together[len(together) // 2 :]
        try:
            refused = self.hold([drawn for _, drawn in together]) is REFUSED
        except BaseException:
            if len(together) == 1:
                sys.stderr.write(f"found by {together[0]!r}\n")
                raise
            for half in halves:
                self.look_at(half)
            raise
        self.refused += refused and len(together) == 1
        for half in halves if refused and len(together) > 1 else ():
            self.look_at(half)


TARGETS = {
    "tags": (repository, words.hold_declarations, 512),
    "listing": (record, words.hold_records, 512),
    "cards": (card, words.hold_cards, 512),
    "pages": (page, words.hold_pages, 32),
}


def seeds(folder):
    """To begin with: bytes that whole repositories are drawn from."""
    for number in range(200):
        chance = random.Random(number)
        Path(folder, f"seed-{number}").write_bytes(chance.randbytes(chance.choice([64, 256, 512])))


def main():
    target, seconds = sys.argv[1], int(sys.argv[2])
    gathered = Gathered(*TARGETS[target])
    began = time.monotonic()

    def take(content):
        gathered.take(content)
        if time.monotonic() - began > seconds:
            gathered.look()
            counted = {"inputs": gathered.inputs, "seconds": round(time.monotonic() - began)}
            sys.stderr.write(
                f"{target}: {counted['inputs']} inputs in {counted['seconds']} s, {gathered.refused} refused\n"
            )
            keep("fuzzing", {target: counted})
            os._exit(0)

    with tempfile.TemporaryDirectory() as corpus:
        seeds(corpus)
        atheris.Setup([sys.argv[0], "-seed=1", "-max_len=1024", "-len_control=0", corpus], take)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
