"""Step 5. A tasks API as raw ASGI: what a framework does for every view, once by hand.

    uvicorn examples.step5_tasks_raw:app --timeout-graceful-shutdown 1
    curl -N http://127.0.0.1:8000/tasks/live                        # in another window: tasks as they come
    curl -d '{"title": "water the plants"}' -H 'Content-Type: application/json' http://127.0.0.1:8000/tasks
    curl 'http://127.0.0.1:8000/tasks?q=plants'
    python -m examples.clock 1 /tasks --listeners 500 --listen /tasks/live

Without that option the server would wait at shutdown for the clients that watch, and they do not leave.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

from starlette.types import Receive, Scope, Send

BODY_BYTES = 64 * 1024

tasks: dict[int, dict[str, Any]] = {}
# One queue per client that watches; None means that the client has left.
watching: set[asyncio.Queue[dict[str, Any] | None]] = set()


class Refused(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, detail: str, **headers: str) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers


class ClientLeft(Exception):
    """The client has left, so there is nobody to answer."""


async def list_tasks(scope: Scope, _receive: Receive, send: Send) -> None:
    """`GET /tasks?q=TEXT`: the tasks whose title contains the text."""
    wanted = parse_qs(scope["query_string"].decode("latin-1")).get("q", [""])[0].casefold()
    await _answer(send, 200, [task for task in tasks.values() if wanted in task["title"].casefold()])


async def create_task(scope: Scope, receive: Receive, send: Send) -> None:
    """`POST /tasks {"title": TEXT}`: creates a task, and sends it to all clients that watch."""
    if _header(scope, b"content-type").partition(b";")[0].strip().lower() != b"application/json":
        raise Refused(415, "Send application/json.")
    try:
        given = json.loads(await _body(receive))
    except (ValueError, RecursionError):  # not UTF-8, not JSON, or nested too deeply
        raise Refused(400, "The body is not JSON.") from None
    if not (isinstance(given, dict) and isinstance(given.get("title"), str) and given["title"].strip()):
        raise Refused(400, 'A task is an object with a "title".')
    task = {"id": len(tasks) + 1, "title": given["title"].strip()}
    tasks[len(tasks) + 1] = task
    for queue in watching:
        queue.put_nowait(task)
    await _answer(send, 201, task, location=f"/tasks/{task['id']}")


async def get_task(scope: Scope, _receive: Receive, send: Send) -> None:
    """`GET /tasks/ID`: one task."""
    task = tasks.get(int(scope["path"].rpartition("/")[2]))
    if task is None:
        raise Refused(404, "There is no such task.")
    await _answer(send, 200, task)


async def watch_tasks(_scope: Scope, receive: Receive, send: Send) -> None:
    """`GET /tasks/live`: a line per task, also of tasks to come, until the client leaves."""
    queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
    for task in tasks.values():
        queue.put_nowait(task)

    async def notice_leaving() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        queue.put_nowait(None)

    watching.add(queue)
    notice = asyncio.create_task(notice_leaving())
    try:
        await send(_start(200, "application/x-ndjson"))
        while (next_task := await queue.get()) is not None:
            line = json.dumps(next_task).encode() + b"\n"
            await send({"type": "http.response.body", "body": line, "more_body": True})
    finally:
        watching.discard(queue)
        notice.cancel()
        print(f"a client left, {len(watching)} still watching", flush=True)


Handler = Callable[[Scope, Receive, Send], Awaitable[None]]
ROUTES: list[tuple[re.Pattern[str], dict[str, Handler]]] = [
    (re.compile(r"/tasks"), {"GET": list_tasks, "POST": create_task}),
    (re.compile(r"/tasks/live"), {"GET": watch_tasks}),
    (re.compile(r"/tasks/[0-9]{1,9}"), {"GET": get_task}),
]


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Calls the handler of the path. `Refused` becomes an answer; a client that has left gets none."""
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])  # to a server this means "no lifespan"
    try:
        await _handler(scope)(scope, receive, send)
    except Refused as refused:
        await _answer(send, refused.status, {"detail": refused.detail}, **refused.headers)
    except ClientLeft:
        pass


def _handler(scope: Scope) -> Handler:
    for pattern, methods in ROUTES:
        if pattern.fullmatch(scope["path"]):
            if scope["method"] not in methods:
                raise Refused(405, "This method is not allowed.", allow=", ".join(methods))
            return methods[scope["method"]]
    raise Refused(404, "There is nothing here.")


async def _body(receive: Receive) -> bytes:
    """The whole body. It arrives in pieces of any size, and may stop in the middle."""
    body = bytearray()
    while (message := await receive())["type"] == "http.request":
        body += message.get("body", b"")
        if len(body) > BODY_BYTES:
            raise Refused(413, "The body is over 64 KiB.", connection="close")
        if not message.get("more_body"):
            return bytes(body)
    raise ClientLeft


def _header(scope: Scope, name: bytes) -> bytes:
    values: list[bytes] = [value for key, value in scope["headers"] if key == name]
    return values[0] if values else b""


def _start(status: int, content_type: str, **headers: str) -> dict[str, Any]:
    pairs = {"content-type": content_type, **headers}.items()
    return {
        "type": "http.response.start",
        "status": status,
        "headers": [(key.encode(), value.encode()) for key, value in pairs],
    }


async def _answer(send: Send, status: int, data: Any, **headers: str) -> None:
    body = json.dumps(data).encode()
    await send(_start(status, "application/json", **{"content-length": str(len(body))}, **headers))
    await send({"type": "http.response.body", "body": body})
