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
import { client } from "./client.js";
import { isWithin } from "./cursor.js";
import { openOwn } from "./own.js";

export { isWithin };

/**
 * Connect, and stay connected until `close()`.
 * @param {Options} options
 * @returns {Realtime}
 */
export const connect = (options) => client(options, openOwn);
