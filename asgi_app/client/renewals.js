/** Gets new tickets from the page. */

/** Milliseconds between two renewals because of refused topics: a topic refused with a new ticket stays refused. */
const RENEW_EVERY = 60_000;

/** @param {(() => Promise<unknown>) | undefined} renewTicket */
export function renewals(renewTicket) {
  let renewedAt = -Infinity;
  /** @type {Promise<unknown> | null} */
  let running = null;
  return {
    /** Whether a topic that was refused may be allowed with a new ticket. */
    mayHelp: () => Boolean(renewTicket && (running || Date.now() - renewedAt >= RENEW_EVERY)),
    /** Asks once at a time. Resolves to false when there is no new ticket. @returns {Promise<unknown>} */
    renew() {
      renewedAt = Date.now();
      const ask = async () => renewTicket?.();
      return (running ??= ask()
        .catch((error) => console.warn("realtime: the ticket could not be renewed:", error))
        .finally(() => (running = null)));
    },
  };
}
