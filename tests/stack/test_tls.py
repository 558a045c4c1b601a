"""HTTPS with a certificate from files, as local processes and as containers."""

from __future__ import annotations

import json
import secrets
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from corkboard.client import Event, Refused, listen
from tests.harness.certificates import Authority
from tests.harness.clients import wait_for
from tests.harness.compose import ComposeStack, engine_missing
from tests.harness.local import LocalStack, free_port

NAME = "site.test"
OVERLAY = {"COMPOSE_FILE": "docker-compose.yml:docker-compose.tls.yml"}


@dataclass
class Site:
    """A stack that has a certificate for NAME."""

    plain_url: str
    port: int
    authority: Authority

    @property
    def netloc(self) -> str:
        return f"{NAME}:{self.port}"

    def handshake(self, context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
        """A connection whose certificate is checked against NAME."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        try:
            return (context or self.authority.context()).wrap_socket(connection, server_hostname=NAME)
        except BaseException:
            connection.close()
            raise

    def request(self, method: str, path: str, **options: object) -> httpx.Response:
        """One request that asks for NAME, and trusts the test's authority only."""
        url = f"https://127.0.0.1:{self.port}{path}"
        with httpx.Client(verify=self.authority.context(), trust_env=False, timeout=30) as client:
            asked = client.build_request(
                method,
                url,
                headers={"Host": self.netloc},
                extensions={"sni_hostname": NAME},
                **options,  # type: ignore[arg-type]
            )
            return client.send(asked)

    @contextmanager
    def listening(self, board: str) -> Iterator[ClientConnection]:
        """A socket by wss that has the server's word for its subscription, opened by a page of the site."""
        with connect(
            f"wss://{self.netloc}/ws?topic=board:{board}",
            sock=socket.create_connection(("127.0.0.1", self.port), timeout=30),
            ssl=self.authority.context(),
            origin=f"https://{self.netloc}",  # type: ignore[arg-type]
            proxy=None,
            open_timeout=30,
        ) as client:
            assert json.loads(client.recv(30))["op"] == "subscribed"
            yield client


@pytest.fixture(scope="module", params=["local", "compose"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """The whole stack, with TLS."""
    port = free_port()
    with Authority() as authority:
        authority.issue(NAME)
        settings = {"SITE_NAME": NAME, "HTTPS_PORT": str(port), "ASGI_REPLICAS": "1", **authority.settings()}
        if request.param == "compose" and (reason := engine_missing()):
            pytest.skip(reason)
        stack = LocalStack(settings) if request.param == "local" else ComposeStack(settings | OVERLAY)
        with stack:
            yield Site(stack.base_url, port, authority)


def test_the_certificate_is_the_sites_and_http2_is_spoken(site: Site) -> None:
    context = site.authority.context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with site.handshake(context) as connection:
        assert (connection.version(), connection.selected_alpn_protocol()) == ("TLSv1.3", "h2")
        # The preface with empty settings; the server's first frame is its settings.
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
        assert connection.recv(9)[3] == 4


def test_browsers_are_told_to_come_back_by_https(site: Site) -> None:
    assert site.request("GET", "/readyz").headers["strict-transport-security"] == "max-age=31536000"


@pytest.mark.parametrize("host", [NAME, "localhost", "127.0.0.1"])
def test_plain_http_leads_to_the_same_address_of_the_site(site: Site, host: str) -> None:
    with httpx.Client(trust_env=False, timeout=30) as client:
        answer = client.post(f"{site.plain_url}/b/main?a=%20b", headers={"Host": host})
    assert answer.status_code == 308
    assert answer.headers["location"] == f"https://{site.netloc}/b/main?a=%20b"
    assert "strict-transport-security" not in answer.headers


def test_plain_http_at_the_port_of_https_leads_there_too(site: Site) -> None:
    with httpx.Client(trust_env=False, timeout=30) as client:
        answer = client.get(f"http://127.0.0.1:{site.port}/a", headers={"Host": site.netloc})
    assert (answer.status_code, answer.headers["location"]) == (308, f"https://{site.netloc}/a")


def test_every_cookie_is_secure(site: Site) -> None:
    cookies = site.request("POST", "/api/tickets").headers.get_list("set-cookie")
    assert cookies
    assert all("; Secure" in cookie for cookie in cookies)


def test_an_event_arrives_by_wss(site: Site) -> None:
    board = f"tls-{secrets.token_hex(4)}"
    with site.listening(board) as listener:
        post_and_receive(site, listener, board)


@pytest.mark.parametrize(
    "ciphers", ["ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384", "ECDHE-ECDSA-AES128-CCM8"]
)
def test_weak_ciphers_are_refused(site: Site, ciphers: str) -> None:
    context = site.authority.context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
    site.handshake(context).close()
    context.set_ciphers(f"{ciphers}:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        site.handshake(context)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1], ids=["1.0", "1.1"])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_versions_of_tls_are_refused(site: Site, version: ssl.TLSVersion) -> None:
    context = site.authority.context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = version
    site.handshake(context).close()
    context.maximum_version = version
    with pytest.raises((ssl.SSLError, ConnectionError)):
        site.handshake(context)


def test_a_renewed_certificate_is_used_at_once_and_no_socket_ends_for_it(site: Site) -> None:
    board = f"tls-{secrets.token_hex(4)}"

    def serial() -> object:
        with site.handshake() as connection:
            return (connection.getpeercert() or {})["serialNumber"]

    with site.listening(board) as listener:
        before = serial()
        site.authority.issue(NAME)
        wait_for(lambda: serial() != before, "the new certificate", 10)
        post_and_receive(site, listener, board)


def test_the_python_client_listens_if_it_trusts_the_certificate(site: Site) -> None:
    board, url = f"tls-{secrets.token_hex(4)}", f"https://{site.netloc}"
    here = {"address": ("127.0.0.1", site.port), "proxy": None}
    with listen(url, [f"board:{board}"], ssl=site.authority.context(), **here) as stream:
        answer = site.request("POST", "/api/notes", json={"board": board, "text": "by TLS"})
        item = stream.receive(30)
        assert isinstance(item, Event)
        assert item.data == answer.json()
    with pytest.raises(Refused, match="certificate verify failed"):
        listen(url, [f"board:{board}"], **here).receive(30)


def post_and_receive(site: Site, listener: ClientConnection, board: str) -> None:
    """Posts a note, and waits until the socket has its event."""
    answer = site.request("POST", "/api/notes", json={"board": board, "text": "by TLS"})
    assert answer.status_code == 201
    while (message := json.loads(listener.recv(30)))["op"] != "event":
        pass
    assert message["data"] == answer.json()
