"""The client's side of the wire: requests and frames, as plain bytes."""

from __future__ import annotations

import os
from collections.abc import Iterator

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


def upgrade(port: int, path: str, protocol: str = "") -> bytes:
    """A WebSocket handshake, with a subprotocol if one is named."""
    head = f"Sec-WebSocket-Protocol: {protocol}\r\n" if protocol else ""
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        f"{head}\r\n"
    ).encode()


def get(port: int, path: str) -> bytes:
    """A request over a connection that stays."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()


def masked(opcode: int, payload: bytes) -> bytes:
    """A frame from a client, of at most 65,535 bytes."""
    key = os.urandom(4)
    body = bytes(byte ^ key[index % 4] for index, byte in enumerate(payload))
    size = len(payload)
    head = (
        bytes([0x80 | opcode, 0x80 | size])
        if size < 126
        else bytes([0x80 | opcode, 0xFE, *divmod(size, 256)])
    )
    return head + key + body


def reply(opcode: int, payload: bytes) -> bytes:
    """What a client has to answer, if anything: to a ping, also to one of Engine.IO's."""
    if opcode == PING:
        return masked(PONG, payload)
    return masked(TEXT, b"3") if opcode == TEXT and payload == b"2" else b""


def frames(data: bytes) -> Iterator[tuple[int, bytes, int]]:
    """The whole frames at the start of `data`: opcode, payload, and where the next one begins."""
    at, size = 0, len(data)
    while at + 2 <= size:
        length, start = data[at + 1] & 0x7F, at + 2
        if length == 126:
            length, start = int.from_bytes(data[start : start + 2]), start + 2
        elif length == 127:
            length, start = int.from_bytes(data[start : start + 8]), start + 8
        end = start + length
        if end > size or start > size:
            return
        yield data[at] & 0x0F, data[start:end], end
        at = end
