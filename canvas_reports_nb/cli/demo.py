"""The commands demo (a tour, the notebooks, or a folder of files) and doctor."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
from contextlib import ExitStack
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from canvas_reports_nb import demo_canvas, opening
from canvas_reports_nb import doctor as doctor_of
from canvas_reports_nb.cli.errors import FAILED, exit_on_error
from canvas_reports_nb.cli.notebook import notebooks_folder
from canvas_reports_nb.cli.options import connecting, json_option
from canvas_reports_nb.cli.output import plain, print_head, print_json, print_table
from canvas_reports_nb.exceptions import FileError, MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from canvas_reports_nb.connection import Connection
    from canvas_reports_nb.doctor import Finding

_FIRST = "00_quickstart.ipynb"


@click.command()
@click.option(
    "--files",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Serve the report files in this folder.",
)
@click.option("--lab", is_flag=True, help="Open copies of the notebooks in JupyterLab.")
@click.pass_context
def demo(context: click.Context, files: Path | None, *, lab: bool) -> None:
    """Show the main calls on the Canvas that ships with the package; no token needed."""
    with exit_on_error():
        if lab:
            context.exit(_open_lab())
        elif files is not None:
            _serve_files(files)
        else:
            with opening.demo() as canvas:
                _tour(canvas)


def _tour(canvas: Connection) -> None:
    click.secho(f"The demo Canvas at {canvas.url} has these reports:", bold=True)
    print_table(canvas.reports(), ("report", "title", "parameters"), as_json=False, header=False)
    asked: list[tuple[str, dict[str, Any]]] = [
        ("grade_export_csv", {"enrollment_term_id": "current"}),
        ("provisioning_csv", {"users": True, "enrollments": True}),
    ]
    for report, parameters in asked:
        keywords = ", ".join(f"{name}={value!r}" for name, value in parameters.items())
        click.secho(f"\ncanvas.read_tables({report!r}, {keywords})", bold=True)
        for name, frame in canvas.read_tables(report, progress="tqdm", **parameters).items():
            print_head(frame, name)
    click.secho("\nStored on this disk until the demo ends:", bold=True)
    kept = canvas.store.info()[["report", "run_id", "tables", "rows", "bytes"]]
    click.echo(f"{canvas.store.path}\n{kept.to_string(index=False)}")
    click.secho("\nNext:", bold=True)
    click.echo("canvas-reports demo --lab    opens the notebooks in JupyterLab, with the same demo Canvas")


def _serve_files(files: Path) -> None:
    with (
        demo_canvas.serve(files=files) as server,
        tempfile.TemporaryDirectory() as store,
        opening.connect(server.url, server.token, store=store) as canvas,
    ):
        for report in canvas.reports()["report"]:
            for past in canvas.history(report).to_dict("records"):
                click.echo(f"{report}  run {past['run_id']}  {past['parameters'] or ''}")
        click.echo(f"\nexport CANVAS_API_URL={server.url}\nexport CANVAS_API_TOKEN={server.token}")
        click.echo("Serving until Ctrl-C.", err=True)
        try:
            while not threading.Event().wait(1):  # on Windows, Ctrl-C can't end a wait without a limit
                pass
        except KeyboardInterrupt:
            click.echo("Stopped.", err=True)


def _open_lab() -> int:
    """Open copies of the notebooks in JupyterLab, and return its exit code."""
    if find_spec("jupyterlab") is None:
        raise MissingDependencyError("JupyterLab", "demo", "--lab")
    folder = _copy_notebooks()
    click.echo(f"Opening {folder}; stop with Ctrl-C.")
    lab = [sys.executable, "-m", "jupyter", "lab", f"--notebook-dir={folder}", str(folder / _FIRST)]
    # With the address or token of a real Canvas, the notebooks would use it instead of the demo.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CANVAS_API_")}
    code = subprocess.run(lab, check=False, env=environment).returncode  # noqa: S603 - constant arguments
    if code and os.name == "posix" and os.geteuid() == 0:
        click.echo(
            "JupyterLab does not run as root. Use another account, or allow it: "
            f"python -m jupyter lab --allow-root {shlex.quote(str(folder))}",
            err=True,
        )
    return code


def _copy_notebooks() -> Path:
    """Copy the notebooks that are missing to a folder in the working folder; keep those that are there."""
    folder = Path.cwd() / "canvas_reports_notebooks"
    kept = []
    try:
        folder.mkdir(exist_ok=True)
        for source in sorted(notebooks_folder().glob("*.ipynb")):
            target = folder / source.name
            if not os.path.lexists(target):
                part = target.with_suffix(".part")
                shutil.copyfile(source, part)
                part.rename(target)
            elif target.read_bytes() != source.read_bytes():
                kept.append(source.name)
    except OSError as error:
        raise FileError(
            f"The notebooks were not copied to {folder}: {error.strerror}.",
            hint="Run the command in a folder that you may write to.",
        ) from None
    if kept:
        click.echo(f"Kept yours: {', '.join(kept)}. To get one anew, rename or delete it first.")
    return folder


_WORDS = {True: ("ok", "green"), False: ("FAILED", "red"), None: ("skipped", "yellow")}


@click.command()
@json_option
@connecting
@click.pass_context
def doctor(context: click.Context, account: str, *, as_json: bool, on_demo: bool) -> None:
    """Check the address, TLS, token, permissions, reports, store and versions.

    The exit code is 1 if a check failed.
    """
    with exit_on_error(), ExitStack() as stack:
        if on_demo:
            server = stack.enter_context(demo_canvas.serve())
            store = stack.enter_context(tempfile.TemporaryDirectory())
            findings = doctor_of.examine(server.url, server.token, account=account, store=store)
        else:
            findings = doctor_of.examine(account=account)
        failed = _print_findings(findings, as_json=as_json)
    if failed and not as_json:
        click.echo(f"\nTo fix: {', '.join(failed)}.")
    if failed:
        context.exit(FAILED)


def _print_findings(findings: Iterable[Finding], *, as_json: bool) -> list[str]:
    """Print each finding as it comes; return the names of the failed checks."""
    failed = []
    for finding in findings:
        if finding.ok is False:
            failed.append(finding.name)
        if as_json:
            print_json(asdict(finding))
            continue
        word, colour = _WORDS[finding.ok]
        click.echo(f"{click.style(f'{word:<8}', fg=colour)}{finding.name:<16}{plain(finding.says)}")
        if finding.do:
            click.echo(f"{'':<24}{plain(finding.do)}")
    return failed
