"""What the app, the sidecar, nginx and Redis must agree on, although none of them imports another."""

from __future__ import annotations

import re

import pytest
import yaml

import asgi_app.settings
import asgi_app.tickets
import corkboard.settings
import corkboard.tickets
import wsgi_app.app
import wsgi_app.tickets
from asgi_app import limits
from asgi_app.topics import keys
from corkboard.listen import TOPICS as TOPICS_PER_PAGE
from corkboard.publish import TOPIC
from local.services import Service
from local.settings import ROOT

BASE = yaml.safe_load((ROOT / "docker-compose.base.yml").read_text())["services"]["server"]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
FUNCTIONS = (ROOT / "corkboard" / "functions.lua").read_text()
# "user NAME on ~KEYS* %R~KEYS* &CHANNEL* ..."
RULES = {line.split()[1]: line.split() for line in (ROOT / "redis" / "users.acl").read_text().splitlines()}


def nginx(template: str, directive: str) -> set[str]:
    """All values of a directive."""
    text = (ROOT / "nginx" / "templates" / f"{template}.conf.template").read_text()
    return set(re.findall(rf"^ *{directive} ([^;]+);", text, re.MULTILINE))


def seconds(text: str) -> float:
    assert text.endswith("s")
    return float(text[:-1])


def test_the_ticket() -> None:
    assert wsgi_app.tickets.COOKIE == asgi_app.tickets.COOKIE
    assert corkboard.tickets.ALGORITHM == asgi_app.tickets.ALGORITHM
    assert corkboard.tickets.ME_BYTES == limits.ME_BYTES
    assert corkboard.settings.KEY_CHARACTERS == asgi_app.settings.KEY_CHARACTERS


def test_what_a_topic_is() -> None:
    assert f"^{TOPIC.pattern}$" == keys.TOPIC_PATTERN


def test_the_keys_and_channels_of_a_topic() -> None:
    # Each is written as 'NAME:{' .. topic .. '}'.
    written = {
        f"{name}:{{T}}" for name in re.findall(r"'([a-z]+):\{' \.\. \w+(?:\.\w+)? \.\. '\}'", FUNCTIONS)
    }
    assert {keys.position("T"), keys.stream("T"), keys.channel("T")} <= written
    assert keys.topic_of(keys.channel("T").encode()) == "T"
    assert f"redis.call('PUBLISH', '{keys.CONTROL}'" in FUNCTIONS
    assert f"{keys.REVOKED}, a zset" in FUNCTIONS
    assert keys.whispers("T") in FUNCTIONS
    assert f"{keys.PROCESSES}, and {keys.counts('PROCESS')}: topic" in FUNCTIONS


@pytest.mark.parametrize(
    ("user", "rule", "name"),
    [
        *(("app", "~", name) for name in (keys.position("T"), keys.stream("T"), keys.REVOKED)),
        *(("asgi", "%R~", name) for name in (keys.position("T"), keys.stream("T"), keys.REVOKED)),
        *(("asgi", "~", name) for name in (keys.PROCESSES, keys.counts("P"), keys.presence("T"))),
        ("asgi", "&", keys.whispers("T")),
        *((user, "&", name) for user in ("app", "asgi") for name in (keys.channel("T"), keys.CONTROL)),
    ],
)
def test_each_user_of_redis_may_use_what_its_service_uses(user: str, rule: str, name: str) -> None:
    pattern = f"{name.partition(':')[0]}:*" if ":" in name else name
    assert f"{rule}{pattern}" in RULES[user]


def test_the_largest_body_and_the_largest_message() -> None:
    (largest,) = nginx("site-demo", "client_max_body_size")
    assert largest == f"{wsgi_app.app.BODY_BYTES // 1024}k"
    assert limits.MESSAGE_BYTES == wsgi_app.app.BODY_BYTES


def test_an_idle_connection_is_closed_by_nginx_first() -> None:
    gunicorn = (ROOT / "wsgi_app" / "gunicorn.conf.py").read_text()
    (app,) = re.findall(r"^keepalive = (\d+)", gunicorn, re.MULTILINE)
    (sidecar,) = nginx("proxy", "keepalive_timeout")
    (demo,) = nginx("site-demo", "keepalive_timeout")
    assert seconds(sidecar) < limits.KEEP_ALIVE_SECONDS
    assert seconds(demo) < float(app)


def test_nginx_waits_longer_for_a_sign_of_life_than_the_sidecar_takes_to_give_one() -> None:
    quiet = max(limits.PING_SECONDS * 1.25 + limits.PONG_SECONDS, limits.IDLE_SECONDS, limits.POLL_SECONDS)
    # A script is answered at once.
    assert min(map(seconds, nginx("sidecar", "proxy_read_timeout") - {"2s"})) > quiet


def test_a_service_that_is_told_to_stop_may_finish_before_it_is_killed() -> None:
    gunicorn = (ROOT / "wsgi_app" / "gunicorn.conf.py").read_text()
    (requests,) = re.findall(r"^graceful_timeout = (\d+)", gunicorn, re.MULTILINE)
    drain = limits.DRAIN_SECONDS + limits.LAST_SECONDS
    killed = min(seconds(BASE["stop_grace_period"]), Service.stop_seconds)
    assert "stop_grace_period" not in {*COMPOSE["wsgi"], *COMPOSE["asgi"]}
    assert max(int(requests), drain) < killed


def test_each_service_listens_where_the_others_look_for_it() -> None:
    host, port = str(wsgi_app.settings.Settings.model_fields["wsgi_bind"].default).split(":")
    assert host == "0.0.0.0"
    assert COMPOSE["nginx"]["environment"]["APP_SERVER"].endswith(f"wsgi:{port}}}")
    assert COMPOSE["wsgi"]["healthcheck"]["test"][-2] == port
    sidecar = str(asgi_app.settings.Settings.model_fields["asgi_port"].default)
    assert COMPOSE["nginx"]["environment"]["ASGI_SERVERS"] == f"asgi:{sidecar}"
    assert COMPOSE["asgi"]["healthcheck"]["test"][-2] == sidecar


@pytest.mark.parametrize("service", ["wsgi", "asgi"])
def test_each_service_makes_its_sockets_where_nginx_looks_for_them_and_nginx_makes_none(service: str) -> None:
    given = dict(volume.split(":", 1) for volume in COMPOSE["nginx"]["volumes"])
    folder, _, mode = given[f"{service}-sockets"].partition(":")
    name = {"wsgi": "APP_SOCKETS", "asgi": "ASGI_SOCKETS"}[service]
    assert COMPOSE["nginx"]["environment"][name].rpartition("/")[0] == folder
    assert mode == "ro"
    own = COMPOSE[service]["environment"]["SOCKET_FOLDER"]
    assert f"{service}-sockets:{own}" in COMPOSE[service]["volumes"]
    assert service == "wsgi" or COMPOSE[service]["environment"]["SOCKET_SLOTS"] == "${ASGI_REPLICAS:-2}"


def test_a_page_may_listen_to_what_a_connection_may_subscribe_to() -> None:
    assert TOPICS_PER_PAGE == limits.CONNECTION_TOPICS <= limits.MESSAGES_PER_SECOND


def test_the_browser_sends_fewer_messages_at_once_than_a_connection_may() -> None:
    script = (ROOT / "asgi_app" / "client" / "socket.js").read_text()
    (burst,) = re.findall(r"^const BURST = (\d+);", script, re.MULTILINE)
    assert int(burst) < limits.MESSAGES_PER_SECOND
