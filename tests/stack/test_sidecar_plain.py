"""Everything that holds with frames straight to the transport holds with WEBSOCKET_WRITER=plain."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.harness.local import LocalStack
from tests.harness.sidecar import replicas, running
from tests.stack import test_delivery, test_sidecar_protocol

# The same tests, collected here once more with the fixtures of this module.
for module in (test_delivery, test_sidecar_protocol):
    globals().update({name: found for name, found in vars(module).items() if name.startswith("test_")})
del test_delivery, test_sidecar_protocol
# The server hangs up by itself there, and the reason may be overtaken by the reset of what is still coming.
del test_who_sends_too_much_learns_why_although_it_is_still_sending  # type: ignore[name-defined]  # noqa: F821


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    with running({"WEBSOCKET_WRITER": "plain"}) as stack:
        yield stack


@pytest.fixture(scope="module")
def local_stack(stack: LocalStack) -> LocalStack:
    return stack


@pytest.fixture
def sidecar(stack: LocalStack) -> str:
    return replicas(stack)[0].base_url


@pytest.fixture
def url(sidecar: str) -> str:
    return sidecar
