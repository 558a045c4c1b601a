/** What a browser knows about network and attention. Elsewhere, as in Node, there is nothing to hear. */

export const isOnline = () => globalThis.navigator?.onLine !== false;

/**
 * @param {{wake: () => void, doubt: () => void, hangUp: () => void, resume: () => void}} acts `wake`: the network is
 *   back, or somebody looks; `doubt`: the network may be gone; `hangUp`, `resume`: the page is put aside, and shown again
 * @returns {() => void} ends it
 */
export function watchBrowser({ wake, doubt, hangUp, resume }) {
  const listeners = new AbortController();
  const { signal } = listeners;
  const { document } = globalThis;
  /** @param {string} type @param {(event: any) => void} act */
  const on = (type, act) => globalThis.addEventListener?.(type, act, { signal });
  on("online", wake);
  on("offline", doubt);
  document?.addEventListener("visibilitychange", () => document.hidden || wake(), { signal });
  // Some browsers keep a page for the way back only if it holds no connection.
  on("pagehide", hangUp);
  on("pageshow", ({ persisted }) => void (persisted && resume()));
  return () => listeners.abort();
}
