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
 * The document gets `realtime` (detail: the event; `preventDefault()` leaves it to you), `realtime:resync` (events were
 * lost; likewise) and `realtime:status` (detail: status and transport; `<html data-realtime>` says it for style sheets).
 *
 * Of several scripts with `data-realtime` the first one counts.
 *
 * @typedef {import("./types").Event} Event
 * @typedef {import("./types").Status} Status
 * @typedef {{topics: Record<string, string | null>, ticket: string | null, refresh_rate?: number}} Listening
 */
import { morph } from "./morph.js";
import { connect, isWithin } from "./realtime.js";
import { refresher } from "./refresh.js";

const ANSWER_WITHIN = 20_000;
/** So long after a connection the server has said how many people listen. */
const COUNTED_WITHIN = 1500;
const REFRESH_RATE = 50;
/** A position that no topic ever had: the server answers that events were lost. */
const STALE = "stale-0";

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
  for (const element of /** @type {NodeListOf<HTMLElement>} */ (page.querySelectorAll("[data-live]"))) {
    let key = `#${element.id}`;
    for (let place = 0; key === "#" || (!element.id && elements.has(key)); place += 1) {
      key = `${element.dataset.live} ${place}`;
    }
    elements.set(key, element);
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
 * @returns {Promise<Document | null>} null: whoever looks may not see it any more
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
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

/** @param {Event} event */
const isHtml = ({ type, data }) => type === "html" && typeof data?.target === "string";

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

/** Puts the event's HTML in place. @param {Event} event @param {(element: Element) => boolean} isWanted */
function swap({ data: { target, swap: how = "innerHTML", html = "" } }, isWanted) {
  for (const element of document.querySelectorAll(target)) {
    if (!isWanted(element)) continue;
    const template = document.createElement("template");
    template.innerHTML = html;
    SWAPS[how](element, template.content);
  }
}

/** @param {Listening} listening */
function listen({ topics, ticket, refresh_rate: rate = REFRESH_RATE }) {
  /** The ticket of the last connection. @type {string | null | undefined} */
  let shown;
  /** Events that came while the page was on its way; null: it is not. @type {Event[] | null} */
  let meanwhile = null;
  /** Events were lost since the page was asked for. */
  let isLost = false;
  /** People by topic. @type {Map<string, number>} */
  const counts = new Map();
  /** Connections that wait for a new ticket. @type {((isThere: boolean) => void)[]} */
  const waiting = [];
  const refresh = refresher(run, rate);

  /** @param {string} topic */
  const audience = (topic) => counts.get(topic) ?? 1;

  /** @param {string} name @param {object} detail @returns {boolean} whether the rest is left to us */
  const tell = (name, detail) => document.dispatchEvent(new CustomEvent(name, { detail, cancelable: true }));

  /** @param {Status} status @param {string | null} transport */
  function onStatus(status, transport) {
    document.documentElement.dataset.realtime = status;
    tell("realtime:status", { status, transport });
  }

  /** @param {Event} event */
  function onEvent(event) {
    if (!tell("realtime", event)) return;
    const isInPage = isWithin(topics[event.topic], event.id);
    if (isHtml(event)) swap(event, (element) => !isInPage || !isLive(element));
    else if (!isInPage && isFollowed(event.topic)) refresh.ask(audience(event.topic));
    meanwhile?.push(event);
  }

  /** @param {string} topic */
  function onResync(topic) {
    if (!tell("realtime:resync", { topic }) || !liveOf(document).size) return;
    isLost = true;
    setTimeout(() => isLost && refresh.ask(audience(topic)), counts.has(topic) ? 0 : COUNTED_WITHIN);
  }

  /** @returns {Promise<boolean>} whether there is one */
  function renewTicket() {
    // The page may have been fetched since.
    if (ticket !== shown) return Promise.resolve(true);
    refresh.ask(Math.max(1, ...counts.values()), true);
    return new Promise((resolve) => waiting.push(resolve));
  }

  async function run() {
    /** @type {Event[]} */
    const came = (meanwhile = []);
    isLost = false;
    const page = await fetchPage();
    const fresh = page && listeningOf(page);
    if (fresh) show(page, fresh, came.filter(isHtml));
    else stop();
    meanwhile = null;
    for (const resolve of waiting.splice(0)) resolve(Boolean(fresh));
    return !isLost && came.every((event) => isHtml(event) || isWithin(topics[event.topic], event.id));
  }

  /** @param {Document} page @param {Listening} fresh @param {Event[]} changes that may not be in the page */
  function show(page, fresh, changes) {
    for (const topic in fresh.topics) if (!(topic in topics)) realtime.subscribe(topic, fresh.topics[topic] ?? STALE);
    for (const topic in topics) if (!(topic in fresh.topics)) realtime.unsubscribe(topic);
    ({ topics, ticket } = fresh);
    const others = liveOf(page);
    for (const [key, element] of liveOf(document)) {
      const other = others.get(key);
      if (other && !(element.parentElement && isLive(element.parentElement))) morph(element, other);
    }
    for (const event of changes) if (!isWithin(topics[event.topic], event.id)) swap(event, isLive);
  }

  function stop() {
    refresh.stop();
    realtime.close();
    onStatus("stopped", null);
  }

  const realtime = connect({
    topics: Object.fromEntries(Object.entries(topics).map(([topic, cursor]) => [topic, cursor ?? STALE])),
    ticket: () => (shown = ticket),
    renewTicket,
    onEvent,
    onResync,
    onStatus,
    onPresence: (topic, count) => void counts.set(topic, count),
  });
  document.addEventListener("visibilitychange", () => document.hidden || refresh.hurry());
  addEventListener("online", refresh.hurry);
}

const listening = listeningOf(document);
if (listening) listen(listening);
if (scriptsOf(document).length > 1) console.warn("realtime: only the first script counts: listen() to all topics at once");
