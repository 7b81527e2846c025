"""Small faults put into the code, one at a time: which of them the nearest tests let pass.

    python -m tests.mutate [PART ...] [--each N] [--seed S] [--jobs J]

cosmic-ray makes the faults; its own runner would start Python anew for each and change files in place. Here a process
that has loaded the libraries forks for each: the child compiles one module from its changed source, runs those of the
part's tests that call the changed function, and ends. Which call it is seen while the tests run over the code as it is;
what a module does when it is loaded concerns all of them. Of each module N are drawn. Hypothesis draws from one seed,
so that a run can be repeated.
"""

import argparse
import ast
import importlib.machinery
import inspect
import multiprocessing
import os
import random
import re
import sys
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import CodeType

import pytest
from cosmic_ray import ast as syntax
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

ROOT = Path(__file__).parents[1]
TIMES_AS_LONG = 1.5
RULES = ("tests/checks/test_every_rule_can_fail.py", "tests/checks/test_every_constraint_can_fail.py")
PARTS = {
    "listings": (("assets/listings",), ("tests/assets/listings", *RULES)),
    "lineage": (("assets/lineage",), ("tests/assets/lineage", *RULES)),
    "attribution": (("assets/attribution",), ("tests/assets/attribution", "tests/reference", *RULES)),
    "models": (
        ("assets/models",),
        ("tests/assets/models", "tests/assets/shares/test_marts_are_as_declared.py", *RULES),
    ),
    "shares": (("assets/shares",), ("tests/assets/shares", *RULES, "tests/report/test_report.py")),
    "published": (("assets/published",), ("tests/assets/published", "tests/publish")),
    "checks": (("pipeline/checks",), ("tests/checks", "tests/orchestration/test_alerts.py")),
    "statements": (
        tuple(f"pipeline/report/{name}.py" for name in ("statements", "figures", "headline", "explain", "compare")),
        ("tests/report",),
    ),
    "guards": (("pipeline/publish/publication.py", "pipeline/publish/manifest.py"), ("tests/publish",)),
}
"""By part: its modules, and the tests nearest to them."""
SKIPPED = re.compile(
    "RemoveDecorator|ExceptionReplacer|RShift|LShift|BitXor|FloorDiv|_Mod|_Pow|Delete_Invert"
    "|BitOr_(Add|Sub|Mul|Div)|BitAnd_(Add|Sub|Mul|Div)|(Eq|Lt|LtE|Gt|GtE)_Is(Not)?$"
)
"""Operators whose faults break the module when it is loaded, or stand for one another."""
LOADED_BEFORE = ("dagster", "duckdb", "hypothesis.strategies", "pandas", "polars.testing", "great_expectations")


@dataclass(frozen=True)
class Mutant:
    """One fault: where, what, and the changed source."""

    path: Path
    operator: str
    line: int
    before: str
    after: str
    source: str


def mutants_of(path, chance):
    """Faults of a module in an order by chance, each once, that change what the module does."""
    source = path.read_text()
    tree, known = syntax.get_ast(source), {None, meaning_of(source)}
    operators = [(name, get_operator(name)) for name in operator_names() if not SKIPPED.search(name)]
    places = [
        (name, operator_class(), occurrence, line)
        for name, operator_class in operators
        if not operator_class.arguments()
        for occurrence, ((line, _), _) in enumerate(
            place for node in syntax.ast_nodes(tree) for place in operator_class().mutation_positions(node)
        )
    ]
    for name, operator, occurrence, line in chance.sample(places, len(places)):
        changed = mutate_code(source, operator, occurrence)
        meaning = meaning_of(changed) if changed else None
        if changed is None or meaning in known:
            continue
        known.add(meaning)
        lines = zip(source.splitlines(), changed.splitlines(), strict=False)
        before, after = next(((a, b) for a, b in lines if a != b), ("", ""))
        if before != "if TYPE_CHECKING:":
            yield Mutant(path, name.removeprefix("core/"), line, before.strip(), after.strip(), changed)


def meaning_of(source):
    """What a module does but for annotations, frozen classes and how figures are drawn; nothing if it is no Python."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return None
    for node in ast.walk(tree):
        for name in ("annotation", "returns"):
            if getattr(node, name, None) is not None:
                setattr(node, name, ast.Constant(None))
        if isinstance(node, ast.Call):
            called = getattr(node.func, "id", "").lower()
            kept = {"sql", "over", "members"} if re.search("figure|chart|shown|pages", called) else None
            node.keywords = [one for one in node.keywords if one.arg != "frozen" and (kept is None or one.arg in kept)]
    return ast.dump(tree)


class Calls:
    """A plugin of pytest that notes which test calls which functions of some modules."""

    def __init__(self, paths):
        self.paths = {str(path) for path in paths}
        self.running = ""
        self.tests = defaultdict(set)  # by a function's file, first line and name

    def note(self, frame, *_):
        code = frame.f_code
        if code.co_filename in self.paths:
            self.tests[code.co_filename, code.co_firstlineno, code.co_name].add(self.running)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        self.running = item.nodeid
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef):
        """What a fixture for several tests calls concerns all of its file."""
        test = self.running
        if fixturedef.scope != "function":
            self.running = test.partition("::")[0]
        try:
            return (yield)
        finally:
            self.running = test


class Chosen:
    """A plugin of pytest that leaves the tests out whose names begin otherwise."""

    def __init__(self, beginnings):
        self.beginnings = tuple(beginnings)

    def pytest_collection_modifyitems(self, items):
        items[:] = [item for item in items if item.nodeid.startswith(self.beginnings)]


def calls_of(paths, tests):
    """The tests that call each function of the modules.

    Raises:
        SystemExit: they fail over the code as it is, so that every fault would count as caught.
    """

    def run(answer):
        calls = Calls(paths)
        sys.settrace(calls.note)
        threading.settrace(calls.note)
        failed = pytest_over(tests, calls)
        sys.settrace(None)
        answer.send(None if failed else dict(calls.tests))

    here, there = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(target=run, args=(there,))
    child.start()
    found = here.recv()
    child.join()
    if found is None:
        raise SystemExit(f"these tests fail over the code as it is: {' '.join(tests)}")
    return found


def tests_of(mutant, calls, tests):
    """The tests that call the changed function, by the beginnings of their names; all for what is run when loaded."""

    def inside(code):
        within = [one for one in code.co_consts if isinstance(one, CodeType)]
        found = next((deeper for one in within if (deeper := inside(one))), None)
        has_line = mutant.line in {line for _, _, line in code.co_lines()}
        return found or (code if has_line and code.co_flags & inspect.CO_NEWLOCALS else None)

    code = inside(compile(mutant.path.read_text(), str(mutant.path), "exec", dont_inherit=True))
    if code is None:
        return tests
    callers = calls.get((str(mutant.path), code.co_firstlineno, code.co_name), set())
    return tests if "" in callers else tuple(callers)


def is_caught(mutant, beginnings, seconds):
    """Whether the tests fail over the mutant, or do not end."""
    if not beginnings:
        return False
    child = multiprocessing.get_context("fork").Process(target=run_over, args=(mutant, beginnings))
    child.start()
    child.join(seconds)
    if child.exitcode is None:
        say(f"  {mutant.path.relative_to(ROOT)}:{mutant.line} did not end")
        child.kill()
        child.join()
    return child.exitcode != 0


def run_over(mutant, beginnings):
    get_code = importlib.machinery.SourceFileLoader.get_code

    def code_of(loader, name):
        if Path(loader.path) == mutant.path:
            return compile(mutant.source, loader.path, "exec", dont_inherit=True)
        return get_code(loader, name)

    importlib.machinery.SourceFileLoader.get_code = code_of
    os._exit(pytest_over(sorted({name.partition("::")[0] for name in beginnings}), Chosen(beginnings)))


def pytest_over(places, plugin):
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    return pytest.main(["-x", "-q", "-p", "no:cacheprovider", "--hypothesis-seed=0", *places], plugins=[plugin])


def modules_of(places):
    """The modules that compute or state something: no commands and no wiring of assets."""
    found = [path for place in places for path in sorted((ROOT / place).rglob("*.py")) or [ROOT / place]]
    return [path for path in found if not re.search("__init__|_command|assets/published/publication", path.as_posix())]


def main():
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("parts", nargs="*", default=list(PARTS), metavar="PART", help=", ".join(PARTS))
    asked.add_argument("--each", type=int, default=8, help="faults drawn of each module")
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--jobs", type=int, default=os.cpu_count())
    choice = asked.parse_args()
    os.environ.setdefault("POLARS_MAX_THREADS", "1")  # its frames are small, and other processes run beside it
    for library in LOADED_BEFORE:
        __import__(library)
    os.chdir(ROOT)
    for part in choice.parts:
        places, tests = PARTS[part]
        begun, paths = time.monotonic(), modules_of(places)
        calls = calls_of(paths, tests)
        allowed = TIMES_AS_LONG * (time.monotonic() - begun)
        drawn = [
            mutant
            for path in paths
            for mutant in islice(mutants_of(path, random.Random(f"{choice.seed} {path.name}")), choice.each)
        ]
        caught = 0
        with ThreadPoolExecutor(choice.jobs) as pool:
            judged = pool.map(lambda one: is_caught(one, tests_of(one, calls, tests), allowed), drawn)  # noqa: B023
            for mutant, was_caught in zip(drawn, judged, strict=True):
                caught += was_caught
                if not was_caught:
                    say(f"  {mutant.path.relative_to(ROOT)}:{mutant.line} {mutant.operator}")
                    say(f"    - {mutant.before}\n    + {mutant.after}")
        say(f"{part}: {caught} of {len(drawn)} caught, in {time.monotonic() - begun:.0f} s")


def say(text):
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
