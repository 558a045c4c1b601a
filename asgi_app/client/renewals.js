/** Asks the page for a new ticket. */

/** Milliseconds between two tickets because of refused topics: what was refused with a new one will be again. */
const RENEW_EVERY = 60_000;

/** @param {(() => Promise<unknown>) | undefined} renewTicket */
export function renewals(renewTicket) {
  let renewedAt = -Infinity;
  /** @type {Promise<unknown> | null} */
  let running = null;
  return {
    /** Whether a topic that was refused may be allowed with a new ticket. */
    mayHelp: () => Boolean(renewTicket && (running || Date.now() - renewedAt >= RENEW_EVERY)),
    /** One at a time. Resolves false when there is no new ticket to be had. @returns {Promise<unknown>} */
    renew() {
      renewedAt = Date.now();
      const ask = async () => renewTicket?.();
      return (running ??= ask()
        .catch((error) => console.warn("realtime: the ticket could not be renewed:", error))
        .finally(() => (running = null)));
    },
  };
}
