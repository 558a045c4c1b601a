/**
 * The service worker: opens boards without a network, with what was last seen of them.
 *
 * The network comes first, so that nobody sees anything old while it is there. What a page consists of is told by the
 * page itself (offline.js). Served as /offline-worker.js, because a worker answers for what is below its own address:
 * https://www.w3.org/TR/service-workers/#scope-match-algorithm
 */
const KEPT = "corkboard:page:";
const MOST_PAGES = 20;
/** Milliseconds until a network that does not answer counts as none. */
const ANSWER_WITHIN = 5_000;

const worker = /** @type {any} */ (self);

/** Keeps what a page consists of, and nothing else of it. @param {{page: string, parts: string[]}} message */
async function keep({ page, parts }) {
  if (await leaveWhenGone()) return;
  const cache = await caches.open(KEPT + page);
  await cache.addAll(parts);
  for (const request of await cache.keys()) if (!parts.includes(request.url)) await cache.delete(request);
  const pages = (await caches.keys()).filter((name) => name.startsWith(KEPT));
  for (const name of pages.slice(0, -MOST_PAGES)) await caches.delete(name);
}

/** @param {Request} request @returns {Promise<Response>} */
async function answer(request) {
  const fresh = fetch(request);
  const late = new Promise((resolve) => setTimeout(resolve, ANSWER_WITHIN));
  const first = await Promise.race([fresh.catch(() => undefined), late]);
  if (first) return /** @type {Response} */ (first);
  // How it was compressed does not matter any more, and what is searched for is the page's own business.
  const isPage = request.mode === "navigate";
  return (await caches.match(request, { ignoreVary: true, ignoreSearch: isPage })) ?? fresh;
}

/** Whoever puts another app here must not be haunted by the wall. @returns {Promise<boolean>} whether it left */
async function leaveWhenGone() {
  const { status, headers } = await fetch(location.href, { cache: "no-cache" });
  // Some apps answer any address with a page.
  const isHere = status >= 500 || status === 429 || headers.get("Content-Type")?.startsWith("text/javascript");
  if (isHere) return false;
  for (const name of await caches.keys()) if (name.startsWith(KEPT)) await caches.delete(name);
  await worker.registration.unregister();
  return true;
}

worker.addEventListener("install", () => worker.skipWaiting());
worker.addEventListener("activate", (/** @type {any} */ event) => event.waitUntil(worker.clients.claim()));
worker.addEventListener("message", (/** @type {any} */ event) =>
  // Whatever is not there now is there the next time.
  event.waitUntil(keep(event.data).catch(() => undefined)));
worker.addEventListener("fetch", (/** @type {any} */ event) => {
  const { request } = event;
  const { origin, pathname, search } = new URL(request.url);
  const isPage = request.mode === "navigate";
  const isPart = /^\/(static|ws\/client)\//.test(pathname) || (pathname === "/api/notes" && /[?&]shared=1$/.test(search));
  if (request.method !== "GET" || origin !== location.origin || !(isPage || isPart)) return;
  event.respondWith(answer(request));
  if (isPage) event.waitUntil(leaveWhenGone().catch(() => undefined));
});
