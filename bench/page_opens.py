"""A thousand browsers open a board at the same moment: page, styles and scripts, list, socket, first event.

A browser is one connection for HTTP, on which it asks for one thing after the other, and one for the socket.
It is done when it has received an event; one is written every `PAUSE_SECONDS` until the last one is done.
"""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import suppress
from dataclasses import dataclass

import httpx
import uvloop

from bench import machine
from bench.clients import Refused
from bench.frames import upgrade
from bench.http import NOTE

PAUSE_SECONDS = 0.1
PATIENCE_SECONDS = 60
LIMIT = 2**20  # bytes of an answer
FILES = re.compile(rb'(?:href|src)="(/[^"]+\.(?:css|js))"')
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
CURSOR = re.compile(rb'"cursor":"([^"]+)"')


@dataclass(frozen=True)
class Site:
    """Where the board is. `event` is in every event, and in nothing else that comes through the socket."""

    list: str
    socket: str  # CURSOR stands for that of the list
    event: bytes


OURS = Site(
    "/api/notes?board=main&order=position&shared=1", "/ws?topic=board:main&since=CURSOR", b'"op":"event"'
)
FASTAPI = Site("/api/notes", "/ws", b'"text":')


def measure(site: Site, port: int, browsers: int) -> dict[str, float]:
    """What `burst` measures, in a process of its own."""
    return machine.in_new_process(burst, site, port, browsers)


def burst(site: Site, port: int, browsers: int) -> dict[str, float]:
    """Seconds until all have opened the board, and milliseconds of single ones.

    Raises:
        Refused: one of them was, or they are not done in time.
    """
    try:
        return uvloop.run(_burst(site, port, browsers))
    except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError) as error:
        raise Refused(f"a browser could not open the board: {error!r}") from error


async def _burst(site: Site, port: int, browsers: int) -> dict[str, float]:
    begun = time.perf_counter()
    async with asyncio.timeout(PATIENCE_SECONDS):
        writing = asyncio.create_task(_write(port))
        try:
            moments = await asyncio.gather(*(_open(site, port) for _ in range(browsers)))
        finally:
            writing.cancel()
            with suppress(asyncio.CancelledError):
                await writing
    lists, events = (sorted(moment - begun for moment in each) for each in zip(*moments, strict=True))
    return {
        "seconds": events[-1],
        "p99_ms": events[int(browsers * 0.99)] * 1000,
        "p50_ms": events[browsers // 2] * 1000,
        "lists_per_second": browsers / lists[-1],
    }


async def _open(site: Site, port: int) -> tuple[float, float]:
    """When one browser had the list, and when it had an event."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=LIMIT)
    for name in FILES.findall(await _get(reader, writer, "/")):
        await _get(reader, writer, name.decode())
    cursor = CURSOR.search(await _get(reader, writer, site.list))
    has_list = time.perf_counter()
    writer.close()
    address = site.socket.replace("CURSOR", cursor[1].decode() if cursor else "")
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=LIMIT)
    writer.write(upgrade(port, address))
    head = await reader.readuntil(b"\r\n\r\n")
    if b" 101 " not in head[:20]:
        raise Refused(head.decode(errors="replace"))
    await reader.readuntil(site.event)
    has_event = time.perf_counter()
    writer.close()
    return has_list, has_event


async def _get(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> bytes:
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    length = LENGTH.search(head)
    if b" 200 " not in head[:20] or not length:
        raise Refused(f"{path}: {head.decode(errors='replace')}")
    return await reader.readexactly(int(length[1]))


async def _write(port: int) -> None:
    headers = {"Content-Type": "application/json"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client:
        while True:
            (await client.post("/api/notes", content=NOTE, headers=headers)).raise_for_status()
            await asyncio.sleep(PAUSE_SECONDS)
