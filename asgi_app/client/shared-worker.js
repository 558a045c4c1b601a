/**
 * A SharedWorker that holds one connection for the tabs of a browser: shared.js is a tab's end of it.
 *
 * The server is asked for each tab from where that tab is, as if it had a connection of its own, and every tab gets every
 * event of its topics: it drops what it has seen (topics.js). So nothing is lost between tabs, and nothing is kept here.
 */
import { openHub } from "./hub.js";

const { base, canRenew } = JSON.parse(/** @type {any} */ (globalThis).name);
const hub = openHub(base, canRenew);

/** @type {any} */ (globalThis).onconnect = (/** @type {MessageEvent} */ { ports: [port] }) => {
  port.onmessage = ({ data }) => hub.hear(port, data);
};
