"""Measure how many small mistakes the tests notice: ``python tests/benchmarks/mutants.py store runs.ledger -n 40``.

Takes rooms and modules of the package. In a copy of the checkout, it makes one mistake at a time (a comparison, a
constant, ``and`` or ``or``, a condition, a return value or a statement), chosen by ``--seed``, and runs the tests of
the module: its mirror, the tests that import it, and the contract tests of its room. Prints a Markdown table of the
mistakes that were noticed, then every one that was not; some of those change nothing that a test could see. mutmut and
cosmic-ray have no seeded sample, and run either all tests or one new process for each mistake. Linux only.
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib
import multiprocessing
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, settings

ROOT = Path(__file__).resolve().parents[2]
PACKAGE, OUTPUT = "canvas_reports_nb", "output.txt"
HEAVY = (
    "pandas",
    "polars",
    "pyarrow",
    "pyarrow.parquet",
    "narwhals",
    "requests_cache",
    "duckdb",
    "hypothesis",
)
"""Imported once: each mistake gets a fork of this process."""
CONTRACT = {
    "catalog": ("test_query", "test_bad_input", "test_windows"),
    "runs": (
        "test_never_lost",
        "test_next_choice",
        "test_many_runs",
        "test_as_of",
        "test_lists",
        "test_budget",
    ),
    "frames": ("test_samples_served", "test_main_job"),
    "store": ("test_store", "test_shared_store"),
    "analysis": ("test_privacy",),
}
"""The contract tests of each room."""
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
    before: str
    after: str
    source: str

    def __str__(self) -> str:
        """Describe the change in one line."""
        return f"{self.module}:{self.line}: {self.before} -> {self.after}"


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
    """Yield the nodes that run: no annotations, decorators, docstrings, messages and imports for types."""
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
                ):
                    continue
                case ast.If(test=ast.Name(id="TYPE_CHECKING")) | ast.AnnAssign(value=None) | ast.Raise():
                    if isinstance(child, ast.Raise):
                        yield child  # not the words of its message
                case ast.keyword() if child.arg in UNSEEN:
                    continue
                case ast.AST():
                    yield from code(child)


def mutants_of(path: Path) -> list[Mutant]:
    """Return all mistakes that can be made in a module."""
    source = path.read_text(encoding="utf-8")
    module = ".".join(path.relative_to(ROOT / PACKAGE).with_suffix("").parts)
    starts = [0]
    for line in source.encode().splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found = []
    for node in code(ast.parse(source)):
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
        found.append(Mutant(module, node.lineno, before, text, mutated))
    return found


def tests_of(module: str) -> list[str]:
    """Return the test files of a module, those that fail soonest first."""
    *rooms, name = module.split(".")
    mirror = ROOT.joinpath("tests", "unit", *rooms, f"test_{name}.py")
    dotted = re.escape(f"{PACKAGE}.{module}")
    package, room = re.escape(".".join([PACKAGE, *rooms])), rooms[0] if rooms else ""
    imports = re.compile(rf"{dotted}\b|from {package} import [^\n]*\b{name}\b")
    unit = sorted((ROOT / "tests" / "unit").rglob("test_*.py"))
    naming = [path for path in unit if imports.search(path.read_text(encoding="utf-8"))]
    near = sorted(mirror.parent.glob("test_*.py")) if not mirror.exists() else []
    contract = [ROOT / "tests" / "contract" / f"{each}.py" for each in CONTRACT.get(room, ())]
    chosen = dict.fromkeys([mirror, *naming, *near, *contract])
    return [str(path.relative_to(ROOT)) for path in chosen if path.exists()]


def run_tests(folder: Path, tests: list[str]) -> None:
    """Run tests in a fork; exit with pytest's code."""
    os.setsid()
    os.chdir(folder)
    sys.path[:] = [str(folder), *(each for each in sys.path if Path(each).resolve() != ROOT)]
    os.environ["PYTHONPATH"] = str(folder)
    with (folder / OUTPUT).open("w") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    options = ["-q", "-x", "-n0", "--tb=line", "-p", "no:cacheprovider", "--hypothesis-profile=mutants"]
    options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # hypothesis is already imported
    base = tempfile.mkdtemp(prefix="tests", dir=folder)
    os._exit(pytest.main([*options, f"--basetemp={base}", *tests]))


def outcome(folder: Path, tests: list[str], limit: float) -> str:
    """Run tests and return how they ended: passed, failed or late."""
    process = multiprocessing.get_context("fork").Process(target=run_tests, args=(folder, tests))
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
    return "late" if late else "passed" if process.exitcode == 0 else "failed"


class Judge:
    """A copy of the checkout in which mistakes are made and tested."""

    def __init__(self, folder: Path, limit: float) -> None:
        self.folder, self.limit = folder, limit
        ignored = shutil.ignore_patterns(".git", "__pycache__", "*.orig", ".*_cache")
        shutil.copytree(ROOT, folder, ignore=ignored, dirs_exist_ok=True)
        self._passing: dict[str, bool] = {}
        self._time = time.time()

    def tests(self, module: str) -> list[str]:
        """Return the tests of a module that pass without a mistake."""
        for test in tests_of(module):
            if test not in self._passing:
                ended = outcome(self.folder, [test], self.limit)
                self._passing[test] = ended == "passed"
                if ended != "passed":
                    output = (self.folder / OUTPUT).read_text(encoding="utf-8", errors="replace")
                    print(f"{output}\nLeft out: without a mistake, {test} {ended}.", file=sys.stderr)
        passing = [test for test in tests_of(module) if self._passing[test]]
        if not passing:
            sys.exit(f"No test of {module} passes without a mistake.")
        return passing

    def try_mutant(self, mutant: Mutant) -> str:
        """Return failed or late if the tests notice the mistake, otherwise passed."""
        tests = self.tests(mutant.module)
        path = self.folder.joinpath(PACKAGE, *mutant.module.split(".")).with_suffix(".py")
        right = path.read_bytes()
        try:
            path.write_text(mutant.source, encoding="utf-8")
            self._time += 2  # otherwise Python could take the last one's compiled file for this one's
            os.utime(path, (self._time, self._time))
            for some in filter(None, (tests[:1], tests[1:])):  # the mirror notices most, alone and soon
                if (ended := outcome(self.folder, some, self.limit)) != "passed":
                    return ended
        finally:
            path.write_bytes(right)
            self._time += 2
            os.utime(path, (self._time, self._time))
        return "passed"


def modules(names: list[str]) -> Iterator[Path]:
    """Yield the files of rooms and modules."""
    for name in names:
        path = ROOT / PACKAGE / name.replace(".", "/")
        yield from sorted(path.rglob("[!_]*.py")) if path.is_dir() else [path.with_suffix(".py")]


def main() -> None:
    """Sample, run and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="+", help="rooms or modules, such as store or runs.ledger")
    parser.add_argument("-n", "--count", type=int, default=40, help="how many mistakes in all")
    parser.add_argument("--seed", type=int, default=19)
    parser.add_argument("--limit", type=float, default=300.0, help="seconds for the tests of one mistake")
    given = parser.parse_args()
    found = [mutant for path in modules(given.names) for mutant in mutants_of(path)]
    chosen = random.Random(given.seed).sample(found, min(given.count, len(found)))
    for name in HEAVY:
        importlib.import_module(name)
    settings.register_profile(
        "mutants",
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],  # a failure needs no smallest example
        suppress_health_check=[HealthCheck.too_slow],
    )
    print(f"{len(chosen)} of {len(found)} mistakes, seed {given.seed}", file=sys.stderr)
    results: dict[str, list[tuple[Mutant, str]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        judge = Judge(Path(folder), given.limit)
        for mutant in sorted(chosen):
            ended = judge.try_mutant(mutant)
            print(f"{ended}: {mutant}", file=sys.stderr, flush=True)
            results.setdefault(mutant.module, []).append((mutant, ended))
    print("| module | mistakes | noticed | by the time limit |\n|---|---|---|---|")
    for module, tried in results.items():
        late = sum(ended == "late" for _, ended in tried)
        print(f"| `{module}` | {len(tried)} | {sum(ended != 'passed' for _, ended in tried)} | {late} |")
    passed = [mutant for tried in results.values() for mutant, ended in tried if ended == "passed"]
    print(
        f"\n{len(chosen) - len(passed)} of {len(chosen)} noticed ({1 - len(passed) / len(chosen):.0%}). Not noticed:\n"
    )
    for mutant in passed:
        print(f"- {mutant}")


if __name__ == "__main__":
    main()
