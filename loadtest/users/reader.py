"""A user who reads lists."""

from __future__ import annotations

from locust import FastHttpUser, between, task

from loadtest import options, target
from loadtest.users import api


class Reader(FastHttpUser):
    """Reads about once per second: lists, unchanged lists, and now and then a search."""

    weight = 2
    wait_time = between(0.5, 1.5)

    def on_start(self) -> None:
        """Chooses a room."""
        self.room = options.random_room(self.environment)
        self.etag: str | None = None

    @task(2)
    def look_again(self) -> None:
        """Reads an unchanged list: a 304, which has a line of its own in the report."""
        with api.ask(self.client, target.quiet_listing(), etag=self.etag) as answer:
            if answer.status_code == 304:
                answer.request_meta["name"] += " 304"
                answer.success()
            elif api.succeeded(answer):
                self.etag = answer.headers.get("ETag")

    @task(2)
    def look(self) -> None:
        """Reads the list of a busy room."""
        with api.ask(self.client, target.listing(self.room)) as answer:
            api.succeeded(answer)

    @task(1)
    def search(self) -> None:
        """Searches for a word."""
        with api.ask(self.client, target.searching(self.room)) as answer:
            api.succeeded(answer)
