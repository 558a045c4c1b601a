"""The client's side of WebSocket: handshakes and frames, as plain bytes."""

from __future__ import annotations

import os
from collections.abc import Iterator

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


def upgrade(port: int, path: str, protocol: str = "") -> bytes:
    """A handshake, with a subprotocol if one is given."""
    head = f"Sec-WebSocket-Protocol: {protocol}\r\n" if protocol else ""
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{head}\r\n"
    ).encode()


def masked(opcode: int, payload: bytes) -> bytes:
    """A client's frame of at most 65,535 bytes."""
    key = os.urandom(4)
    body = bytes(byte ^ key[index % 4] for index, byte in enumerate(payload))
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else bytes([0xFE, *divmod(size, 256)])
    return bytes([0x80 | opcode]) + length + key + body


def reply(opcode: int, payload: bytes) -> bytes:
    """The frame that a client owes the server: a pong, also to a ping of Engine.IO; otherwise nothing."""
    if opcode == PING:
        return masked(PONG, payload)
    return masked(TEXT, b"3") if opcode == TEXT and payload == b"2" else b""


def parse(data: bytes) -> Iterator[tuple[int, bytes, int]]:
    """The complete frames at the start of `data`: opcode, payload, and where the next frame begins."""
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
