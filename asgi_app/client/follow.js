/**
 * Follows the events of a page: connects, and decides when the page is fetched and what is shown. `view` accesses the
 * document.
 *
 * @typedef {import("./types").Event} Event
 * @typedef {import("./types").Listening} Listening
 * @typedef {import("./types").Page} Page
 * @typedef {import("./types").View} View
 */
import { connect, isWithin } from "./realtime.js";
import { refresher } from "./refresh.js";

/** Milliseconds within which the server says, after a connection, how many people listen. */
const COUNTED_WITHIN = 1500;
const REFRESH_RATE = 50;
/** A position that no topic ever had: the server answers that events were lost. */
const STALE = "stale-0";

/** @param {Event} event */
const isHtml = ({ type, data }) => type === "html" && typeof data?.target === "string";

/** @param {Listening} listening @param {View} view */
export function follow({ topics, ticket, refresh_rate: rate = REFRESH_RATE }, view) {
  /** The ticket that the last connection was made with. @type {string | null | undefined} */
  let shown;
  /** Events that came while the page is being fetched; null: it is not. @type {Event[] | null} */
  let meanwhile = null;
  /** Whether events were lost since the fetch began. */
  let isLost = false;
  /** People by topic. @type {Map<string, number>} */
  const counts = new Map();
  /** Connections that wait for a new ticket. @type {((isThere: boolean) => void)[]} */
  const waiting = [];
  const refresh = refresher(run, rate);

  /** @param {string} topic */
  const audience = (topic) => counts.get(topic) ?? 1;

  /** @param {Event} event */
  function onEvent(event) {
    if (!view.tell("realtime", event)) return;
    const isInPage = isWithin(topics[event.topic], event.id);
    if (isHtml(event)) view.swap(event, !isInPage, true);
    else if (!isInPage && view.isFollowed(event.topic)) refresh.ask(audience(event.topic));
    meanwhile?.push(event);
  }

  /** @param {string} topic */
  function onResync(topic) {
    if (!view.tell("realtime:resync", { topic }) || !view.isFollowed(topic)) return;
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
    const page = await view.fetch();
    if (page) show(page, came.filter(isHtml));
    else stop();
    meanwhile = null;
    for (const resolve of waiting.splice(0)) resolve(Boolean(page));
    return !isLost && came.every((event) => isHtml(event) || isWithin(topics[event.topic], event.id));
  }

  /** @param {Page} page @param {Event[]} changes that may not be in the page */
  function show(page, changes) {
    const { listening } = page;
    for (const topic in listening.topics) {
      if (!(topic in topics)) realtime.subscribe(topic, listening.topics[topic] ?? STALE);
    }
    for (const topic in topics) if (!(topic in listening.topics)) realtime.unsubscribe(topic);
    ({ topics, ticket } = listening);
    view.show(page);
    for (const event of changes) if (!isWithin(topics[event.topic], event.id)) view.swap(event, true, false);
  }

  function stop() {
    refresh.stop();
    realtime.close();
    view.onStatus("stopped", null);
  }

  const realtime = connect({
    topics: Object.fromEntries(Object.entries(topics).map(([topic, cursor]) => [topic, cursor ?? STALE])),
    ticket: () => (shown = ticket),
    renewTicket,
    onEvent,
    onResync,
    onStatus: view.onStatus,
    onPresence(topic, count) {
      counts.set(topic, count);
      view.tell("realtime:presence", { topic, count });
    },
    onPeople: (topic, people, count) => void view.tell("realtime:people", { topic, people, count }),
    onWhisper: (topic, from, data) => void view.tell("realtime:whisper", { topic, from, data }),
    onRefused: (topic, code, detail) => void view.tell("realtime:refused", { topic, code, detail }),
    onBehind: (since) => void view.tell("realtime:behind", { since }),
  });
  document.addEventListener("realtime:say", (event) => {
    const { topic, data } = /** @type {CustomEvent} */ (event).detail;
    realtime.whisper(topic, data);
  });
  document.addEventListener("visibilitychange", () => document.hidden || refresh.hurry());
  addEventListener("online", refresh.hurry);
}
