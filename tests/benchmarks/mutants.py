"""Measure how many small mistakes the tests notice: ``python tests/benchmarks/mutants.py store runs.ledger -n 40``.

Takes rooms and modules of the package. In a copy of the checkout, it first runs their tests (the mirrors, the tests
that import them, and the contract tests of the rooms) and learns which test runs which line in how many seconds. Then it
makes one mistake at a time (a comparison, a constant, ``and`` or ``or``, a condition, a return value or a statement),
chosen by ``--seed``, and runs the tests of its line, the module's own and the quick ones first. At the end, the tests
that failed must pass without a mistake. Prints a Markdown table, then every mistake that was not noticed. Those that change
nothing a user or a test could see are in ``equivalent_mutants.txt``, with the reason, and don't count. mutmut and
cosmic-ray have no seeded sample, and run either all tests or one new process for each mistake. Linux only.
"""

from __future__ import annotations

import argparse
import ast
import copy
import hashlib
import importlib
import json
import multiprocessing
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import coverage
import pytest
from hypothesis import HealthCheck, Phase, settings

ROOT = Path(__file__).resolve().parents[2]
PACKAGE, OUTPUT, LEARNED = "canvas_reports_nb", "output.txt", "learned.json"
EQUIVALENT = Path(__file__).with_name("equivalent_mutants.txt")
CONTRACT = {
    "catalog": "query bad_input windows",
    "runs": "never_lost next_choice many_runs as_of lists budget query main_job windows",
    "frames": "samples_served main_job",
    "store": "store",
    "analysis": "privacy",
}
"""The contract tests of each room."""
FAR = {"demo_canvas", "notebook", "cli", "test_repeatable.py", "test_search_for_tokens.py"}
"""Tests that import modules of these rooms to test something else."""
COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
}  # fmt: skip
UNSEEN = {"strict", "exist_ok", "stacklevel", "rechunk", "daemon", "repr", "maintain_order"}
"""Keywords whose constants change nothing that a test can see."""


class Mutant(NamedTuple):
    """One mistake: where it is, and the source with it."""

    module: str
    line: int
    lines: frozenset[int]  # none of those that run when the module is imported
    before: str
    after: str
    source: str
    text: str

    def __str__(self) -> str:
        """Describe the change in one line."""
        return f"{self.module}:{self.line}: {self.change}"

    @property
    def change(self) -> str:
        """The change with the line of source it is in, which stays the same when other lines move."""
        return f"{self.before} -> {self.after} in: {self.text}"


def changed_expression(node: ast.AST) -> ast.AST | None:
    """Return an expression with a mistake, or None if there is no mistake for its kind."""
    new = copy.deepcopy(node)
    match new:
        case ast.Compare(ops=[op, *_]) if type(op) in COMPARISONS:
            new.ops[0] = COMPARISONS[type(op)]()
        case ast.BoolOp():
            new.op = ast.Or() if isinstance(new.op, ast.And) else ast.And()
        case ast.BinOp(op=op) if type(op) in ARITHMETIC:
            new.op = ARITHMETIC[type(op)]()
        case ast.UnaryOp(op=ast.Not()):
            new = new.operand
        case ast.IfExp():
            new.body, new.orelse = new.orelse, new.body
        case ast.Constant(value=bool()):
            new.value = not new.value
        case ast.Constant(value=int() | float()):
            new.value += 1 if abs(new.value) <= 10 else new.value
        case ast.Constant(value=str()) if re.fullmatch(r"\w+", new.value):
            new.value += "x"
        case _:
            return None
    return new


def changed_statement(node: ast.AST) -> ast.AST | None:
    """Return a statement with a mistake, or None."""
    match node:
        case (
            ast.Expr(value=ast.Call() | ast.Await())
            | ast.Raise()
            | ast.AugAssign()
            | ast.Continue()
            | ast.Break()
        ):
            return ast.Pass()
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            return ast.Pass()
        case ast.Return(value=ast.expr()) if ast.unparse(node) != "return None":
            return ast.Return(ast.Constant(None))
        case _:
            return None


def code(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes that run: no types, decorators, docstrings and messages."""
    yield node
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "decorator_list", "type_params"}:
            continue
        for child in value if isinstance(value, list) else [value]:
            match child:
                case (
                    ast.Expr(value=ast.Constant())
                    | ast.JoinedStr()
                    | ast.Assign(targets=[ast.Name(id="__all__")])
                    | ast.Subscript(value=ast.Name(id="Literal"))
                    | ast.Call(func=ast.Name(id="TypeVar"))
                ):
                    continue
                case ast.If(test=ast.Name(id="TYPE_CHECKING")) | ast.AnnAssign(value=None) | ast.Raise():
                    if isinstance(child, ast.Raise):
                        yield child  # not the words of its message
                case ast.keyword() if child.arg in UNSEEN:
                    continue
                case ast.Call(func=ast.Name(id="cast"), args=[_, given]):
                    yield from code(given)
                case ast.AST():
                    yield from code(child)


def mutants_of(path: Path) -> list[Mutant]:
    """Return all mistakes that can be made in a module."""
    source = path.read_text(encoding="utf-8")
    module = ".".join(path.relative_to(ROOT / PACKAGE).with_suffix("").parts)
    starts = [0]
    for line in source.encode().splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    tree, found = ast.parse(source), []
    functions = [each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
    for node in code(tree):
        new = changed_statement(node) or changed_expression(node)
        if new is None:
            continue
        start, end = (
            starts[line - 1] + column
            for line, column in ((node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset))
        )
        raw, text = source.encode(), ast.unparse(new)
        after = text if isinstance(new, ast.stmt) else f"({text})"
        mutated = (raw[:start] + after.encode() + raw[end:]).decode()
        before = " ".join(raw[start:end].decode().split())
        line = source.splitlines()[node.lineno - 1].strip()
        is_inside = any(each.body[0].lineno <= node.lineno <= each.end_lineno for each in functions)
        lines = set(range(node.lineno, node.end_lineno + 1)) if is_inside else set()
        change = (before, " ".join(text.split()), mutated, line)
        found.append(Mutant(module, node.lineno, frozenset(lines), *change))
    return found


def tests_of(module: str) -> list[str]:
    """Return the test files of a module, its own first."""
    *rooms, name = module.split(".")
    mirror = ROOT.joinpath("tests", "unit", *rooms, f"test_{name}.py")
    namesake = ROOT / "tests" / "contract" / f"test_{name}.py"
    dotted = re.escape(f"{PACKAGE}.{module}")
    package, room = re.escape(".".join([PACKAGE, *rooms])), rooms[0] if rooms else ""
    imports = re.compile(rf"{dotted}\b|from {package} import [^\n]*\b{name}\b")
    unit = [
        path for path in sorted((ROOT / "tests" / "unit").rglob("test_*.py")) if not FAR & set(path.parts)
    ]
    naming = [path for path in unit if imports.search(path.read_text(encoding="utf-8"))]
    near = [path for path in mirror.parent.glob("test_*.py") if path.name not in FAR]
    contract = [ROOT / "tests" / "contract" / f"test_{each}.py" for each in CONTRACT.get(room, "").split()]
    chosen = dict.fromkeys([mirror, *({namesake} & {*contract}), *naming, *near, *contract])
    return [str(path.relative_to(ROOT)) for path in chosen if path.exists()]


class Lessons:
    """A pytest plugin that records the seconds and the lines of each test, and the modules that are loaded."""

    def __init__(self, package: Path) -> None:
        self._package = package
        self._coverage = coverage.Coverage(data_file=None, include=[f"{package}/*"], config_file=False)
        self._seconds: dict[str, float] = defaultdict(float)
        self._failed: set[str] = set()
        self._coverage.start()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Any:
        """Record the lines that a test runs, with its fixtures."""
        self._coverage.switch_context(item.nodeid)
        try:
            return (yield)
        finally:
            self._coverage.switch_context("")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add up the seconds of set-up, call and tear-down."""
        self._seconds[report.nodeid] += report.duration
        if not report.passed:
            self._failed.add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        """Write everything into a file, without the tests that failed or were skipped."""
        self._coverage.stop()
        data = self._coverage.get_data()
        lines: dict[str, dict[str, list[int]]] = {
            test: {} for test in self._seconds if test not in self._failed
        }
        early: dict[str, list[int]] = {}  # lines that run when the tests are collected
        for file in data.measured_files():
            module = module_of(Path(file), self._package)
            for line, contexts in data.contexts_by_lineno(file).items():
                for test in lines.keys() & set(contexts):
                    lines[test].setdefault(module, []).append(line)
                if "" in contexts:
                    early.setdefault(module, []).append(line)
        tests = {test: (round(self._seconds[test], 3), found) for test, found in lines.items()}
        known = [
            name
            for name, module in list(sys.modules.items())
            if "site-packages" in (getattr(module, "__file__", None) or "") and not name.startswith("_")
        ]
        learned = {"tests": tests, "modules": known, "early": early}
        Path(LEARNED).write_text(json.dumps(learned), encoding="utf-8")


class Choice:
    """A pytest plugin that runs only some tests and keeps the name and the error of the first that fails."""

    def __init__(self, tests: list[str]) -> None:
        self._tests = set(tests)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave out the other tests."""
        items[:] = [item for item in items if item.nodeid in self._tests]


def run_tests(folder: Path, files: list[str], plugin: Callable[[], object], *options: str) -> None:
    """Run tests in a fork; exit with pytest's code."""
    os.setsid()
    os.chdir(folder)
    sys.path[:] = [str(folder), *(each for each in sys.path if Path(each).resolve() != ROOT)]
    os.environ["PYTHONPATH"] = str(folder)
    with (folder / OUTPUT).open("w") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    options += ("-q", "-n0", "-rfE", "--tb=line", "-p", "no:cacheprovider", "--hypothesis-profile=mutants")
    options += ("-W", "ignore::pytest.PytestAssertRewriteWarning")  # hypothesis is already imported
    base = tempfile.mkdtemp(prefix="tests", dir=folder)
    os._exit(pytest.main([*options, f"--basetemp={base}", *files], plugins=[plugin()]))


def outcome(
    folder: Path, limit: float, files: list[str], plugin: Callable[[], object], *options: str
) -> list[str]:
    """Run tests and return a line for each that failed, or only "late"."""
    process = multiprocessing.get_context("fork").Process(
        target=run_tests, args=(folder, files, plugin, *options)
    )
    process.start()
    process.join(limit)
    late = process.is_alive()
    try:
        os.killpg(process.pid, signal.SIGKILL)  # also servers and locks that tests left behind
    except ProcessLookupError:
        """Everything has ended."""
    process.join()
    for base in folder.glob("tests?*/"):
        shutil.rmtree(base, ignore_errors=True)
    if late or process.exitcode == 0:
        return ["late"] * late
    output = (folder / OUTPUT).read_text(encoding="utf-8", errors="replace")
    if process.exitcode in {
        pytest.ExitCode.INTERNAL_ERROR,
        pytest.ExitCode.USAGE_ERROR,
        pytest.ExitCode.NO_TESTS_COLLECTED,
    }:
        sys.exit(f"{output}\nThe tests did not run: {files}")
    return re.findall(r"^(?:FAILED|ERROR) (.*)", output, re.MULTILINE) or [
        f"it ended with {process.exitcode}"
    ]


class Judge:
    """A copy of the checkout in which mistakes are made and tested."""

    def __init__(self, folder: Path, found: list[Path], limit: float, learned: Path | None) -> None:
        self.folder, self.limit = folder, limit
        ignored = shutil.ignore_patterns(".git", "__pycache__", "*.orig", ".*_cache")
        shutil.copytree(ROOT, folder, ignore=ignored, dirs_exist_ok=True)
        self._time = time.time()
        self._tests: dict[str, tuple[float, dict[str, list[int]]]] = {}
        files = list(dict.fromkeys(test for path in found for test in tests_of(module_of(path))))
        known = json.loads(learned.read_text(encoding="utf-8")) if learned and learned.exists() else {}
        now = {file: hashlib.sha256((ROOT / file).read_bytes()).hexdigest() for file in files}
        missing = [file for file in files if known.get(file, {}).get("hash") != now[file]]
        for some in (missing[at : at + 6] for at in range(0, len(missing), 6)):
            ended = outcome(folder, 3600, some, lambda: Lessons(folder / PACKAGE))
            print(f"{' '.join(some)} without a mistake: {ended or 'passed'}", file=sys.stderr, flush=True)
            lessons = json.loads((folder / LEARNED).read_text(encoding="utf-8"))
            known["modules"] = sorted({*known.get("modules", ()), *lessons["modules"]})
            for file in some:
                tests = {
                    test: each for test, each in lessons["tests"].items() if test.startswith(f"{file}::")
                }
                known[file] = {"hash": now[file], "tests": tests, "early": lessons["early"]}
            if learned:
                learned.write_text(json.dumps(known), encoding="utf-8")
        self._early: dict[str, set[int]] = defaultdict(set)
        for file in files:
            self._tests |= known[file]["tests"]
            for module, lines in known[file].get("early", {}).items():
                self._early[module].update(lines)
        for name in known["modules"]:  # each mistake gets a fork of this process
            if name.partition(".")[0] not in {PACKAGE, "tests", "hypothesis"}:  # hypothesis warns of it
                try:
                    importlib.import_module(name)
                except Exception as error:  # noqa: BLE001 - it was loaded in another order
                    print(f"Not loaded: {name}: {error!r}", file=sys.stderr)

    def chosen(self, mutant: Mutant) -> list[str]:
        """Return the tests that run the line, or those of its module if it runs earlier, within the limit of seconds."""
        own = tests_of(mutant.module)
        hits = [
            test for test, (_, run) in self._tests.items() if mutant.lines & set(run.get(mutant.module, ()))
        ]
        if not hits or mutant.lines & self._early[mutant.module]:
            hits = [test for test in self._tests if test in hits or test.partition("::")[0] in own]
        chosen, spent = [], 0.0
        for test in sorted(
            hits, key=lambda each: (each.partition("::")[0] not in own[:1], self._tests[each][0])
        ):
            spent += self._tests[test][0]
            if spent <= self.limit or not chosen:
                chosen.append(test)
        cost: dict[str, float] = defaultdict(float)
        for test in chosen:
            cost[test.partition("::")[0]] += self._tests[test][0]
        files = sorted(cost, key=lambda each: (each not in own[:1], cost[each]))
        return [test for file in files for test in chosen if test.partition("::")[0] == file]

    def _run(self, tests: list[str], *options: str) -> list[str]:
        files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
        limit = 30 + 3 * sum(self._tests[test][0] for test in tests)
        return outcome(self.folder, limit, files, lambda: Choice(tests), *options)

    def try_mutant(self, mutant: Mutant) -> str:
        """Return how the tests with the mistake ended."""
        compile(mutant.source, mutant.module, "exec")
        tests = self.chosen(mutant)
        path = self.folder.joinpath(PACKAGE, *mutant.module.split(".")).with_suffix(".py")
        right = path.read_bytes()
        mirror = [test for test in tests if test.partition("::")[0] == tests[0].partition("::")[0]]
        try:
            self._write(path, mutant.source.encode())
            for some in filter(
                None, (mirror, tests[len(mirror) :])
            ):  # the mirror notices most, alone and soon
                if ended := self._run(some, "-x"):
                    return ended[0]
        finally:
            self._write(path, right)
        return "passed"

    def drop_unsure(self, results: dict[Mutant, str]) -> list[Mutant]:
        """Return the mistakes noticed by tests that fail without them, too, and leave out these tests."""
        noticed = {mutant: ended.partition(" - ")[0] for mutant, ended in results.items()}
        tests = [test for test in self._tests if test in noticed.values()]
        failed = {each.partition(" - ")[0] for each in self._run(tests)} & set(tests) if tests else set()
        for test in failed:
            print(f"Left out, as it fails without a mistake: {test}", file=sys.stderr, flush=True)
            self._tests.pop(test, None)
        return [mutant for mutant, test in noticed.items() if test in failed]

    def _write(self, path: Path, source: bytes) -> None:
        path.write_bytes(source)
        self._time += 2  # otherwise Python could take the last one's compiled file for this one's
        os.utime(path, (self._time, self._time))


def module_of(path: Path, package: Path = ROOT / PACKAGE) -> str:
    """Return the name of a file's module, without the package's."""
    return ".".join(path.relative_to(package).with_suffix("").parts)


def modules(name: str) -> list[Path]:
    """Return the files of a room or a module."""
    path = ROOT / PACKAGE / name.replace(".", "/")
    return sorted(path.rglob("[!_]*.py")) if path.is_dir() else [path.with_suffix(".py")]


def equivalents() -> set[tuple[str, str]]:
    """Return the modules and changes that nobody could see."""
    lines = EQUIVALENT.read_text(encoding="utf-8").splitlines() if EQUIVALENT.exists() else []
    return {
        (line.partition(": ")[0], line.partition(": ")[2]) for line in lines if line[:1] not in {"", "#", " "}
    }


def main() -> None:
    """Sample, run and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="+", help="rooms or modules, such as store or runs.ledger")
    parser.add_argument("-n", "--count", type=int, default=40, help="how many mistakes for each name")
    parser.add_argument("--seed", type=int, default=19)
    parser.add_argument("--limit", type=float, default=30.0, help="seconds of tests for one mistake")
    parser.add_argument(
        "--learned", type=Path, help="a file that keeps what was learned of each test file, for the next seed"
    )
    given = parser.parse_args()
    os.nice(10)
    settings.register_profile(
        "mutants",
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],  # a failure needs no smallest example
        suppress_health_check=[HealthCheck.too_slow],
    )
    nobody_sees, rows, passed = equivalents(), [], []
    with tempfile.TemporaryDirectory() as folder:
        files = [path for name in given.names for path in modules(name)]
        judge = Judge(Path(folder), files, given.limit, given.learned)
        for name in given.names:
            found = [mutant for path in modules(name) for mutant in mutants_of(path)]
            chosen = sorted(random.Random(given.seed).sample(found, min(given.count, len(found))))
            equal = [mutant for mutant in chosen if (mutant.module, mutant.change) in nobody_sees]
            results: dict[Mutant, str] = {}
            turn = [mutant for mutant in chosen if mutant not in equal]
            while turn:
                for mutant in turn:
                    start, results[mutant] = time.monotonic(), judge.try_mutant(mutant)
                    took = f"{time.monotonic() - start:.0f} s"
                    print(f"{mutant}\n    {took}: {results[mutant]}", file=sys.stderr, flush=True)
                turn = judge.drop_unsure(results)
            ended = list(results.values())
            passed += [mutant for mutant in results if results[mutant] == "passed"]
            noticed = len(ended) - ended.count("passed")
            share = f"{noticed / max(len(ended), 1):.0%}"
            rows.append(
                [f"`{name}`", len(found), len(chosen), len(equal), noticed, ended.count("late"), share]
            )
            print(f"{name}: {noticed} of {len(ended)} noticed ({share})", file=sys.stderr, flush=True)
    print(
        f"Seed {given.seed}:\n\n| part | possible | tried | equivalent | noticed | by the time limit | share |"
    )
    print("|---|" + "---:|" * 6)
    for row in rows:
        print("|", " | ".join(map(str, row)), "|")
    print("\nNot noticed:\n")
    for mutant in passed:
        print(f"- {mutant}")


if __name__ == "__main__":
    main()
