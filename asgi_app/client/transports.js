/**
 * The ways to listen.
 *
 * @typedef {import("./types").TransportEntry} TransportEntry
 */
import { openSocket } from "./socket.js";

/** Best first. `tries`: failures in a row before the next one has its turn. The lesser ones are loaded when needed.
 * @type {TransportEntry[]} */
export const TRANSPORTS = [
  { name: "websocket", tries: 2, load: () => openSocket },
  { name: "sse", tries: 1, load: () => import("./realtime-fallback.js").then(({ openStream }) => openStream) },
  { name: "poll", tries: 1, load: () => import("./realtime-fallback.js").then(({ openPoll }) => openPoll) },
];
