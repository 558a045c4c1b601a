"""What all tests share: the running stack, and that a skip can be made a failure."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator

import pytest

from tests.harness.compose import ComposeStack, engine_missing
from tests.harness.local import LocalStack


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--require-all`, or REQUIRE_ALL=1: for machines where nothing is missing."""
    parser.addoption("--require-all", action="store_true", help="a skipped test is a failed one")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turns a skip into a failure with the same reason, when everything is required."""
    report = yield
    required = item.config.getoption("--require-all") or os.environ.get("REQUIRE_ALL") == "1"
    if required and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
        report.outcome = "failed"
        report.longrepr = f"everything is required here, but this was skipped: {reason}"
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of one kind share a stack, in one worker of pytest-xdist; the kinds run side by side."""
    for item in items:
        parameters = getattr(getattr(item, "callspec", None), "params", {})
        if "tests/compose/" in item.nodeid or parameters.get("stack") == "compose":
            item.add_marker(pytest.mark.xdist_group("compose"))
        elif "tests/unit/" not in item.nodeid:
            room, _, file = item.nodeid.partition("tests/")[2].partition("/")
            item.add_marker(pytest.mark.xdist_group("_".join([room, *file.split("_")[1:2]])))


@pytest.fixture(scope="session")
def local_stack() -> Iterator[LocalStack]:
    """The deployment as local processes."""
    stack = LocalStack()
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


@pytest.fixture(scope="session")
def compose_stack() -> Iterator[ComposeStack]:
    """The deployment in containers; skipped where no engine answers."""
    if reason := engine_missing():
        pytest.skip(reason)
    stack = ComposeStack()
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


@pytest.fixture(scope="session")
def stack(local_stack: LocalStack) -> LocalStack:
    """The stack to test against; tests/stack and tests/compose have their own."""
    return local_stack
