"""Tests of what only containers have."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.compose import ComposeStack

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs a Docker engine."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.compose)


@pytest.fixture(scope="session")
def stack(compose_stack: ComposeStack) -> ComposeStack:
    """The same containers that the end-to-end tests use."""
    return compose_stack
