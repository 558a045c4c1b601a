"""What all tests share: the running stack, and that a skip can be made a failure."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from local.table import documented
from tests.harness.compose import ComposeStack, engine_missing
from tests.harness.kinds import kind_of
from tests.harness.local import LocalStack

# What is set on this machine must not decide a test; only how to reach PyPI from here is taken over. The
# last ones are other programs': of the servers that the examples start, and of Docker Compose.
for name in documented() - {"CA_BUNDLE"} | {
    "WEB_CONCURRENCY",
    "GUNICORN_CMD_ARGS",
    "COMPOSE_FILE",
    "COMPOSE_PROFILES",
}:
    os.environ.pop(name, None)
# Everything that tests talk to is on this machine, whatever proxy leads out of it.
for name in ("NO_PROXY", "no_proxy"):
    os.environ[name] = ",".join(filter(None, [os.environ.get(name), "127.0.0.1,localhost"]))


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


class ByKind(LoadScopeScheduling):  # type: ignore[misc]
    """Tests of one kind share a stack, in one worker of pytest-xdist; the kinds run side by side."""

    def _split_scope(self, nodeid: str) -> str:
        return kind_of(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByKind:
    """Not by `xdist_group`: which versions of pytest and pytest-xdist agree on it is chance."""
    return ByKind(config, log)


@pytest.fixture(scope="session")
def local_stack() -> Iterator[LocalStack]:
    """The deployment as local processes."""
    with LocalStack() as stack:
        yield stack


@pytest.fixture(scope="session")
def compose_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComposeStack]:
    """The deployment in containers; skipped where no engine answers."""
    if reason := engine_missing():
        pytest.skip(reason)
    if "PYTEST_XDIST_WORKER" in os.environ:
        # Fails when another worker has one already: then kinds are no longer kept together.
        (tmp_path_factory.getbasetemp().parent / "compose-stack").touch(exist_ok=False)
    with ComposeStack() as stack:
        yield stack


@pytest.fixture(scope="session")
def stack(local_stack: LocalStack) -> LocalStack:
    """The stack to test against; tests/stack and tests/compose have their own."""
    return local_stack
