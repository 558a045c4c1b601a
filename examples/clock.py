"""Times requests that are sent at the same moment, on demand while others listen.

    python -m examples.clock 40
    python -m examples.clock 1 --listeners 4 --listen /events

It uses plain sockets, so that it measures the server and not an HTTP client.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urljoin, urlsplit

SITE = "http://127.0.0.1:8000/"
# How long a listener waits for its first bytes. A server that has no thread for it never sends any.
SETTLE_SECONDS = 1.0


async def at_once(url: str, count: int, patience: float = 60.0) -> list[float]:
    """Sends `count` requests. Returns the seconds until the end of each answer, shortest first.

    Requests that are not answered with a 200 within `patience` seconds are left out.
    """
    answers = await asyncio.gather(*(_answer(url, patience) for _ in range(count)))
    return sorted(seconds for seconds in answers if seconds is not None)


@asynccontextmanager
async def listeners(url: str, count: int) -> AsyncIterator[None]:
    """Keeps `count` requests open whose answers do not end."""
    streams = await asyncio.gather(*(_ask(url) for _ in range(count)))
    welcomes = [asyncio.Event() for _ in streams]
    holds = [
        asyncio.create_task(_hold(*stream, welcome))
        for stream, welcome in zip(streams, welcomes, strict=True)
    ]
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_SECONDS):
                for welcome in welcomes:
                    await welcome.wait()
        yield
    finally:
        for hold in holds:
            hold.cancel()
        await asyncio.gather(*holds, return_exceptions=True)


async def _hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, welcome: asyncio.Event) -> None:
    try:
        while await reader.read(65536):
            welcome.set()
    finally:
        writer.close()


async def _ask(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port or 80)
    target = f"{address.path or '/'}?{address.query}"
    writer.write(f"GET {target} HTTP/1.1\r\nHost: {address.netloc}\r\nConnection: close\r\n\r\n".encode())
    return reader, writer


async def _answer(url: str, patience: float) -> float | None:
    started = time.perf_counter()
    try:
        async with asyncio.timeout(patience):
            reader, writer = await _ask(url)
            try:
                status = await reader.readline()
                await reader.read()
            finally:
                writer.close()
    except (TimeoutError, ConnectionResetError):
        return None
    return time.perf_counter() - started if b" 200 " in status else None


async def _main() -> None:
    parser = argparse.ArgumentParser(description="Times requests that are sent at the same moment.")
    parser.add_argument("count", type=int, help="the number of requests")
    parser.add_argument("path", nargs="?", default="/", help="a path, or a whole URL (default: /)")
    parser.add_argument("--listeners", type=int, default=0, help="requests kept open meanwhile (default: 0)")
    parser.add_argument("--listen", default="/", metavar="PATH", help="the path of those (default: /)")
    parser.add_argument(
        "--patience", type=float, default=60, help="seconds to wait for answers (default: 60)"
    )
    given = parser.parse_args()
    url = urljoin(SITE, given.path)
    try:
        async with listeners(urljoin(url, given.listen), given.listeners):
            seconds = await at_once(url, given.count, given.patience)
    except OSError as error:
        raise SystemExit(
            f"{url} cannot be reached ({error.strerror}): start a step in another window"
        ) from None
    if seconds:
        print(
            f"{len(seconds)} of {given.count} answered: first after {seconds[0]:.2f} s,"
            f" median {statistics.median(seconds):.2f} s, last {seconds[-1]:.2f} s"
        )
    if len(seconds) < given.count:
        raise SystemExit(f"{given.count - len(seconds)} not answered with 200 within {given.patience:g} s")


if __name__ == "__main__":
    asyncio.run(_main())
