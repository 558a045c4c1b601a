"""The benchmarks parse the output of wrk and WebSocket frames correctly."""

from __future__ import annotations

import re

import pytest

from bench import frames, http

WRK = """Running 4s test @ http://127.0.0.1:8080/api/notes
  1 threads and 32 connections
  Latency Distribution
     50%    8.51ms
     75%   10.00ms
     90%  812.00us
     99%    1.20s
  4000 requests in 4.00s, 1.00MB read
Requests/sec:   1000.50
Transfer/sec:    256.00KB
"""


def test_the_numbers_of_wrk_are_parsed_with_their_units() -> None:
    assert http.parsed(WRK, used=2.0, elapsed=4.0) == {
        "requests_per_second": 1000.5,
        "p50_ms": 8.51,
        "p90_ms": 0.812,
        "p99_ms": 1200.0,
        "cpu_seconds_per_1000": 0.5,
        "busy": 0.5,
    }


@pytest.mark.parametrize("trouble", ["Non-2xx or 3xx responses: 12", "Socket errors: connect 0, read 3"])
def test_a_run_in_which_wrk_saw_errors_is_not_a_measurement(trouble: str) -> None:
    with pytest.raises(RuntimeError, match=re.escape(trouble)):
        http.parsed(f"{WRK}\n  {trouble}", used=2.0, elapsed=4.0)


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536])
def test_frames_of_any_size_are_parsed_and_incomplete_ones_are_left(size: int) -> None:
    payload = b"x" * size
    lengths = [bytes([size])] if size < 126 else [b"\x7e" + size.to_bytes(2, "big")] if size < 65536 else []
    head = b"\x81" + (lengths[0] if lengths else b"\x7f" + size.to_bytes(8, "big"))
    whole = head + payload
    half = b"\x8a\x05abc"
    assert list(frames.parse(whole + whole + half)) == [
        (frames.TEXT, payload, len(whole)),
        (frames.TEXT, payload, 2 * len(whole)),
    ]
    assert all(
        not list(frames.parse(whole[:end]))
        for end in {0, 1, len(head) - 1, len(whole) - 1}
        if end < len(whole)
    )


@pytest.mark.parametrize("payload", [b"", b"hello", b"y" * 300])
def test_a_masked_frame_has_the_length_in_its_header(payload: bytes) -> None:
    frame = frames.masked(frames.TEXT, payload)
    start = 2 if len(payload) < 126 else 4
    key, body = frame[start : start + 4], frame[start + 4 :]
    assert frame[1] & 0x80
    assert bytes(byte ^ key[index % 4] for index, byte in enumerate(body)) == payload


def test_pings_are_answered_also_those_of_engine_io() -> None:
    assert frames.reply(frames.PING, b"x")[0] & 0x0F == frames.PONG
    assert frames.reply(frames.TEXT, b"2")
    assert not frames.reply(frames.TEXT, b"an event")
