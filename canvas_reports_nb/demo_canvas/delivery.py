"""From a run to the file it delivers: production, names, packaging, and what a scenario does to it."""

import hashlib
import os
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from .clock import Clock
from .files import FoundFile, asked_tables, newest
from .reports import ReportFailed, produce
from .runs import Outcome, Run
from .scenarios import Scenario
from .world import World

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
"""English ones, whatever the locale."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """Makes the files of runs; called in a worker thread.

    Parameters
    ----------
    world
        Gives the university, building it if need be.
    found
        Files to deliver instead of computing them; None to compute.
    """

    folder: Path
    clock: Clock
    world: Callable[[], World]
    scenarios: tuple[Scenario, ...]
    found: tuple[FoundFile, ...] | None = None

    def __call__(self, run: Run) -> Outcome:
        """Make the file of a run; a failure is an outcome too."""
        failure = next((s.failure for s in self.scenarios if s.failure), None)
        if failure:
            return Outcome(self.clock.now(), failure=failure)
        try:
            return self._found(run) if self.found is not None else self._computed(run)
        except ReportFailed as error:
            return Outcome(self.clock.now(), failure=str(error))
        except Exception as error:  # noqa: BLE001 - a broken report ends its run, as in Canvas, not the server
            text = f"Generating the report failed ({type(error).__name__}). ErrorReport:{run.id};"
            return Outcome(self.clock.now(), failure=text)

    def _found(self, run: Run) -> Outcome:
        tables = asked_tables(run.report, run.parameters)
        file = newest(self.found or (), run.report, tables)
        if file is None:
            what = f"{run.report} with {', '.join(sorted(tables))}" if tables else run.report
            raise ReportFailed(f"Generating the report failed: the folder holds no file of {what}. ")
        name = file_name(run, self.world().zone, zipped=zipfile.is_zipfile(file.path))
        return Outcome(self.clock.now(), file.path, name)

    def _computed(self, run: Run) -> Outcome:
        world = self.world()
        folder = self.folder / str(run.id)
        folder.mkdir()
        product = produce(world, run.report, run.parameters, run.account_id, folder)
        for file in product.files:
            self._rewrite(file)
        name = file_name(run, world.zone, zipped=product.as_zip)
        file = (
            _zip(folder / name, product.files) if product.as_zip else product.files[0].rename(folder / name)
        )
        for scenario in self.scenarios:
            os.truncate(file, scenario.keep(file.stat().st_size))
        return Outcome(self.clock.now(), file, name, product.lines, product.summary, echo=product.echo)

    def _rewrite(self, file: Path) -> None:
        for scenario in self.scenarios:
            if scenario.content is not None:
                with file.open("rb") as source:
                    header = source.readline()
                file.write_bytes(scenario.content(header))


def file_name(run: Run, zone: str, *, zipped: bool) -> str:
    """Return the name Canvas gives the file of a run; that of a lone CSV ends in a temporary file's name."""
    day = run.created_at.astimezone(ZoneInfo(zone))
    stem = f"{run.report}_{day:%d}_{MONTHS[day.month - 1]}_{day.year}_{run.id}"
    if zipped:
        return f"{stem}.zip"
    tail = hashlib.sha256(stem.encode()).hexdigest()[:6]
    return f"{stem}{day:%Y%m%d}-{run.id % 90 + 10}-{tail}.csv"


def _zip(target: Path, members: tuple[Path, ...]) -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for member in members:
            # Streamed, since a member can be larger than the memory of a small machine.
            with member.open("rb") as source, archive.open(member.name, "w", force_zip64=True) as packed:
                shutil.copyfileobj(source, packed, 1 << 20)
            member.unlink()
    return target
