"""What applies to all tests: one small plugin per subject."""

pytest_plugins = [
    "tests.plugins.repeatable",  # before anything that uses hypothesis
    "tests.plugins.collection",
    "tests.plugins.isolation",
    "tests.plugins.summary",
    "tests.plugins.token_search",
    "tests.plugins.worlds",
]
