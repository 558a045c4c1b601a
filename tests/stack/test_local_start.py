"""A start that cannot work says so in one line, at once, and leaves nothing behind."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.harness.local import LocalStack


@pytest.fixture
def fresh() -> Iterator[LocalStack]:
    stack = LocalStack()
    yield stack
    stack.stop()


def assert_refused(stack: LocalStack, words: str) -> str:
    """Starts the stack, which fails; what it says."""
    result = stack.run("up", check=False)
    assert result.returncode in (1, 2)
    assert result.stderr.count("\n") == 1
    assert words in result.stderr
    assert "Traceback" not in result.stderr + result.stdout
    assert not stack.pids()
    return result.stderr


def test_an_invalid_number_is_named_with_what_is_allowed(fresh: LocalStack) -> None:
    for value in ("abc", "0", "65536", "-1", "80.5", "80,81"):
        fresh.environment["HTTP_PORT"] = value
        assert "from 1 to 65535" in assert_refused(fresh, "HTTP_PORT")
    fresh.environment |= {"HTTP_PORT": str(fresh.port), "ASGI_REPLICAS": "many"}
    assert_refused(fresh, "ASGI_REPLICAS")


# All that an app refuses is in tests/unit/test_settings.py; here, that the start of the whole says it.
@pytest.mark.parametrize(("name", "value"), [("HISTORY_LENGTH", "x"), ("SECRET_KEY", "short")])
def test_a_setting_that_an_app_refuses_is_named_by_the_start(
    fresh: LocalStack, name: str, value: str
) -> None:
    fresh.environment[name] = value
    assert_refused(fresh, name)


def test_a_taken_port_is_named(fresh: LocalStack) -> None:
    with socket.create_server(("127.0.0.1", fresh.port)):
        assert_refused(fresh, f"HTTP_PORT={fresh.port} is taken")


def test_a_folder_that_cannot_be_made_is_named(fresh: LocalStack) -> None:
    file = fresh.folder / "a-file"
    file.write_text("")
    result = fresh.run("--state", str(file / "state"), "up", check=False)
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert str(file) in result.stderr
