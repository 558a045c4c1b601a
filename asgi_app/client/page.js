/**
 * Realtime for pages that a server renders.
 *
 *     <script type="module" src="/ws/client/page.js" data-realtime="…"></script>
 *     <section data-live="orders">…</section>
 *
 * On an event of its topic the page is fetched again, and its `data-live` elements become what they are there. One
 * without a topic follows all of them. Elements are found again by id, else by topics and order.
 *
 * An event of type `html` needs no request: its data, {"target": selector, "swap": how, "html": text}, is put in place.
 *
 * The document gets these events:
 * - `realtime`: the event is its detail; `preventDefault()` leaves everything else to you.
 * - `realtime:resync`, detail {topic}: events were lost; likewise.
 * - `realtime:presence`, detail {topic, count}: so many people listen.
 * - `realtime:people`, detail {topic, people, count}: who they are, if they say so.
 * - `realtime:whisper`, detail {topic, from, data}: one of them says something. To say something yourself, dispatch
 *   `realtime:say` with the detail {topic, data}.
 * - `realtime:refused`, detail {topic, code, detail}: nothing comes of this topic.
 * - `realtime:behind`, detail {since}: events may be missing since then, RFC 3339; null: they are there now.
 * - `realtime:status`, detail {status, transport}. `<html data-realtime>` says the status, too, for style sheets.
 *
 * Of several scripts with `data-realtime` the first one counts.
 *
 * @typedef {import("./types").Event} Event
 * @typedef {import("./types").Listening} Listening
 * @typedef {import("./types").Page} Page
 * @typedef {import("./types").Status} Status
 */
import { follow } from "./follow.js";
import { morph } from "./morph.js";

const ANSWER_WITHIN = 20_000;

/** @param {Document} page */
const scriptsOf = (page) => /** @type {NodeListOf<HTMLElement>} */ (page.querySelectorAll("script[data-realtime]"));

/** @param {Document} page @returns {Listening | undefined} */
function listeningOf(page) {
  const [script] = scriptsOf(page);
  return script && JSON.parse(script.dataset.realtime ?? "");
}

/** The elements that follow events, by what they are found again by. @param {Document} page */
function liveOf(page) {
  /** @type {Map<string, HTMLElement>} */
  const elements = new Map();
  /** How many there are of the same topics. @type {Record<string, number>} */
  const places = {};
  for (const element of /** @type {NodeListOf<HTMLElement>} */ (page.querySelectorAll("[data-live]"))) {
    const { id, dataset: { live = "" } } = element;
    if (!id) places[live] = (places[live] ?? 0) + 1;
    elements.set(id ? `#${id}` : `${live} ${places[live]}`, element);
  }
  return elements;
}

/** @param {string} topic */
function isFollowed(topic) {
  return [...liveOf(document).values()].some(({ dataset: { live } }) => !live?.trim() || live.split(/\s+/).includes(topic));
}

/** @param {Element} element */
const isLive = (element) => Boolean(element.closest("[data-live]"));

/**
 * Fetches this page again.
 * @returns {Promise<Page | null>} null: whoever looks may not see it any more
 */
async function fetchPage() {
  const response = await fetch(location.pathname + location.search, {
    headers: { Accept: "text/html" },
    cache: "no-cache",
    signal: AbortSignal.timeout(ANSWER_WITHIN),
  });
  const { status } = response;
  if (status >= 500 || [408, 425, 429].includes(status)) {
    const retryAfter = Number(response.headers.get("Retry-After")) * 1000 || 0;
    throw Object.assign(new Error(`realtime: the page answered ${status}`), { retryAfter });
  }
  const isElsewhere = response.redirected && new URL(response.url).pathname !== location.pathname;
  if (!response.ok || isElsewhere) return null;
  const content = new DOMParser().parseFromString(await response.text(), "text/html");
  const listening = listeningOf(content);
  return listening ? { content, listening } : null;
}

/** @param {Page} page */
function show({ content }) {
  const others = liveOf(content);
  for (const [key, element] of liveOf(document)) {
    const other = others.get(key);
    if (other && !(element.parentElement && isLive(element.parentElement))) morph(element, other);
  }
}

/** @type {Record<string, (element: Element, content: DocumentFragment) => void>} */
const SWAPS = {
  innerHTML(element, content) {
    const other = /** @type {Element} */ (element.cloneNode());
    other.append(content);
    morph(element, other);
  },
  outerHTML(element, content) {
    const [other, ...more] = content.children;
    if (other?.nodeName === element.nodeName && !more.length) morph(element, other);
    else element.replaceWith(content);
  },
  beforebegin: (element, content) => element.before(content),
  afterbegin: (element, content) => element.prepend(content),
  beforeend: (element, content) => element.append(content),
  afterend: (element, content) => element.after(content),
  delete: (element) => element.remove(),
};

/**
 * Puts an event's HTML in place.
 * @param {Event} event @param {boolean} inside of live elements @param {boolean} outside of them
 */
function swap({ data: { target, swap: how = "innerHTML", html = "" } }, inside, outside) {
  try {
    if (!Object.hasOwn(SWAPS, how)) throw new Error(`swap is ${how}`);
    for (const element of document.querySelectorAll(target)) {
      if (!(isLive(element) ? inside : outside)) continue;
      const template = document.createElement("template");
      template.innerHTML = html;
      SWAPS[how](element, template.content);
    }
  } catch (error) {
    console.warn(`realtime: an html event for ${target} is invalid:`, error);
  }
}

/** @param {string} name @param {object} detail @returns {boolean} whether the rest is left to us */
const tell = (name, detail) => document.dispatchEvent(new CustomEvent(name, { detail, cancelable: true }));

/** @param {Status} status @param {string | null} transport */
function onStatus(status, transport) {
  document.documentElement.dataset.realtime = status;
  tell("realtime:status", { status, transport });
}

const listening = listeningOf(document);
if (listening) follow(listening, { fetch: fetchPage, show, swap, isFollowed, tell, onStatus });
if (scriptsOf(document).length > 1) console.warn("realtime: only the first script counts: listen() to all topics at once");
