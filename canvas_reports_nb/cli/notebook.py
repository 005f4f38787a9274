"""The command notebook: run one of the package's notebooks without opening it."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import sys
import tempfile
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from canvas_reports_nb.catalog.parameters import near
from canvas_reports_nb.cli.errors import exit_on_error
from canvas_reports_nb.cli.output import notice, plain
from canvas_reports_nb.exceptions import CanvasReportsError, FileError, MissingDependencyError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PACKAGES = ("nbformat", "nbclient", "nbconvert", "ipykernel")
_STARTS = 3
_WORDS = {"true": True, "yes": True, "false": False, "no": False}
_NOT_SET = {"true": True, "false": False, "none": None}


@click.command()
@click.argument("name")
@click.option(
    "--set", "given", multiple=True, metavar="NAME=VALUE", help="Change a setting; may be repeated."
)
@click.option(
    "--html", is_flag=True, help="Also write a page with the texts, tables and charts, without code."
)
@click.option(
    "--xlsx", is_flag=True, help="Also keep the workbooks and other files that the notebook writes."
)
@click.option(
    *("-o", "--output", "folder"),
    default=".",
    show_default=True,
    metavar="FOLDER",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where to write. It is created if needed; files in it are kept.",
)
@click.option("--demo", "on_demo", is_flag=True, help="Use the demo Canvas of this package.")
def notebook(
    name: str, given: tuple[str, ...], folder: Path, *, html: bool, xlsx: bool, on_demo: bool
) -> None:
    """Run a notebook of this package without opening it, and write the result as a notebook.

    NAME is its file name, with or without the number and suffix, such as census_day. A path, such as
    ./census_day.ipynb, runs your own copy.
    """
    with exit_on_error():
        source = _find(name)
        if any(find_spec(package) is None for package in _PACKAGES):
            raise MissingDependencyError("nbconvert", "demo", "Running a notebook")
        import nbformat  # noqa: PLC0415 - an extra

        content = nbformat.read(source, as_version=4)
        settings = _changed(content, given)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder, prefix=".notebook-") as made:
                place = Path(made)
                _insert(content, {key: _with_files(value, place) for key, value in settings.items()})
                given_files = set(place.iterdir())
                failure = _execute(content, place, on_demo=on_demo)
                _write(content, place / source.stem, html=html and not failure)
                written = [path for path in sorted(place.iterdir()) if path not in given_files]
                kept = [_move(path, folder) for path in written if xlsx or path.stem == source.stem]
        except OSError as error:
            raise FileError(
                f"The results were not written to {folder}: {error.strerror}.",
                hint="Choose a folder that you may write to with -o.",
            ) from None
        _report(source.stem, kept, failure)


def _report(name: str, kept: Sequence[Path], failure: str) -> None:
    """Print what was written, or raise the error of the cell that failed."""
    if failure:
        partly = next(path for path in kept if path.suffix == ".ipynb")
        raise CanvasReportsError(f"{name} failed. {failure}", hint=f"The cells before it are in {partly}.")
    for path in kept:
        notice(f"Wrote {path}")


def notebooks_folder() -> Path:
    """Return the folder of the notebooks: in the package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    checkout = package.parent / "notebooks"
    is_checkout = checkout.is_dir() and (package.parent / "pyproject.toml").is_file()
    return checkout if is_checkout else package / "notebooks"


def _find(name: str) -> Path:
    """Return the notebook with a name, or at a path."""
    if re.search(r"[/\\]", name) and Path(name).is_file():
        return Path(name)
    known = {_bare(path.name): path for path in sorted(notebooks_folder().glob("*.ipynb"))}
    numbers = {path.name.partition("_")[0]: path for path in known.values()}
    found = known.get(_bare(name)) or numbers.get(name.zfill(2))
    if found is None:
        raise ParameterError(
            f"Unknown notebook {name!r}.", hint=f"{near(_bare(name), known)}Use one of {', '.join(known)}."
        )
    return found


def _bare(name: str) -> str:
    """Return a name without number and suffix, in lower case."""
    return re.sub(r"^\d+_", "", name.lower().removesuffix(".ipynb").replace("-", "_"))


# -- settings ----------------------------------------------------------------------------------


def _parameters(content: Any) -> Any:
    """Return the cell with the tag ``parameters``, or ``None``."""
    return next((cell for cell in content.cells if "parameters" in cell.metadata.get("tags", ())), None)


def _defaults(content: Any) -> dict[str, Any]:
    """Return the settings of a notebook with their defaults."""
    cell = _parameters(content)
    found = {}
    for line in ast.parse(cell.source).body if cell is not None else ():
        if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
            found[line.targets[0].id] = ast.literal_eval(line.value)
    return found


def _changed(content: Any, given: tuple[str, ...]) -> dict[str, Any]:
    """Return the settings that ``--set`` changes, with the types of their defaults."""
    defaults = _defaults(content)
    settings = {}
    for pair in given:
        name, equals, text = pair.partition("=")
        if not equals:
            raise ParameterError(f"Can't read --set {pair} as a setting.", hint="Write --set NAME=VALUE.")
        known = next((each for each in defaults if each.lower() == name.strip().lower()), None)
        if known is None:
            listed = ", ".join(f"{each}={default!r}" for each, default in defaults.items())
            raise ParameterError(
                f"This notebook has no setting {name!r}.",
                hint=f"{near(name.upper(), defaults)}Its settings are {listed}."
                if listed
                else "It has no settings.",
            )
        try:
            settings[known] = value_of(text, defaults[known])
        except ValueError:
            raise ParameterError(
                f"Can't read {known}={text!r}.", hint=f"Write it like its default, {defaults[known]!r}."
            ) from None
    return settings


def value_of(text: str, default: Any) -> Any:
    """Return a text as a value of the type of a default; without a default, it stays text.

    >>> value_of("000481", "current"), value_of("70", 65.0), value_of("FA24, FA25", ["FA25"]), value_of("no", True)
    ('000481', 70.0, ['FA24', 'FA25'], False)
    """
    word = text.strip()
    if isinstance(default, bool):
        if word.lower() not in _WORDS:
            raise ValueError(text)
        return _WORDS[word.lower()]
    if isinstance(default, int | float):
        return type(default)(word)
    if isinstance(default, dict):
        return _json(word, dict)
    if word.startswith("[") and (default is None or isinstance(default, list)):
        return _json(word, list)
    if isinstance(default, list):
        return [value_of(part.strip(), next(iter(default), "")) for part in word.split(",") if part.strip()]
    return _NOT_SET.get(word.lower(), text) if default is None else text


def _json(text: str, kind: type) -> Any:
    found = json.loads(text)
    if not isinstance(found, kind):
        raise ValueError(text)  # noqa: TRY004 - as for JSON that can't be read
    return found


# -- running -----------------------------------------------------------------------------------


def _with_files(value: Any, place: Path) -> Any:
    """Copy the files that a setting names to the folder of the run, and return their names there."""
    if isinstance(value, list):
        return [_with_files(each, place) for each in value]
    if isinstance(value, dict):
        return {key: _with_files(each, place) for key, each in value.items()}
    if isinstance(value, str) and value and Path(value).expanduser().is_file():
        source = Path(value).expanduser()
        return Path(shutil.copy(source, _free(place / source.name))).name
    return value


def _insert(content: Any, settings: Mapping[str, Any]) -> None:
    """Add a cell with the changed settings below the defaults, as papermill does."""
    import nbformat  # noqa: PLC0415 - an extra

    cells = [cell for cell in content.cells if "injected-parameters" not in cell.metadata.get("tags", ())]
    if settings:
        source = "\n".join(f"{name} = {value!r}" for name, value in settings.items())
        cell = nbformat.v4.new_code_cell(source, metadata={"tags": ["injected-parameters"]})
        cells.insert(cells.index(_parameters(content)) + 1, cell)
    content.cells = cells


def _execute(content: Any, place: Path, *, on_demo: bool) -> str:
    """Run the cells in a folder; return the error of the one that failed, or an empty text."""
    from nbclient import NotebookClient  # noqa: PLC0415 - an extra
    from nbclient.exceptions import CellExecutionError, DeadKernelError  # noqa: PLC0415 - as above

    environment = {
        name: value for name, value in os.environ.items() if not (on_demo and name.startswith("CANVAS_API_"))
    }
    store = environment.get("CANVAS_REPORTS_CACHE")
    if store and "://" not in store:  # relative to the folder of this command
        environment["CANVAS_REPORTS_CACHE"] = str(Path(store).expanduser().absolute())
    for _ in range(_STARTS):
        client = NotebookClient(
            content,
            timeout=None,
            kernel_name="python3",
            extra_arguments=["--log-level=ERROR"],
            resources={"metadata": {"path": str(place)}},
        )
        try:
            client.execute(env=environment)
        except CellExecutionError as error:
            return plain(f"{error.ename}: {error.evalue}")
        except DeadKernelError:
            return "The kernel died, perhaps because it ran out of memory."
        except RuntimeError:
            continue  # it died before the first cell: another program may have taken a port that was free
        return ""
    return "The kernel did not start. Try again, or start one with: jupyter lab"


def _clean(content: Any, place: Path) -> None:
    """Remove the token, this machine's paths and the tracebacks from the outputs."""
    places = {str(place.absolute()), str(Path.cwd()), str(Path.home()), sys.prefix, tempfile.gettempdir()}
    hidden = {os.environ.get("CANVAS_API_TOKEN") or "": "(token)"}
    hidden |= dict.fromkeys(sorted(places, key=len, reverse=True), "…")
    for output in (each for cell in content.cells for each in cell.get("outputs", ())):
        if output.output_type == "error":
            output.evalue = _without(output.evalue, hidden)
            output.traceback = [f"{output.ename}: {output.evalue}"]
        elif output.output_type == "stream":
            output.text = _without(output.text, hidden)
        else:
            texts = {kind: data for kind, data in output.data.items() if kind.startswith("text/")}
            output.data |= {kind: _without(data, hidden) for kind, data in texts.items()}


def _without(text: str, hidden: Mapping[str, str]) -> str:
    for secret, shown in hidden.items():
        text = text.replace(secret, shown) if len(secret) > 1 else text
    return text


def _write(content: Any, path: Path, *, html: bool) -> None:
    """Write the notebook that was run, and with ``html`` a page of it without code."""
    import nbformat  # noqa: PLC0415 - an extra
    from nbconvert import HTMLExporter  # noqa: PLC0415 - as above

    _clean(content, path.parent)
    nbformat.write(content, path.with_suffix(".ipynb"))
    if html:
        plainly = {f"exclude_{part}": True for part in ("input", "input_prompt", "output_prompt")}
        page, _ = HTMLExporter(**plainly).from_notebook_node(content, {"metadata": {"name": path.name}})
        path.with_suffix(".html").write_text(page, encoding="utf-8")


def _move(path: Path, folder: Path) -> Path:
    if path.is_file():
        path.chmod(0o600)
    return path.rename(_free(folder / path.name))


def _free(path: Path) -> Path:
    """Return the first free name: ``census.xlsx``, ``census-2.xlsx``, ``census-3.xlsx``."""
    names = (path.with_stem(f"{path.stem}-{number}") if number > 1 else path for number in count(1))
    return next(name for name in names if not os.path.lexists(name))
