/**
 * The object that `connect()` returns, on top of a connection of its own or a shared one.
 *
 * @typedef {import("./types").Options} Options
 * @typedef {import("./types").Realtime} Realtime
 */
import { call, callbacks } from "./callbacks.js";
import { topicList } from "./topics.js";

/**
 * @param {Options} options
 * @param {(options: import("./types").ConnectionOptions) => import("./types").Connection} open
 * @returns {Realtime}
 */
export function client({ topics, url = "/", ticket, renewTicket, snapshot, me, debug, ...handlers }, open) {
  const { origin, pathname } = new URL(url, globalThis.location?.href);
  const base = origin + pathname.replace(/\/$/, "");
  const { on, off, emit } = callbacks();
  for (const [option, handler] of Object.entries(handlers)) {
    // `onEvent` is short for `on("event", …)`.
    if (handler) on(option.slice(2).toLowerCase(), handler);
  }
  /** @type {[string, string | null]} */
  let told = ["", null];
  const list = topicList({
    emit,
    ask: (topic) => connection.ask(topic),
    renew: () => connection.renew(),
    snapshot,
  });
  const given = Array.isArray(topics) ? topics.map((topic) => /** @type {const} */ ([topic, null])) : Object.entries(topics);
  for (const [topic, since] of given) list.add(topic, since);
  const connection = open({
    seen: list.seen,
    log: (...what) => void (debug && console.debug("realtime:", ...what)),
    place: () => ({ base, ticket: call(ticket) ?? null, me: (topic) => call(me, topic) }),
    renewTicket,
    receive: list.receive,
    reset: list.reset,
    onStatus(status, transport) {
      if (status === told[0] && transport === told[1]) return;
      told = [status, transport];
      emit("status", status, transport);
    },
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
