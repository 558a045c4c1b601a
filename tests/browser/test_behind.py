"""A wall that nothing can reach says so, and never says otherwise."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.harness.clients import frozen_redis
from tests.harness.wall import texts, write

if TYPE_CHECKING:
    from tests.browser.conftest import OpenWall, Pin
    from tests.harness.local import LocalStack

pytestmark = pytest.mark.browser


def test_while_redis_is_frozen_the_wall_says_since_when_it_is_not_up_to_date(
    open_wall: OpenWall, pin: Pin, stack: LocalStack
) -> None:
    pin("Before")
    page = open_wall()
    with frozen_redis(stack):
        status = page.locator("#status")
        expect(status).to_have_text(re.compile(r"^Not up to date since \d\d?:\d\d"), timeout=60_000)
        write(page, "Meanwhile")
        expect(page.locator("#message")).to_have_text(
            re.compile("(cannot|does not) answer.* What you did is kept here, and is sent by itself."),
            timeout=60_000,
        )
        expect(status).not_to_contain_text("Live")
    expect(page.get_by_text("Live", exact=True)).to_be_visible(timeout=60_000)
    expect(texts(page)).to_have_text(["Meanwhile", "Before"], timeout=60_000)
    expect(page.get_by_text("Waiting to be sent")).to_have_count(0)
    expect(page.locator("#message")).to_have_text("")
