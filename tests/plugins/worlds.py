"""A process builds each university of a demo Canvas once, and each small file: equal arguments give equal ones."""

import functools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

SMALL, MANY = 200_000, 500
"""The most bytes of a run's files that are kept, and of how many runs."""


@pytest.fixture(scope="session", autouse=True)
def build_each_world_once() -> Iterator[None]:
    from canvas_reports_nb.demo_canvas import canvas, delivery  # noqa: PLC0415 - after settings are removed

    worlds: set[int] = set()
    kept: dict[Any, tuple[Any, list[bytes]]] = {}
    compute = delivery.produce

    @functools.cache  # nothing else may get the id of a world
    def build(*arguments: Any, **named: Any) -> Any:
        world = build_world(*arguments, **named)
        worlds.add(id(world))
        return world

    def produce(world: Any, report: str, parameters: Any, account_id: int, folder: Path) -> Any:
        key = id(world), report, json.dumps(dict(parameters), default=repr), account_id
        if key in kept:
            product, contents = kept[key]
            files = tuple(folder / file.name for file in product.files)
            for file, content in zip(files, contents, strict=True):
                file.write_bytes(content)
            return replace(product, files=files)
        product = compute(world, report, parameters, account_id, folder)
        small = sum(file.stat().st_size for file in product.files) < SMALL
        if small and len(kept) < MANY and id(world) in worlds:
            kept[key] = product, [file.read_bytes() for file in product.files]
        return product

    build_world = canvas.build_world
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(canvas, "build_world", build)
        patch.setattr(delivery, "produce", produce)
        # On a busy machine, a file can take longer than the seconds that a response waits for it.
        patch.setattr(canvas, "PATIENCE", 600.0)
        yield
