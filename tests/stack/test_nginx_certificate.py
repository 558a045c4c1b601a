"""What is said of a certificate before anything starts, and what nginx is told about an ACME server."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import binaries, render
from local.errors import LocalError
from tests.harness.certificates import Authority

HOST = {
    "NGINX_PORT": "8080",
    "NGINX_TLS_PORT": "8443",
    "STATIC_DIR": "/srv/static",
    "APP_SERVER": "127.0.0.1:20001",
    "ASGI_SERVERS": "127.0.0.1:20002",
    "SITE_NAME": "site.test,www.site.test",
}


@pytest.fixture
def authority() -> Iterator[Authority]:
    with Authority() as authority:
        authority.issue("site.test", "*.site.test")
        yield authority


def refusal(settings: dict[str, str]) -> str:
    """The one line that stops the start."""
    with pytest.raises(LocalError) as refused:
        render.complete(HOST | settings, [])
    (line,) = str(refused.value).splitlines()
    return line


def test_a_good_certificate_is_accepted_without_a_word(
    authority: Authority, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    render.render(tmp_path, HOST | {"NGINX_RUN_DIR": str(tmp_path)} | authority.settings())
    assert capfd.readouterr().err == ""
    render.check(binaries.nginx(), tmp_path)


@pytest.mark.parametrize("name", ["TLS_CERT_FILE", "TLS_KEY_FILE"])
@pytest.mark.parametrize("value", ["", "/nowhere/a.pem", "/"])
def test_a_file_that_is_not_there_is_refused_by_its_variable(
    authority: Authority, name: str, value: str
) -> None:
    line = refusal(authority.settings() | {name: value})
    assert line.startswith(f"{name} is invalid: expected a file that user ")
    assert line.endswith(f"not '{value}' (see .env.example)")


def test_files_that_are_no_certificate_and_no_key_are_refused(authority: Authority) -> None:
    swapped = {"TLS_CERT_FILE": str(authority.key), "TLS_KEY_FILE": str(authority.key)}
    assert refusal(swapped).startswith("TLS_CERT_FILE is invalid: expected a certificate in PEM format")
    swapped = {"TLS_CERT_FILE": str(authority.certificate), "TLS_KEY_FILE": str(authority.certificate)}
    assert refusal(swapped).startswith("TLS_KEY_FILE is invalid: expected a private key in PEM format")


def test_the_key_of_another_certificate_is_refused(authority: Authority) -> None:
    certificate = authority.certificate.read_bytes()
    authority.issue("site.test")
    authority.certificate.write_bytes(certificate)
    assert refusal(authority.settings()).startswith(
        "TLS_KEY_FILE is invalid: expected the key of TLS_CERT_FILE"
    )


def test_a_certificate_that_has_expired_or_is_for_another_name_is_said(
    authority: Authority, capfd: pytest.CaptureFixture[str]
) -> None:
    authority.issue("site.test", days=-1)
    render.complete(HOST | authority.settings(), [])
    name, expired = capfd.readouterr().err.splitlines()
    assert name == "warning: the certificate in TLS_CERT_FILE is not for www.site.test of SITE_NAME"
    assert expired.startswith("warning: the certificate in TLS_CERT_FILE has expired: notAfter=")


@pytest.mark.parametrize("wrong", ["https://site.test", "site.test:443", "a b/c", "-a", "a;"])
@pytest.mark.parametrize("name", ["SITE_NAME", "ALLOWED_HOSTS"])
def test_what_is_no_name_is_refused(name: str, wrong: str) -> None:
    assert refusal({"NGINX_TLS_PORT": "", name: wrong}).startswith(
        f"{name} is invalid: expected names such as "
    )


def test_without_files_there_must_be_a_name_to_get_a_certificate_for() -> None:
    assert refusal({"SITE_NAME": ""}).startswith(
        "SITE_NAME is invalid: expected the name to get a certificate for"
    )


def test_an_nginx_without_the_acme_module_says_what_to_set(tmp_path: Path) -> None:
    line = refusal({"NGINX_ACME_MODULE": str(tmp_path / "absent.so")})
    assert line.startswith("TLS_CERT_FILE is invalid: expected a file, because this nginx has no ACME module")


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("ACME_SERVER", "acme.test/dir"), ("ACME_SERVER", "https://a;"), ("ACME_EMAIL", "a b@c; d")],
)
def test_an_acme_server_that_is_none_is_refused(tmp_path: Path, name: str, wrong: str) -> None:
    (tmp_path / "acme.so").touch()
    assert refusal({"NGINX_ACME_MODULE": str(tmp_path / "acme.so"), name: wrong}).startswith(
        f"{name} is invalid"
    )


def test_nginx_is_told_where_to_get_a_certificate_and_for_which_names(tmp_path: Path) -> None:
    module = tmp_path / "acme.so"
    module.touch()
    settings = {
        "NGINX_ACME_MODULE": str(module),
        "ACME_SERVER": "https://acme.test/dir",
        "ACME_EMAIL": "me@site.test",
    }
    render.render(tmp_path, HOST | {"NGINX_RUN_DIR": str(tmp_path)} | settings)
    acme, site = (tmp_path / "acme.conf").read_text(), (tmp_path / "sidecar.conf").read_text()
    assert "uri https://acme.test/dir;" in acme
    assert "contact me@site.test;" in acme
    assert "acme_certificate corkboard site.test www.site.test;" in site
    # The module cannot be had here; up to it, nginx has nothing against the configuration.
    command = [
        binaries.nginx(),
        "-e",
        "stderr",
        "-p",
        str(tmp_path),
        "-c",
        str(tmp_path / "nginx.conf"),
        "-t",
    ]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert str(module) in answer.stderr.splitlines()[0]
