"""What the doctor says of a proxy that is not ours and stands in front of the site."""

from __future__ import annotations

import json
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from corkboard.doctor import TOPIC
from tests.harness.redis_server import RedisServer
from tests.kit.test_shell import corkboard

SOUND = {"/ws/readyz": 200, "/ws/poll": 200, "/ws": 101, "/": 200}


@contextmanager
def site(server: RedisServer, statuses: dict[str, int], certificate: Path | None = None) -> Iterator[str]:
    """A site whose paths answer with these statuses; polls give the events of the server."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status = {**SOUND, **statuses}[self.path.partition("?")[0]]
            body = json.dumps({"events": server.events(TOPIC)}).encode()
            self.send_response(status)
            if self.path == "/":
                self.send_header("Set-Cookie", "session=1; HttpOnly")
            if status != 101:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if status != 101:
                self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            http.socket = context.wrap_socket(http.socket, server_side=True)
        threading.Thread(target=http.serve_forever, daemon=True).start()
        try:
            yield f"{'https' if certificate else 'http'}://127.0.0.1:{http.server_port}"
        finally:
            http.shutdown()


def examined(server: RedisServer, url: str, **environment: str) -> tuple[int, str]:
    done = corkboard("doctor", "--site", url, CORKBOARD_ENV_FILE=str(server.app_env), **environment)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout


def test_a_site_that_does_all_of_it_is_well(server: RedisServer) -> None:
    with site(server, {}) as url:
        code, said = examined(server, url)
    assert code == 0, said


@pytest.mark.parametrize(
    ("statuses", "advice"),
    [
        ({"/ws/readyz": 404}, "a proxy must pass /ws and all below it"),
        ({"/ws/readyz": 503}, "its sidecar is not ready"),
        ({"/ws/poll": 401}, "refuses this app's tickets"),
        ({"/ws/poll": 500}, "the event did not arrive"),
        ({"/ws": 400}, "pass on the headers Upgrade and Connection"),
        ({"/ws": 200}, "pass on the headers Upgrade and Connection"),
        ({"/": 502}, "is the app itself running?"),
    ],
)
def test_what_a_proxy_does_wrong_is_named(server: RedisServer, statuses: dict[str, int], advice: str) -> None:
    with site(server, statuses) as url:
        code, said = examined(server, url)
    assert code == 1
    assert advice in said.splitlines()[-1]


def test_a_cookie_that_any_network_sees_is_named_where_the_site_has_tls(
    server: RedisServer, tmp_path: Path
) -> None:
    certificate = tmp_path / "both.pem"
    words = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -keyout key -out cert"
    name = ["-addext", "subjectAltName=IP:127.0.0.1"]
    made = subprocess.run([*words.split(), *name], cwd=tmp_path, capture_output=True, check=False)
    if made.returncode:
        pytest.skip("no openssl that makes a certificate")
    certificate.write_bytes((tmp_path / "key").read_bytes() + (tmp_path / "cert").read_bytes())
    with site(server, {}, certificate) as url:
        code, said = examined(server, url)
        assert code == 1
        assert "no certificate that this machine trusts" in said
        code, said = examined(server, url, SSL_CERT_FILE=str(tmp_path / "cert"))
    assert code == 1
    assert "TRUSTED_PROXIES" in said
