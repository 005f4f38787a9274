"""The shell: what the connection does, with words around it. No logic of its own.

The token comes from the environment, the keyring or a prompt, never from the command line,
where every user of the machine sees it.
"""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
import tempfile
import threading
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from canvas_reports_nb import demo_canvas, frames, opening
from canvas_reports_nb import doctor as doctor_of
from canvas_reports_nb._version import __version__
from canvas_reports_nb.exceptions import CanvasReportsError, MissingDependencyError, ParameterError
from canvas_reports_nb.results import choose_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from canvas_reports_nb.connection import Connection
    from canvas_reports_nb.results import ReportResult

__all__ = ["cli"]

_SUFFIXES = frozenset({".parquet", ".csv", ".zip"})

_LINE = 120


class _Refused(click.ClickException):
    """One of our errors as the shell shows it: the sentence, what to do, no traceback."""

    def __init__(self, error: CanvasReportsError) -> None:
        super().__init__(str(error))


class _RefusedCall(_Refused):
    """The call itself is wrong: the exit code says so, as click's own usage errors do."""

    exit_code = 2


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except CanvasReportsError as error:
        refused = _RefusedCall if isinstance(error, ParameterError) else _Refused
        raise refused(error) from None


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
@click.option("-v", "--verbose", is_flag=True, help="Log lines on stderr.")
def cli(*, verbose: bool) -> None:
    """Canvas LMS account reports as correctly typed tables.

    Set CANVAS_API_URL and CANVAS_API_TOKEN to reach a Canvas; `demo` needs neither.
    """
    if verbose:
        logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s")


def _connecting(command: Any) -> Any:
    """The options of every command that talks to a Canvas."""
    for option in (
        click.option(
            "--account", default="self", show_default=True, help="A Canvas id, self, or sis_account_id:X."
        ),
        click.option("--demo", "on_demo", is_flag=True, help="Use the Canvas that ships in the package."),
    ):
        command = option(command)
    return command


def _connection(account: str, *, on_demo: bool) -> Connection:
    return opening.demo(account=account) if on_demo else opening.connect(account=account)


@cli.command("list")
@_connecting
def list_(account: str, *, on_demo: bool) -> None:
    """List the reports this account offers."""
    with _refusing(), _connection(account, on_demo=on_demo) as canvas:
        click.echo(_listing(canvas.reports()))


@cli.command()
@click.argument("report")
@click.option(
    "-p", "--parameter", "given", multiple=True, metavar="NAME=VALUE", help="A parameter; may be repeated."
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="out.parquet, out.csv or out.zip."
)
@click.option("-t", "--table", help="Which table, where the run holds several.")
@click.option(
    "--max-age", type=float, default=86400, show_default=True, help="Reuse a run no older (seconds)."
)
@click.option("--timeout", type=float, help="Total budget in seconds.")
@click.option(
    "--progress", type=click.Choice(["auto", "tqdm", "log", "off"]), default="auto", show_default=True
)
@_connecting
def run(
    *,
    report: str,
    given: tuple[str, ...],
    output: Path | None,
    table: str | None,
    max_age: float,
    timeout: float | None,
    progress: str,
    account: str,
    on_demo: bool,
) -> None:
    """Run REPORT, or use a recent equal run, and write or show its table.

    A .parquet file is typed; a .csv or .zip is what Canvas sent, byte for byte.
    """
    with _refusing():
        asked = _parameters(given)
        if output is not None and output.suffix.lower() not in _SUFFIXES:
            raise _unwritable(output)  # now, not after an hour's run
    with _refusing(), _connection(account, on_demo=on_demo) as canvas:
        result = canvas.obtain(
            report,
            parameters=asked,
            max_age=max_age,
            timeout=timeout,
            progress=_progress(progress),
        )
        if output is None:
            _show(result.to_pandas(table), report)
        else:
            _write(result, table, output)
            click.echo(f"{output} written.", err=True)


@cli.command()
@click.option(
    "--files",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Serve the report files of this folder.",
)
@click.option("--lab", is_flag=True, help="Open the notebooks in JupyterLab.")
def demo(files: Path | None, *, lab: bool) -> None:
    """Show the main job on the Canvas that ships in the package; no token needed."""
    with _refusing():
        if lab:
            _open_lab()
        elif files is not None:
            _serve_files(files)
        else:
            with opening.demo() as canvas:
                _tour(canvas)


@cli.command()
@_connecting
@click.pass_context
def doctor(context: click.Context, account: str, *, on_demo: bool) -> None:
    """Check address, TLS, token, rights, reports, store and versions, and say what to do.

    The exit code is 1 where a check failed.
    """
    with ExitStack() as stack:
        if on_demo:
            server = stack.enter_context(demo_canvas.serve())
            store = stack.enter_context(tempfile.TemporaryDirectory())
            findings = doctor_of.examine(server.url, server.token, account=account, store=store)
        else:
            findings = doctor_of.examine(account=account)
        failed = [finding.name for finding in findings if _told(finding).ok is False]
    if failed:
        click.echo(f"\nNot right yet: {', '.join(failed)}.")
        context.exit(1)


def _told(finding: doctor_of.Finding) -> doctor_of.Finding:
    word, colour = {True: ("ok", "green"), False: ("FAILED", "red"), None: ("skipped", "yellow")}[finding.ok]
    click.echo(f"{click.style(f'{word:<8}', fg=colour)}{finding.name:<16}{finding.says}")
    if finding.do:
        click.echo(f"{'':<24}{finding.do}")
    return finding


def _tour(canvas: Connection) -> None:
    click.secho(f"An embedded Canvas listens at {canvas.url}. It offers:", bold=True)
    click.echo(_listing(canvas.reports()))
    asked: list[tuple[str, dict[str, Any]]] = [
        ("grade_export_csv", {"enrollment_term_id": "current"}),
        ("provisioning_csv", {"users": True, "enrollments": True}),
    ]
    for report, parameters in asked:
        keywords = ", ".join(f"{name}={value!r}" for name, value in parameters.items())
        click.secho(f"\ncanvas.read_tables({report!r}, {keywords})", bold=True)
        for name, frame in canvas.read_tables(report, progress="tqdm", **parameters).items():
            _show(frame, name)
    click.secho("\nKept on this disk:", bold=True)
    kept = canvas.store.info()[["report", "run_id", "tables", "rows", "bytes"]]
    click.echo(f"{canvas.store.path}\n{kept.to_string(index=False)}")
    click.secho("\nNext:", bold=True)
    click.echo("canvas-reports demo --lab    opens the notebooks in JupyterLab, on this same embedded Canvas")


def _serve_files(files: Path) -> None:
    with demo_canvas.serve(files=files) as server, tempfile.TemporaryDirectory() as store:
        canvas = opening.connect(server.url, server.token, store=store)
        for report in canvas.reports()["report"]:
            for past in canvas.history(report).to_dict("records"):
                click.echo(f"{report}  run {past['run_id']}  {past['parameters'] or ''}")
        click.echo(f"\nexport CANVAS_API_URL={server.url}\nexport CANVAS_API_TOKEN={server.token}")
        click.echo("Serving until Ctrl-C.", err=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            click.echo("Stopped.", err=True)


def _open_lab() -> None:
    if find_spec("jupyterlab") is None:
        raise MissingDependencyError("JupyterLab", "demo", "--lab")
    notebooks = _notebooks()
    click.echo(f"Opening {notebooks}; stop with Ctrl-C.")
    first = str(notebooks / "00_quickstart.ipynb")
    subprocess.run(  # noqa: S603 - our own interpreter and our own words
        [sys.executable, "-m", "jupyter", "lab", f"--notebook-dir={notebooks}", first], check=False
    )


def _notebooks() -> Path:
    """The notebooks of the checkout; from a wheel, a copy in the working folder, to be edited."""
    package = Path(__file__).parent
    checkout = package.parent / "notebooks"
    if checkout.is_dir() and (package.parent / "pyproject.toml").is_file():
        return checkout
    return Path(
        shutil.copytree(package / "notebooks", Path.cwd() / "canvas_reports_notebooks", dirs_exist_ok=True)
    )


def _parameters(given: tuple[str, ...]) -> dict[str, Any]:
    parameters: dict[str, Any] = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals:
            raise ParameterError(f"-p {pair} is no parameter.", hint="Write -p name=value.")
        if name in parameters:
            earlier = parameters[name]
            parameters[name] = [*(earlier if isinstance(earlier, list) else [earlier]), value]
        else:
            parameters[name] = value
    return parameters


def _progress(name: str) -> Any:
    return False if name == "off" else name


def _write(result: ReportResult, table: str | None, output: Path) -> None:
    match output.suffix.lower():
        case ".parquet":
            shutil.copyfile(result.parquet(table), output)
        case ".zip" if result.path.suffix == ".zip":
            shutil.copyfile(result.path, output)
        case ".csv":
            name = choose_table(
                result.tables, table, result.provenance["report"], result.provenance["run_id"]
            )
            found = frames.members(result.path)
            member = next((each for each in found if each.in_zip and each.name == name), found[0])
            with member.open() as source, output.open("wb") as target:
                shutil.copyfileobj(source, target)
        case _:
            raise _unwritable(output)


def _unwritable(output: Path) -> ParameterError:
    return ParameterError(
        f"{output.name}: no such kind of file comes out of this run.",
        hint="Write to .parquet or .csv, or to .zip where Canvas sent a zip.",
    )


def _listing(reports: pd.DataFrame) -> str:
    shown = reports[["report", "title", "parameters"]]
    widths = [int(shown[column].str.len().max()) + 2 for column in shown]
    lines = [
        "".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in shown.itertuples(index=False)
    ]
    # One report a line, whatever the terminal's width: the names are there to be copied.
    return "\n".join(
        line if len(line) <= _LINE else f"{line[: _LINE - 3]}..." for line in map(str.rstrip, lines)
    )


def _show(frame: pd.DataFrame, name: str) -> None:
    click.echo(f"\n{name}: {len(frame):,} rows, {frame.shape[1]} columns")
    click.echo(frame.head().to_string(max_cols=8, max_colwidth=24, na_rep=""))
    click.echo("dtypes: " + ", ".join(f"{column} {dtype}" for column, dtype in frame.dtypes.items()))
