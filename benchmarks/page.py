"""The figures of a run of the benchmarks as Markdown: the terminal shows it, `docs/performance.md` holds it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.stages import MOST_GROWTH, Stage

STEPS_SHOWN = 12


def as_text(found: Mapping[str, Any], stages: Mapping[str, Stage], against: Mapping[str, Any] | None = None) -> str:
    """What was measured, in tables: stages, growth, peers, and the steps of a whole month."""
    machine = found["machine"]
    parts = [
        f"Measured on {machine['measured_on']}: {machine['processors']} processors, {machine['memory_gib']} GiB, "
        f"{machine['system']}, Python {machine['python']}. All data is synthetic.",
        _stages(found["stages"], stages, against),
    ]
    if found["growth"]:
        parts.append(_growth(found["growth"]))
    if found["peers"]:
        parts.append(_peers(found["peers"]))
    parts += [_steps(measured) for measured in found["stages"] if "steps" in measured["found"]]
    return "\n\n".join(parts)


def _stages(
    measured: Sequence[Mapping[str, Any]], stages: Mapping[str, Stage], against: Mapping[str, Any] | None
) -> str:
    earlier = {(one["stage"], one["models"]): one["seconds"] for one in against["stages"]} if against else {}
    head = ["stage", "models", "runs", "seconds", "lowest to highest", "processor seconds", "peak GiB", "at most"]
    rows = [
        [
            stages[one["stage"]].what,
            f"{one['models']:,}",
            one["runs"],
            f"{one['seconds']:.1f}",
            f"{one['lowest_seconds']:.1f} to {one['highest_seconds']:.1f}",
            f"{one['processor_seconds']:.1f}",
            f"{one['peak_gib']:.2f}",
            _limit(one, stages[one["stage"]]),
            *([_times(one["seconds"], earlier.get((one["stage"], one["models"])))] if against else []),
        ]
        for one in measured
    ]
    return _table([*head, *(["times as long as before"] if against else [])], rows)


def _limit(measured: Mapping[str, Any], stage: Stage) -> str:
    """What the stage may cost at the size that it was measured at, and whether it kept to it."""
    limits = {"seconds": stage.at_most_seconds, "peak_gib": stage.at_most_gib}
    stated = {of: limit for of, limit in limits.items() if limit is not None}
    if not stated or measured["models"] != stage.limits_at:
        return ""
    kept = all(measured[of] <= limit for of, limit in stated.items())
    units = {"seconds": "s", "peak_gib": "GiB"}
    return f"{', '.join(f'{limit:g} {units[of]}' for of, limit in stated.items())}: {'kept' if kept else 'NOT KEPT'}"


def _times(seconds: float, before: float | None) -> str:
    return f"{seconds / before:.2f}" if before else ""


def _growth(measured: Iterable[Mapping[str, Any]]) -> str:
    head = ["stage", "models", "seconds", "peak GiB", "exponent of seconds", "of the last step", "of memory", "at most"]
    return _table(
        head,
        [
            [
                one["stage"],
                ", ".join(f"{models:,}" for models in one["models"]),
                ", ".join(f"{seconds:.1f}" for seconds in one["costs"]["seconds"]),
                ", ".join(f"{peak:.2f}" for peak in one["costs"]["peak_gib"]),
                f"{one['exponents']['seconds']:.2f}",
                f"{(last := one['last_exponents']['seconds']):.2f}",
                f"{one['last_exponents']['peak_gib']:.2f}",
                f"{MOST_GROWTH:g}: {'kept' if last <= MOST_GROWTH else 'NOT KEPT'}",
            ]
            for one in measured
        ],
    )


def _peers(measured: Iterable[Mapping[str, Any]]) -> str:
    return _table(
        ["stage", "beside", "models", "times as long as ours", "at least"],
        [
            [
                one["stage"],
                one["peer"],
                f"{one['models']:,}",
                f"{one['times']:.1f}",
                f"{one['at_least_times']:g}: {'kept' if one['times'] >= one['at_least_times'] else 'NOT KEPT'}",
            ]
            for one in measured
        ],
    )


def _steps(measured: Mapping[str, Any]) -> str:
    steps: dict[str, float] = measured["found"]["steps"]
    checks = sum(seconds for step, seconds in steps.items() if step.endswith("__checks"))
    outside = measured["seconds"] - sum(steps.values())
    longest = sorted(steps.items(), key=lambda step: -step[1])[:STEPS_SHOWN]
    rows = [[step, f"{seconds:.1f}", f"{seconds / measured['seconds']:.0%}"] for step, seconds in longest]
    rows.append(["all checks together", f"{checks:.1f}", f"{checks / measured['seconds']:.0%}"])
    rows.append(["outside of steps", f"{outside:.1f}", f"{outside / measured['seconds']:.0%}"])
    return f"The longest steps of the month of {measured['models']:,} models:\n\n" + _table(
        ["step", "seconds", "of the month"], rows
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
