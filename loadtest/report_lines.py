"""The lines of Locust's report that are not HTTP requests: (request type, name)."""

# From a write's answer to its event; 0 if the event came first.
AFTER_ANSWER = "fan-out", "POST answered to event received"
# From the event's `time`, by the server's clock, to its receipt.
AFTER_EVENT = "fan-out", "event time to receipt"
# The same for an event that was written while the listener was away: mostly the time it was away.
CAUGHT_UP = "catch-up", "event time to receipt, after a cut"
LOST = "delivery", "lost"
DUPLICATE = "delivery", "duplicate"
OUT_OF_ORDER = "delivery", "out of order"
UNCHECKED = "delivery", "not checked"

HTTP_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
