/**
 * `connect()` for several tabs: tabs of a browser that pass the same `share` use one connection, in a SharedWorker.
 *
 *     const realtime = connect({ share: user, topics: { "board:main": cursor }, onEvent, onResync, onStatus });
 *
 * Where there is no such worker, each tab has a connection of its own.
 *
 * @typedef {import("./types").Connection} Connection
 * @typedef {import("./types").ConnectionOptions} ConnectionOptions
 * @typedef {import("./types").Options} Options
 * @typedef {import("./types").Realtime} Realtime
 */
import { client } from "./client.js";
import { shareConnection } from "./sharing.js";

/**
 * Connects, and stays connected until `close()`.
 * @param {Options & {share: string}} options `share`: names whom the page shows, so that nobody else's tab listens with it
 * @returns {Realtime}
 */
export const connect = ({ share, ...options }) => client(options, (more) => sharedOrOwn(share, more));

/** @param {string} share @param {ConnectionOptions} options @returns {Connection} */
function sharedOrOwn(share, options) {
  /** Null until it is loaded. Nothing is lost meanwhile: it begins with what was seen of all topics. @type {Connection | null} */
  let connection = null;
  let isClosed = false;

  async function openOwn(failures = 0) {
    try {
      const own = await import(`${new URL("./own.js", import.meta.url)}${failures ? `?${failures}` : ""}`);
      if (!isClosed) connection = own.openOwn(options);
    } catch {
      // Browsers do not request a failed module again at the same address.
      options.onStatus(navigator.onLine ? "connecting" : "offline", null);
      setTimeout(openOwn, Math.random() * Math.min(20_000, 1000 * 2 ** failures), failures + 1);
    }
  }

  if (typeof SharedWorker === "undefined") openOwn();
  else connection = shareConnection(share, options, openOwn);

  return {
    ask: (topic) => connection?.ask(topic),
    subscribe: (topic) => connection?.subscribe(topic),
    unsubscribe: (topic) => connection?.unsubscribe(topic),
    whisper: (topic, data) => Boolean(connection?.whisper(topic, data)),
    renew: async () => Boolean(await connection?.renew()),
    close() {
      isClosed = true;
      connection?.close();
    },
  };
}
