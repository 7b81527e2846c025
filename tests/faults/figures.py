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
    return "\n\n".join(table(known[part]) for part, table in TABLES.items() if known.get(part))


def _faults_by_kind(kinds):
    total = {column: sum(counted[column] for counted in kinds.values()) for column in OUTCOMES}
    rows = [(kind, *(counted[column] for column in OUTCOMES)) for kind, counted in sorted(kinds.items())]
    in_all = ("**all**", *(f"**{number}**" for number in total.values()))
    return _table("Faults by kind", ("fault", *OUTCOMES.values()), [*rows, in_all], kinds)


def _runs(runs):
    words = {run: run.replace("_", " ") for run in sorted(runs)}
    rows = [
        (words[run], what.replace("_", " "), number)
        for run in words
        for what, number in runs[run].items()
        if what != "date"
    ]
    return _table("Long runs", ("run", "counted", ""), rows, runs)


def _peaks(lies):
    rows = sorted(((lie, counted["megabytes"]) for lie, counted in lies.items()), key=lambda row: -row[1])
    return _table("Peak memory of a month of the sample's size, by lie", ("lie", "MB"), rows, lies)


def _fuzzing(targets):
    rows = [
        (name, counted["inputs"], counted["seconds"], counted["inputs"] // counted["seconds"])
        for name, counted in sorted(targets.items())
    ]
    columns = ("target", "inputs", "seconds", "inputs a second")
    return _table("Coverage-guided fuzzing that found nothing", columns, rows, targets)


TABLES = {"faults": _faults_by_kind, "runs": _runs, "peaks": _peaks, "fuzzing": _fuzzing}


def _table(title, columns, rows, dated):
    days = sorted({counted["date"] for counted in dated.values()})
    counted_on = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    lines = [" | ".join(str(value).replace("|", "\\|") for value in row) for row in (columns, *rows)]
    rule = "|".join("---" for _ in columns)
    return "\n".join(
        [f"### {title} ({counted_on})", "", f"| {lines[0]} |", f"|{rule}|", *(f"| {line} |" for line in lines[1:])]
    )
