"""How long a client waits, for what."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

# A connection that lived this long was a good one: the next failure is the first again.
GOOD_AFTER_SECONDS = 5.0
# After a close that blames this client: coming back at once would repeat it.
LONG_WAIT_SECONDS = 60.0
# 2 to the power of this is more than any cap.
MOST_DOUBLINGS = 30


@dataclass(frozen=True)
class Timing:
    """Seconds. The defaults are those of the browser's client.

    Attributes:
        ping_every: between two pings, give or take a fifth.
        answer_within: a ping that is not answered so soon means that the connection is dead.
        open_within: for a handshake.
        backoff_base: the client comes back after a random delay, up to this after the first failure. The
            bound doubles with each further one.
        backoff_cap: what that bound never exceeds.

    Raises:
        ValueError: one is not above 0, or `backoff_base` exceeds `backoff_cap`.
    """

    ping_every: float = 15.0
    answer_within: float = 8.0
    open_within: float = 10.0
    backoff_base: float = 0.5
    backoff_cap: float = 20.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 < value < math.inf:
                raise ValueError(f"{name} is invalid: expected seconds above 0, not {value!r}")
        if self.backoff_base > self.backoff_cap:
            raise ValueError(f"backoff_base is {self.backoff_base}, above backoff_cap: {self.backoff_cap}")

    def ping_interval(self) -> float:
        """One connection's own: thousands that came back together must not go on pinging together."""
        return self.ping_every * random.uniform(0.8, 1.2)

    def backoff(self, failures: int) -> float:
        """A random delay after so many failures in a row, with full jitter."""
        bound = self.backoff_base * 2.0 ** min(failures, MOST_DOUBLINGS)
        return random.uniform(0, min(self.backoff_cap, bound))
