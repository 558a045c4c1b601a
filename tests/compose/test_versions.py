"""From the version of the last tag to this one, as the README says it for containers."""

from __future__ import annotations

import pytest

from tests.harness import previous
from tests.harness.compose import ComposeStack, engine_missing


def test_docker_compose_up_upgrades_what_runs_and_its_data() -> None:
    if reason := engine_missing():
        pytest.skip(reason)
    previous.required_tag()
    with ComposeStack(prepare=previous.unpack) as stack:
        previous.check_upgrade(stack, stack.root, stack.upgrade)
