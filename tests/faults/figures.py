"""What became of the faults that tests injected: kept in `docs/reliability.json`, shown on the page beside it.

Written only where `FAULTS_FIGURES` names that file, as `make test-faults` does; no other run of the tests changes it.
"""

import json
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock

BEGIN, END = "<!-- figures: written by `make test-faults` -->", "<!-- end of figures -->"
OUTCOMES = {
    "injected": "injected",
    "survived": "survived",
    "refused": "refused with its reason",
    "lost": "data lost",
    "torn": "torn files",
    "wrong": "wrong figures",
    "unclear": "unclear messages",
}


def is_clear(said):
    """One sentence that names the thing and the cause and, after a colon, the remedy."""
    thing, colon, remedy = said.rpartition(": ")
    return bool(thing and colon and remedy) and "\n" not in said and "Traceback" not in said


class Outcomes:
    """How each fault that was injected ended, counted by kind."""

    def __init__(self):
        self.by_kind = {}

    def add(self, kind, said=(), *, lost=0, torn=0, wrong=0):
        """One more fault of this kind. `said` are the sentences of a refusal, none where it changed no figure."""
        counted = self.by_kind.setdefault(kind, dict.fromkeys(OUTCOMES, 0))
        counted["injected"] += 1
        counted["refused" if said else "survived"] += 1
        counted["lost"] += int(lost)
        counted["torn"] += int(torn)
        counted["wrong"] += int(wrong)
        counted["unclear"] += sum(not is_clear(sentence) for sentence in said)
        return counted

    def unharmed(self, kind, said=(), **harm):
        """One more fault of this kind, which may have harmed nothing, and be refused in clear words only."""
        self.add(kind, said, **harm)
        assert not any(harm.values()), (kind, harm, said)
        assert all(is_clear(sentence) for sentence in said), said


def keep(part, counted):
    """Puts what was counted in the place of what was known of the same things, in the file and on the page."""
    if not os.environ.get("FAULTS_FIGURES") or not counted:
        return
    path = Path(os.environ["FAULTS_FIGURES"])
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    # Not beside the figures: a lock that one removes is no lock to another who waits for it.
    with FileLock(Path(tempfile.gettempdir()) / "open-model-census-figures.lock"):
        known = json.loads(path.read_text()) if path.exists() else {}
        dated = {name: {**figures, "date": today} for name, figures in counted.items()}
        known[part] = known.get(part, {}) | dated
        path.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
        page = path.with_suffix(".md")
        before, _, rest = page.read_text().partition(BEGIN)
        _, _, after = rest.partition(END)
        page.write_text(f"{before}{BEGIN}\n{as_tables(known)}\n{END}{after}")


def as_tables(known):
    """The figures of every part, each as a table."""
    return "\n\n".join(_table(*table, known[part]) for part, table in TABLES.items() if known.get(part))


def _faults(kinds):
    rows = [(kind, *(counted[column] for column in OUTCOMES)) for kind, counted in sorted(kinds.items())]
    _, *columns = zip(*rows, strict=True)
    return [*rows, ("**all**", *(f"**{sum(column)}**" for column in columns))]


def _runs(runs):
    found = ((run, what, number) for run, counted in sorted(runs.items()) for what, number in counted.items())
    return [(run.replace("_", " "), what.replace("_", " "), number) for run, what, number in found if what != "date"]


def _peaks(lies):
    return sorted(((lie, counted["megabytes"]) for lie, counted in lies.items()), key=lambda row: -row[1])


def _fuzzing(targets):
    found = ((name, counted["inputs"], counted["seconds"]) for name, counted in sorted(targets.items()))
    return [(name, inputs, seconds, inputs // seconds) for name, inputs, seconds in found]


TABLES = {
    "faults": ("Faults by kind", ("fault", *OUTCOMES.values()), _faults),
    "runs": ("Long runs", ("run", "counted", ""), _runs),
    "peaks": ("Peak memory of a month of the sample's size, by lie", ("lie", "MB"), _peaks),
    "fuzzing": (
        "Coverage-guided fuzzing that found nothing",
        ("target", "inputs", "seconds", "inputs a second"),
        _fuzzing,
    ),
}
"""By part: its title, its columns, and what makes its rows."""


def _table(title, columns, rows_of, counted):
    days = sorted({one["date"] for one in counted.values()})
    head, *rows = (" | ".join(str(value).replace("|", "\\|") for value in row) for row in (columns, *rows_of(counted)))
    lines = [f"| {head} |", "|---" * len(columns) + "|", *(f"| {row} |" for row in rows)]
    return "\n".join([f"### {title} ({' to '.join(dict.fromkeys((days[0], days[-1])))})", "", *lines])
