"""Collect the tests without garbage collection, which would look through thousands of them again and again."""

import gc

gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()
