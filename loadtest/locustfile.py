"""Corkboard under load: `make loadtest`, or `locust --config loadtest/locust.conf`.

What is asked and listened to stands in target.py, how many do it and when in shapes.py, what counts as
good enough in locust.conf.
"""

from loadtest import console, options
from loadtest.shapes import ChosenShape
from loadtest.users.reader import Reader
from loadtest.users.sockets import SocketUser
from loadtest.users.streams import StreamUser
from loadtest.users.writer import Writer

__all__ = ["ChosenShape", "Reader", "SocketUser", "StreamUser", "Writer"]

options.install()
console.install()
