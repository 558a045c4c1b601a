/**
 * Keeps the page and what is on it, so that it opens without a network: offline-worker.js.
 *
 * Browsers allow that on secure origins and on localhost. Elsewhere nothing is kept.
 */
import { board } from "./cards.js";

const CODE = /^\/(static|ws\/client)\//;

/** The addresses that this page consists of: its own first, then its list, scripts and styles. @returns {string[]} */
function parts() {
  const loaded = performance.getEntriesByType("resource").map(({ name }) => new URL(name));
  const code = loaded.filter(({ origin, pathname }) => origin === location.origin && CODE.test(pathname));
  const list = new URL(`/api/notes?board=${board}&order=position&shared=1`, location.href);
  return [...new Set([new URL(location.pathname, location.href), list, ...code].map(String))];
}

/** Keeps the page now, and again each time it is hidden. */
export async function keepPage() {
  if (!navigator.serviceWorker) return;
  await navigator.serviceWorker.register("/offline-worker.js");
  const registration = await navigator.serviceWorker.ready;
  // A deploy may have brought another worker since.
  const keep = () => registration.active?.postMessage(parts());
  keep();
  document.addEventListener("visibilitychange", () => document.hidden && keep());
}
