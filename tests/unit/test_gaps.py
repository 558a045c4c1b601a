"""Who waits for a topic to be compared is answered, also when another reader gets the topic meanwhile."""

from __future__ import annotations

import asyncio
from unittest.mock import MagicMock

from redis.exceptions import MovedError

from asgi_app.topics import store
from asgi_app.topics.cursor import Cursor
from asgi_app.topics.gaps import Gaps
from asgi_app.topics.topic import Topic

HERE = (Cursor("new", 0), [])


class Server:
    """Answers about one topic when it is told to."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.answer: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        questions = MagicMock(store, read_many=self._read_many)
        self.gaps = Gaps(MagicMock(), questions)
        self.gaps.on_elsewhere = MagicMock()

    async def _read_many(self, *_: object) -> list[object]:
        self.asked.set()
        return [await self.answer]


def test_a_topic_that_goes_to_another_reader_takes_those_along_who_wait_for_an_answer() -> None:
    moved = MovedError("1 127.0.0.1:2")
    for late in (moved, (Cursor("old", 7), [])):

        async def run(late: object = late) -> Cursor | None:
            before, after, topic = Server(), Server(), Topic("a")
            waiting = asyncio.create_task(before.gaps.compared("a"))
            filling = asyncio.create_task(before.gaps.fill([topic]))
            await before.asked.wait()
            again = asyncio.create_task(before.gaps.compared("a"))
            await asyncio.sleep(0)
            before.gaps.remove("a")
            after.gaps.take_over("a", before.gaps.hand_over("a"))
            after.answer.set_result(HERE)
            await after.gaps.fill([topic])
            await asyncio.gather(waiting, again)
            # What the first server says after that is of no interest any more.
            before.answer.set_result(late)
            await filling
            assert not before.gaps.hand_over("a")
            return topic.position

        assert asyncio.run(run()) == HERE[0]
