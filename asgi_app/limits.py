"""Every bound of the sidecar that is not a setting; the unit is the last word of its name."""

from __future__ import annotations

# A process that is told to stop is killed after 25 s (`make up`) or 30 s (Compose). The last seconds are for
# clients that do not answer the goodbye.
LAST_SECONDS = 3
DRAIN_SECONDS = 20  # the longest that DRAIN_SECONDS may be
