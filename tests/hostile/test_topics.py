"""A client that subscribes to topics that nobody else knows, as many as it can."""

from __future__ import annotations

import json
import secrets
import time
from contextlib import ExitStack

import pytest

from asgi_app import limits
from asgi_app.settings import Settings
from tests.harness.clients import wait_for
from tests.harness.local import LocalStack
from tests.harness.memory import MIB, memory
from tests.harness.sidecar import TEXT, RawSocket, frame, redis, replicas, total
from tests.harness.visitor import Visitor
from tests.hostile.conftest import ATTACKER

SOCKETS = 80
EACH = 90
SECONDS = 6
# What an address may bring into being in one process, and a few of the visitor's own.
MOST = limits.TOPICS_PER_SOCKET * int(Settings.model_fields["max_sockets_per_client"].default) + 50
COMMANDS_PER_SECOND = 15_000
LEFT_BYTES = 1024
# What the visitor and the metrics cost meanwhile.
NOISE_MIB = 1.5


def subscriptions(topic: str) -> bytes:
    """Almost as many as a connection may ask for in a second, in one piece."""
    return b"".join(
        frame(TEXT, json.dumps({"op": "subscribe", "topic": f"board:{topic}-{number}"}).encode())
        for number in range(EACH)
    )


@pytest.mark.usefixtures("remembers")
def test_topics_that_one_client_makes_up_are_few_and_cost_nothing_when_it_leaves(
    stack: LocalStack, visitor: Visitor
) -> None:
    floods = [subscriptions(secrets.token_hex(6)) for _ in range(SOCKETS)]
    # As many sockets without topics: what they cost a new process is not the topics'.
    with ExitStack() as clients:
        for _ in range(SOCKETS):
            clients.enter_context(RawSocket(stack.base_url, source=ATTACKER))
    small = memory(stack)
    idle = visitor.watch(2)
    with ExitStack() as clients, redis(stack) as admin:
        for flood in floods:
            clients.enter_context(RawSocket(stack.base_url, source=ATTACKER)).send(flood)
        time.sleep(SECONDS / 2)
        before, begun = admin.info("stats")["total_commands_processed"], time.monotonic()
        time.sleep(SECONDS / 2)
        commands = admin.info("stats")["total_commands_processed"] - before
        rate = commands / (time.monotonic() - begun)
        during = visitor.report()
        topics = [replica.number("topics") for replica in replicas(stack)]
    print(f"{topics} topics, {rate:.0f} commands a second")
    during.undisturbed(idle)
    assert max(topics) <= MOST
    assert rate < COMMANDS_PER_SECOND
    wait_for(lambda: total(stack, "topics") <= 50, "the topics to be forgotten")
    most = max(topics) * LEFT_BYTES / MIB + NOISE_MIB
    wait_for(lambda: grown(stack, small) <= most, f"at most {most:.1f} MiB more than in {small}", 20)


def grown(stack: LocalStack, before: dict[str, float]) -> float:
    """How many MiB the sidecar that grew most has more than before."""
    now = memory(stack)
    print({name: round(now[name] - before[name], 2) for name in before if name.startswith("asgi")})
    return max(now[name] - before[name] for name in before if name.startswith("asgi"))


def test_who_has_too_many_topics_is_told_and_keeps_those_it_has(stack: LocalStack) -> None:
    replica = replicas(stack)[0]
    with ExitStack() as clients:
        for _ in range(MOST // EACH + 1):
            client = clients.enter_context(RawSocket(replica.base_url, source=ATTACKER))
            client.send(subscriptions(secrets.token_hex(6)))
            if _refused(client):
                break
        else:
            pytest.fail("every topic was let in")
        client.say({"op": "ping"})
        assert client.message("pong")


def _refused(client: RawSocket) -> bool:
    """Reads an answer to each subscription."""
    answers = 0
    while answers < EACH:
        message = json.loads(client.expect(TEXT))
        if message["op"] == "error":
            assert message["code"] == "too_many_topics"
            return True
        answers += message["op"] == "subscribed"
    return False
