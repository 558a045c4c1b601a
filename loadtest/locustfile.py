"""Corkboard under load: `make loadtest`, or `locust --config loadtest/locust.conf`.

target.py has the requests and topics, users/ who sends and receives them, load_shapes/ the number of users,
locust.conf the thresholds.
"""

from loadtest import console, options
from loadtest.load_shapes import ChosenShape
from loadtest.users.reader import Reader
from loadtest.users.sockets import SocketUser
from loadtest.users.streams import StreamUser
from loadtest.users.writer import Writer

__all__ = ["ChosenShape", "Reader", "SocketUser", "StreamUser", "Writer"]

options.install()
console.install()
