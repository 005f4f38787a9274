"""What is derived from a downloaded report file: one typed Parquet file a table, made here or by a Dask worker.

A worker is given the paths and what is known of the run, never the token: what Canvas sent is on the disk
before, and whoever holds the run's lock seals it afterwards. So the workers must see the store's folder.
"""

from __future__ import annotations

import logging
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from canvas_reports_nb.exceptions import CanvasReportsError, ReportWarning
from canvas_reports_nb.frames.contents import members
from canvas_reports_nb.frames.identity import identify
from canvas_reports_nb.frames.sinks import contradictions, write_parquet
from canvas_reports_nb.stored import file_facts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from canvas_reports_nb.lineage import Provenance

__all__ = ["Derived", "derive", "type_file"]

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Derived:
    """The typed files of a report file.

    Attributes
    ----------
    in_zip : bool
        Whether the report file is a zip.
    tables : dict
        What the sidecar holds of each table: ``file``, ``size``, ``sha256``, ``provenance``.
    warnings : list of str
        What the user is to be told.
    """

    in_zip: bool
    tables: dict[str, dict[str, Any]]
    warnings: list[str]


def type_file(
    path: Path, folder: Path, provenance: Provenance, parameters: Mapping[str, Any] | None = None
) -> Derived:
    """Type every table of a report file into a folder.

    Parameters
    ----------
    path : Path
        Of the report file.
    folder : Path
        Where the Parquet files go.
    provenance : Provenance
        Of the run: its report tells the columns, its source what the file is called.
    parameters : mapping, optional
        Of the run, as Canvas gives them.

    Raises
    ------
    CanvasReportsError
        The file can't be read.
    """
    found = members(path, provenance.source)
    tables, said = {}, []
    for member in found:
        identity = identify(member, provenance.report, parameters=parameters)
        target = folder / f"{quote(identity.table, safe=' ')}.parquet"
        facts, made = write_parquet(member, identity, target, provenance)
        tables[identity.table] = {**file_facts(target), "provenance": made.to_dict()}
        said += contradictions(facts, identity)
    return Derived(found[0].in_zip, tables, said)


def derive(path: Path, folder: Path, provenance: Provenance, parameters: Mapping[str, Any]) -> Derived:
    """As `type_file`, on a worker where a client of dask.distributed is open; warns here of what was found."""
    client = _client()
    made = None if client is None else _by_worker(client, path, folder, provenance, parameters)
    made = made or type_file(path, folder, provenance, parameters)
    for text in made.warnings:
        warnings.warn(text, ReportWarning, stacklevel=2)
    return made


def _client() -> Any:
    """The open client of dask.distributed, or ``None``."""
    # Whoever has one has imported it.
    distributed = sys.modules.get("distributed")
    if distributed is None or _is_task(distributed):
        return None
    try:
        client = distributed.Client.current()
    except ValueError:
        return None
    return None if client.asynchronous else client


def _is_task(distributed: Any) -> bool:
    """Whether this is a worker's task itself: waiting for another could block the one thread there is."""
    try:
        distributed.get_worker()
    except ValueError:
        return False
    return True


def _by_worker(
    client: Any, path: Path, folder: Path, provenance: Provenance, parameters: Mapping[str, Any]
) -> Derived | None:
    """The typed files, made by a worker; ``None`` where no worker can."""
    # A worker may stand in another folder.
    with TemporaryDirectory(dir=folder.absolute(), ignore_cleanup_errors=True) as scratch:
        try:
            # Not pure: the same words may mean another file by now.
            task = client.submit(
                _type_apart, path.absolute(), Path(scratch), provenance, dict(parameters), pure=False
            )
            place, made = cast("tuple[str, Derived]", task.result())
            for facts in made.tables.values():
                (Path(scratch) / place / facts["file"]).replace(folder / facts["file"])
        except CanvasReportsError:
            raise
        except Exception as error:  # noqa: BLE001 - a cluster fails in ways of its own, and there is another way
            said = f"{type(error).__name__}: {error}"
            _LOG.warning("no Dask worker could type run %s (%s); doing it here", provenance.run_id, said)
            return None
    return made


def _type_apart(
    path: Path, scratch: Path, provenance: Provenance, parameters: Mapping[str, Any]
) -> tuple[str, Derived]:
    """As `type_file`, in a folder of its own: a worker given up for lost may still write."""
    folder = Path(mkdtemp(dir=scratch))
    return folder.name, type_file(path, folder, provenance, parameters)
