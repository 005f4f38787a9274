"""From a run to its file: computing, naming, zipping, and what scenarios change."""

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
from .reports import NoFileError, produce
from .runs import Outcome, Run
from .scenarios import Scenario
from .world import World
from .world.past import world_at

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
"""English in every locale."""


NO_FILE = "Failed, the report failed to generate a file. Please try again."
ERROR_CODE = "Failed, please report the following error code to your system administrator: ErrorReport:{};"


@dataclass(frozen=True, slots=True)
class Delivery:
    """The maker of the files of runs; called in a worker thread."""

    folder: Path
    clock: Clock
    world: Callable[[], World]
    scenarios: tuple[Scenario, ...]
    found: tuple[FoundFile, ...] | None = None
    """Files to deliver; None computes them."""

    def __call__(self, run: Run) -> Outcome:
        """Make the file of a run; a failure is returned as an outcome."""
        failure = next((s.failure for s in self.scenarios if s.failure), None)
        if failure:
            return Outcome(self.clock.now(), failure=failure)
        try:
            return self._found(run) if self.found is not None else self._computed(run)
        except NoFileError as error:
            return Outcome(self.clock.now(), failure=str(error) if self.found is not None else NO_FILE)
        except Exception:  # noqa: BLE001 - as in Canvas, a broken report must end its run and not the server
            return Outcome(self.clock.now(), failure=ERROR_CODE.format(run.id))

    def _found(self, run: Run) -> Outcome:
        tables = asked_tables(run.report, run.parameters)
        file = newest(self.found or (), run.report, tables)
        if file is None:
            what = f"{run.report} with {', '.join(sorted(tables))}" if tables else run.report
            raise NoFileError(f"Generating the report failed: the folder holds no file of {what}.")
        name = file_name(run, self.world().zone, zipped=zipfile.is_zipfile(file.path))
        return Outcome(self.clock.now(), file.path, name)

    def _computed(self, run: Run) -> Outcome:
        world = world_at(self.world(), run.created_at) if run.imported else self.world()
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
    """Return the name Canvas gives a file; the name of a single CSV ends in that of a temporary file."""
    day = run.created_at.astimezone(ZoneInfo(zone))
    stem = f"{run.report}_{day:%d}_{MONTHS[day.month - 1]}_{day.year}_{run.id}"
    if zipped:
        return f"{stem}.zip"
    tail = hashlib.sha256(stem.encode()).hexdigest()[:6]
    return f"{stem}{day:%Y%m%d}-{run.id % 90 + 10}-{tail}.csv"


def _zip(target: Path, members: tuple[Path, ...]) -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for member in members:
            # Copied in pieces, since a member can be larger than the memory of a small machine.
            with member.open("rb") as source, archive.open(member.name, "w", force_zip64=True) as packed:
                shutil.copyfileobj(source, packed, 1 << 20)
            member.unlink()
    return target
