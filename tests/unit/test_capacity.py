"""What cannot fit into the memory is refused, with the number that would fit."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

import asgi_app.capacity
import asgi_app.settings
import wsgi_app.capacity
import wsgi_app.settings

WSGI = wsgi_app.settings.Settings.model_fields
CASES = [
    pytest.param(
        wsgi_app.capacity, lambda count: wsgi_app.capacity.check(count, 32), "WSGI_WORKERS", id="wsgi"
    ),
    pytest.param(asgi_app.capacity, asgi_app.capacity.check, "MAX_SOCKETS", id="asgi"),
]


@pytest.fixture
def mem_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[ModuleType, str], None]:
    """A container of that size, as the kernel tells it."""

    def limit(module: ModuleType, text: str) -> None:
        file = tmp_path / "memory.max"
        file.write_text(f"{text}\n")
        monkeypatch.setattr(module, "CONTROL_GROUPS", (file,))

    return limit


@pytest.mark.parametrize(("module", "check", "name"), CASES)
def test_the_number_that_is_said_to_fit_is_accepted_and_one_more_is_not(
    mem_limit: Callable[[ModuleType, str], None], module: ModuleType, check: Callable[[int], None], name: str
) -> None:
    mem_limit(module, str(512 * 1024 * 1024))
    with pytest.raises(ValueError, match=rf"^{name} is invalid: expected at most \d+\b") as refused:
        check(100_000)
    found = re.search(r"at most (\d+)", str(refused.value))
    assert found
    most = int(found[1])
    check(most)
    with pytest.raises(ValueError, match="512 MiB"):
        check(most + 1)


@pytest.mark.parametrize(("module", "check", "name"), CASES)
def test_without_a_limit_the_machine_counts(
    mem_limit: Callable[[ModuleType, str], None],
    module: ModuleType,
    check: Callable[[int], None],
    name: str,  # noqa: ARG001
) -> None:
    mem_limit(module, "max")
    assert module.available() > 512 * 1024 * 1024
    check(1)


def test_the_defaults_fit_into_the_deployments_containers(
    mem_limit: Callable[[ModuleType, str], None],
) -> None:
    for module in (wsgi_app.capacity, asgi_app.capacity):
        mem_limit(module, str(512 * 1024 * 1024))
    wsgi_app.capacity.check(WSGI["wsgi_workers"].default, WSGI["wsgi_threads"].default)
    asgi_app.capacity.check(asgi_app.settings.Settings.model_fields["max_sockets"].default)
