"""The lines of the report that are no HTTP requests: (request type, name)."""

# What a write costs until its listeners know: 0 when the event was there before the answer.
AFTER_ANSWER = "fan-out", "POST answered to event received"
# From the event's own time, which the server's clock gives, to its receipt.
AFTER_EVENT = "fan-out", "event time to receipt"
# The same for what a listener missed while it was away: mostly how long it was away.
CAUGHT_UP = "catch-up", "event time to receipt, after a cut"
LOST = "delivery", "lost"
DUPLICATE = "delivery", "duplicate"
OUT_OF_ORDER = "delivery", "out of order"
UNCHECKED = "delivery", "not checked"

HTTP_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
