/**
 * A SharedWorker that holds one connection for the tabs of a browser; sharing.js is a tab's end of it.
 *
 * It subscribes for each tab from that tab's position, as if the tab had a connection of its own. Every tab gets every
 * event of its topics, and drops those that it has seen (topics.js). So nothing is lost between tabs, and no event is
 * stored here.
 */
import { openHub } from "./hub.js";

const { base, canRenew } = JSON.parse(/** @type {any} */ (globalThis).name);
const hub = openHub(base, canRenew);

/** @type {any} */ (globalThis).onconnect = (/** @type {MessageEvent} */ { ports: [port] }) => {
  port.onmessage = ({ data }) => hub.hear(port, data);
};
