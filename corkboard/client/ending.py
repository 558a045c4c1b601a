"""How connections end: docs/reference/protocol.md has the table of close codes."""

from __future__ import annotations

OVERLOADED = 1013
TICKET_EXPIRED = 4401
REVOKED = 4403
# Closes that blame this client: a binary message, too many messages, one that is too large.
OUR_FAULT = (1003, 1008, 1009)
# Of the answers that blame the request, those that another try may change.
MAY_CHANGE = (401, 408, 425, 429)


class Ending(Exception):
    """Why a connection ended, or why there was none.

    Args:
        code: of the server's close frame; 0 without one.
        status: of the HTTP answer that refused the handshake; 0 without one.
        retry_after: seconds to stay away, as the server asked for.
        final: another try would not help.
    """

    def __init__(
        self,
        detail: str,
        *,
        code: int = 0,
        status: int = 0,
        retry_after: float | None = None,
        final: bool = False,
    ) -> None:
        super().__init__(detail)
        self.retry_after = retry_after
        self.final = final or code == REVOKED or (400 <= status < 500 and status not in MAY_CHANGE)
        self.wants_ticket = code == TICKET_EXPIRED or status == 401
        self.overloaded = code == OVERLOADED
        self.our_fault = code in OUR_FAULT
