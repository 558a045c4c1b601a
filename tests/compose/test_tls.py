"""docker-compose.tls.yml where it has nothing to work with; that it works is in tests/stack/test_tls.py."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.harness.certificates import Authority
from tests.harness.compose import ComposeStack

TLS = {"NGINX_TLS_PORT": "8443", "NGINX_TLS_DIR": "/etc/corkboard/tls", "SITE_NAME": "site.test"}


@pytest.fixture
def authority() -> Iterator[Authority]:
    with Authority() as authority:
        yield authority


def start(stack: ComposeStack, settings: dict[str, str], *options: str) -> list[str]:
    """What a container of nginx' image says, when it is to show its version instead of serving."""
    given = {"APP_SERVER": "a:1", "ASGI_SERVERS": "b:1", **settings}
    variables = [f"--env={name}={value}" for name, value in given.items()]
    run = ["docker", "run", "--rm", "--tmpfs=/run/nginx:uid=101", *variables, *options]
    answer = subprocess.run(
        [*run, f"{stack.project}-nginx", "nginx", "-v"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert answer.returncode
    return [line for line in answer.stderr.splitlines() if "(see " in line]


def test_a_key_that_the_containers_user_cannot_read_is_said_with_that_user(
    stack: ComposeStack, authority: Authority
) -> None:
    authority.issue("site.test", readable=False)
    folder = authority.key.parent
    mounts = [f"--volume={folder}:/etc/corkboard/tls/{kind}:ro" for kind in ("cert", "key")]
    (line,) = start(stack, TLS | authority.settings(), *mounts)
    assert line.startswith("TLS_KEY_FILE is invalid: expected a file that user 101 can read, not ")
    assert str(authority.key) in line


def test_a_certificate_without_the_overlay_is_not_silently_ignored(stack: ComposeStack) -> None:
    (line,) = start(stack, {"TLS_CERT_FILE": "/etc/site/cert.pem"})
    assert line.startswith("TLS_CERT_FILE needs COMPOSE_FILE=docker-compose.yml:docker-compose.tls.yml")


def test_an_image_without_the_acme_module_says_so(stack: ComposeStack) -> None:
    (line,) = start(stack, TLS | {"NGINX_ACME_MODULE": "/nowhere.so"})
    assert line.startswith("TLS_CERT_FILE is invalid: expected a file, because this nginx has no ACME module")
