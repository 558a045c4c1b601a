/**
 * Realtime for a browser tab, or for Node: every event of its topics once and in order, whatever the network does.
 *
 *     const realtime = connect({ topics: { "board:main": cursor }, onEvent, onResync, onStatus });
 *     realtime.on("event:note.created", ({ data }) => show(data));
 *
 * A WebSocket where one gets through; an event stream where not; long polls where the stream does not flow.
 * Call it once: one connection carries all topics of a tab. (A stream or a poll carries one topic each, and
 * browsers allow six to a site: with many topics, let a WebSocket through.)
 *
 * The connection may die at any time. What was last seen of each topic is kept here, and the next connection
 * goes on from there. When the server says that a gap cannot be filled, `onResync` asks the page to fetch its
 * state again. These modules know topics and nothing of what is in them.
 *
 * docs/reference/client.md says more; public/realtime.d.ts has the types.
 *
 * @typedef {import("./types").Options} Options
 * @typedef {import("./types").Realtime} Realtime
 */
import { call, callbacks } from "./callbacks.js";
import { stayConnected } from "./connection.js";
import { isWithin } from "./cursor.js";
import { topicList } from "./topics.js";
import { TRANSPORTS } from "./transports.js";

export { isWithin };

/**
 * Connect, and stay connected until `close()`.
 * @param {Options} options
 * @returns {Realtime}
 */
export function connect({ topics, url = "/", ticket, renewTicket, snapshot, me, debug, ...handlers }) {
  const { origin, pathname } = new URL(url, globalThis.location?.href);
  const base = origin + pathname.replace(/\/$/, "");
  const { on, off, emit } = callbacks();
  for (const [option, handler] of Object.entries(handlers)) {
    // `onEvent` is short for `on("event", …)`.
    if (handler) on(option.slice(2).toLowerCase(), handler);
  }
  const list = topicList({
    emit,
    ask: (topic) => connection.ask(topic),
    renew: () => connection.renew(),
    snapshot,
  });
  const given = Array.isArray(topics) ? topics.map((topic) => /** @type {const} */ ([topic, null])) : Object.entries(topics);
  for (const [topic, since] of given) list.add(topic, since);
  const connection = stayConnected({
    transports: TRANSPORTS,
    seen: list.seen,
    log: (...what) => void (debug && console.debug("realtime:", ...what)),
    place: () => ({ base, ticket: call(ticket) ?? null, me: (topic) => call(me, topic) }),
    renewTicket,
    receive: list.receive,
    reset: list.reset,
    onStatus: (status, transport) => emit("status", status, transport),
  });

  return {
    on,
    off,
    state: list.state,
    subscribe(topic, since = null) {
      list.add(topic, since);
      connection.subscribe(topic);
    },
    unsubscribe(topic) {
      if (list.remove(topic)) connection.unsubscribe(topic);
    },
    introduce(topic) {
      if (list.seen.has(topic)) connection.ask(topic);
    },
    whisper: (topic, data) => list.seen.has(topic) && connection.whisper(topic, data),
    close() {
      connection.close();
      list.clear();
    },
  };
}
