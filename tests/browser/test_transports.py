"""realtime.js: whatever the network lets through, every event arrives once and in order."""

from __future__ import annotations

import json
import re
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Page, Route, WebSocketRoute, expect

from tests.harness.cable import Cable
from tests.harness.wall import expect_transport, note, texts, write

if TYPE_CHECKING:
    from tests.browser.conftest import OpenWall, Pin
    from tests.harness.local import LocalStack

pytestmark = pytest.mark.browser


def test_three_pages_on_two_replicas_see_every_change_in_the_same_order(open_wall: OpenWall) -> None:
    heard: list[list[str]] = [[], [], []]
    subscribed: list[list[str]] = []

    def listen(to: list[str]) -> Any:
        answers: list[str] = []
        subscribed.append(answers)

        def on_frame(frame: str | bytes) -> None:
            message = json.loads(frame)
            if message["op"] == "event":
                to.append(f"{message['id']} {message['data']['text']}")
            elif message["op"] == "subscribed":
                answers.append(message["cursor"])

        return lambda page: page.on("websocket", lambda socket: socket.on("framereceived", on_frame))

    pages = [open_wall(prepare=listen(to)) for to in heard]
    for page in pages:
        expect(page.get_by_text("3 people here")).to_be_attached()
        page.mouse.move(300, 300)
    # A page says who it is by subscribing again. What is on its way just then comes twice, and is shown once.
    for _ in range(200):
        if all(len(answers) == 2 for answers in subscribed):
            break
        pages[0].wait_for_timeout(100)
    for number in range(5):
        for name, page in zip("ABC", pages, strict=True):
            write(page, f"{name}{number}")
    for page in pages:
        expect(page.get_by_role("listitem")).to_have_count(15)
        expect(page.get_by_text("Waiting to be sent")).to_have_count(0)
    for _ in range(200):
        # A note's own page may have the answer before the event.
        if all(len(frames) >= 15 for frames in heard):
            break
        pages[0].wait_for_timeout(100)
    order = texts(pages[0]).all_inner_texts()
    assert [texts(page).all_inner_texts() for page in pages] == [order] * 3
    assert heard[0] == heard[1] == heard[2]
    assert len(heard[0]) == 15


def test_a_page_falls_back_from_websocket_to_stream_to_polls_and_climbs_back(
    open_wall: OpenWall, pin: Pin, cable: Cable
) -> None:
    page = open_wall(cable.base_url)
    expect_transport(page, "WebSocket")
    cable.block("/ws")
    pin("One")
    expect_transport(page, "event stream")
    pin("Two")
    expect(texts(page)).to_have_text(["Two", "One"])
    cable.block("/ws", "/ws/events")
    pin("Three")
    expect_transport(page, "polling")
    pin("Four")
    expect(texts(page)).to_have_text(["Four", "Three", "Two", "One"])
    cable.free()
    expect_transport(page, "WebSocket", 40)
    pin("Five")
    expect(texts(page)).to_have_text(["Five", "Four", "Three", "Two", "One"])


def test_a_stream_that_does_not_flow_gives_way_to_polls(open_wall: OpenWall, pin: Pin, cable: Cable) -> None:
    cable.block("/ws", "/ws/events", swallow=True)
    page = open_wall(cable.base_url, wait=False)
    expect_transport(page, "polling", 40)
    pin("Through the last gap")
    expect(note(page, "Through the last gap")).to_be_visible()


def test_a_websocket_that_is_cut_at_once_gives_way_to_the_stream(open_wall: OpenWall, pin: Pin) -> None:
    def cut(page: Page) -> None:
        page.route_web_socket(re.compile("/ws$"), lambda socket: socket.close(code=1001))

    page = open_wall(prepare=cut)
    expect_transport(page, "event stream")
    pin("By stream")
    expect(note(page, "By stream")).to_be_visible()


def test_pages_go_on_without_a_gap_when_the_sidecar_is_replaced(
    open_wall: OpenWall, pin: Pin, stack: LocalStack
) -> None:
    pages = []
    with ExitStack() as cables:
        for transport, blocked in (
            ("WebSocket", ()),
            ("event stream", ("/ws",)),
            ("polling", ("/ws", "/ws/events")),
        ):
            cable = cables.enter_context(Cable(stack.base_url))
            cable.block(*blocked)
            pages.append(open_wall(cable.base_url))
            expect_transport(pages[-1], transport)
        deploy = threading.Thread(target=stack.parts.recreate, args=("asgi",))
        deploy.start()
        pinned: list[str] = []
        try:
            while deploy.is_alive():
                pin(f"Note {len(pinned)}")
                pinned.insert(0, f"Note {len(pinned)}")
                deploy.join(0.3)
        finally:
            deploy.join()
        assert len(pinned) > 1
        for page in pages:
            expect(texts(page)).to_have_text(pinned, timeout=30_000)


def test_a_page_comes_back_when_the_sidecar_was_killed(
    open_wall: OpenWall, pin: Pin, stack: LocalStack
) -> None:
    page = open_wall()
    stack.scale("asgi", 1)
    try:
        stack.parts.kill("asgi")
        pin("While it was dead")
        expect(note(page, "While it was dead")).to_be_visible(timeout=30_000)
    finally:
        stack.scale("asgi", 2)


def test_a_page_that_missed_two_hundred_events_is_right_at_once(
    open_wall: OpenWall, pin: Pin, cable: Cable
) -> None:
    page = open_wall(cable.base_url)
    cable.cut()
    expect(page.get_by_text("Reconnecting", exact=True)).to_be_visible()
    for number in range(200):
        pin(f"Missed {number}")
    cable.mend()
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(texts(page)).to_have_text([f"Missed {number}" for number in reversed(range(200))])


def test_a_page_shows_what_is_there_when_redis_was_emptied(
    open_wall: OpenWall, pin: Pin, stack: LocalStack
) -> None:
    page = open_wall()
    pin("Gone with the disk")
    expect(note(page, "Gone with the disk")).to_be_visible()
    stack.redis_cli("FLUSHALL")
    pin("A new beginning")
    expect(texts(page)).to_have_text(["A new beginning"], timeout=30_000)
    write(page, "And on it goes")
    expect(texts(page)).to_have_text(["And on it goes", "A new beginning"])


class Server:
    """Stands between page and sidecar, and may close the socket with a code of its choice."""

    def __init__(self) -> None:
        self.sockets: list[WebSocketRoute] = []

    def attach(self, page: Page) -> None:
        def pass_on(socket: WebSocketRoute) -> None:
            socket.connect_to_server()
            self.sockets.append(socket)

        page.route_web_socket(re.compile("/ws$"), pass_on)


@pytest.mark.parametrize("code", [1012, 1013])
def test_a_page_that_was_told_to_come_back_comes_back(open_wall: OpenWall, pin: Pin, code: int) -> None:
    server = Server()
    page = open_wall(prepare=server.attach)
    server.sockets[0].close(code=code)
    pin("Meanwhile")
    expect(note(page, "Meanwhile")).to_be_visible()
    assert len(server.sockets) == 2


def test_an_expired_ticket_is_renewed(open_wall: OpenWall, pin: Pin) -> None:
    server = Server()
    page = open_wall(prepare=server.attach)
    with page.expect_response("**/api/tickets") as renewed:
        server.sockets[0].close(code=4401)
    assert renewed.value.status == 201
    pin("With a new ticket")
    expect(note(page, "With a new ticket")).to_be_visible()


def test_a_page_whose_access_was_revoked_stays_away(open_wall: OpenWall) -> None:
    server = Server()
    page = open_wall(prepare=server.attach)
    server.sockets[0].close(code=4403)
    expect(page.get_by_text("No access", exact=True)).to_be_visible()
    page.evaluate("dispatchEvent(new Event('online'))")
    page.wait_for_timeout(1500)
    assert len(server.sockets) == 1


def test_waking_up_finds_out_at_once_that_the_path_is_dead(open_wall: OpenWall, pin: Pin) -> None:
    sockets: list[WebSocketRoute] = []
    muted: list[bool] = []

    def pass_on(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        first = not sockets
        sockets.append(socket)
        server.on_message(lambda message: None if first and muted else socket.send(message))

    page = open_wall(prepare=lambda page: page.route_web_socket(re.compile("/ws$"), pass_on))
    muted.append(True)
    pin("While asleep")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    # By itself it would ask after some 20 s.
    expect(note(page, "While asleep")).to_be_visible(timeout=12_000)


def test_the_stream_and_the_polls_wait_as_long_as_the_server_says(open_wall: OpenWall, cable: Cable) -> None:
    cable.block("/ws")
    asked: list[float] = []

    def busy(route: Route) -> None:
        asked.append(time.monotonic())
        route.fulfill(status=503, headers={"Retry-After": "3"}, json={"detail": "Busy."})

    def attach(page: Page) -> None:
        page.route("**/ws/events?*", busy, times=1)

    page = open_wall(cable.base_url, prepare=attach, wait=False)
    expect_transport(page, "event stream")
    (refused,) = asked
    assert time.monotonic() - refused >= 3
