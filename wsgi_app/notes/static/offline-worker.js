/**
 * The service worker: opens boards without a network, with what was last seen of them.
 *
 * The network comes first, so that nobody sees old data while it works. The page itself says which files it
 * consists of (offline.js). Served as /offline-worker.js, because a worker controls only what is below its own address:
 * https://www.w3.org/TR/service-workers/#scope-match-algorithm
 */
const KEPT = "corkboard:page:";
const MOST_PAGES = 20;
/** Milliseconds after which a network that does not answer counts as absent. */
const ANSWER_WITHIN = 5_000;

const worker = /** @type {any} */ (self);

/** The name of the cache of a page. @param {string} url */
const nameOf = (url) => KEPT + new URL(url).pathname;

/** Caches the files of a page, and removes everything else from its cache. @param {string[]} parts addresses, the page's own first */
async function keep(parts) {
  if (await leaveWhenGone()) return;
  const answers = await Promise.all(parts.map((part) => fetch(part)));
  const html = await answers[0].clone().text();
  const script = parts.find((part) => part.includes("/static/"));
  // A page of another version than these parts is kept by itself, when it is open.
  if (!answers.every(({ ok }) => ok) || !script || !html.includes(new URL(".", script).pathname)) return;
  const name = nameOf(parts[0]);
  // Names are in the order in which the caches were made: who is kept anew is the last one to go.
  await caches.delete(name);
  const cache = await caches.open(name);
  await Promise.all(parts.map((part, index) => cache.put(part, answers[index])));
  const names = (await caches.keys()).filter((other) => other.startsWith(KEPT));
  for (const other of names.slice(0, -MOST_PAGES)) await caches.delete(other);
}

/** The cached answer for the page that requests it. @param {Request} request @param {string} clientId @returns {Promise<Response | undefined>} */
async function find(request, clientId) {
  const isPage = request.mode === "navigate";
  const page = isPage ? request : await worker.clients.get(clientId);
  if (!page || !(await caches.has(nameOf(page.url)))) return undefined;
  // `Vary` and a search in the address do not matter here: the page searches by itself.
  return (await caches.open(nameOf(page.url))).match(request, { ignoreVary: true, ignoreSearch: isPage });
}

/** @param {Request} request @param {string} clientId @returns {Promise<Response>} */
async function answer(request, clientId) {
  // Its address changes with its content.
  if (new URL(request.url).pathname.startsWith("/static/")) return (await find(request, clientId)) ?? fetch(request);
  const fresh = fetch(request);
  const late = new Promise((resolve) => setTimeout(resolve, ANSWER_WITHIN));
  const first = await Promise.race([fresh.catch(() => undefined), late]);
  return /** @type {Response | undefined} */ (first) ?? (await find(request, clientId)) ?? fresh;
}

/** Unregisters the worker if another app has taken the wall's place at this origin. @returns {Promise<boolean>} whether it left */
async function leaveWhenGone() {
  const { status, headers, redirected } = await fetch(location.href, { cache: "no-cache" });
  // Some apps answer any address with a page. A redirect, as to a page for signing in, is only temporary.
  const isOther = status === 200 && !redirected && !headers.get("Content-Type")?.startsWith("text/javascript");
  if (status !== 404 && status !== 410 && !isOther) return false;
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
  const { request, clientId } = event;
  const { origin, pathname, search } = new URL(request.url);
  const isPage = request.mode === "navigate";
  const isPart = /^\/(static|ws\/client)\//.test(pathname) || (pathname === "/api/notes" && /[?&]shared=1$/.test(search));
  if (request.method !== "GET" || origin !== location.origin || !(isPage || isPart)) return;
  event.respondWith(answer(request, clientId));
  if (isPage) event.waitUntil(leaveWhenGone().catch(() => undefined));
});
