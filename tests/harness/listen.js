/**
 * A client outside of a browser: writes whatever it hears, a line of JSON each, until it is ended.
 *
 *     node listen.js '{"url": "http://127.0.0.1:8080", "topics": {"board:main": null}}'
 *
 * `throws`: each callback throws afterwards. `ticket`: shows this one. `state`: an address that has a topic's state.
 * `me`: who it is. `says`: what it whispers whenever it hears who is there.
 */
import { connect } from "../../asgi_app/client/realtime.js";

const { throws, ticket, state, me, says, ...options } = JSON.parse(/** @type {any} */ (globalThis).process.argv[2]);

/** @param {any[]} what */
function write(...what) {
  console.log(JSON.stringify(what));
  if (throws) throw new Error("on purpose");
}

/** @param {string} topic */
async function snapshot(topic) {
  const { cursor, notes } = await (await fetch(state)).json();
  write("state", topic, notes.map((/** @type {{text: string}} */ { text }) => text));
  return { cursor };
}

const realtime = connect({
  ...options,
  me: () => me,
  ticket: () => ticket ?? null,
  snapshot: state && snapshot,
  onEvent: ({ topic, data }) => write("event", topic, data.text),
  onStatus: (...what) => write("status", ...what),
  onResync: (...what) => write("resync", ...what),
  onRefused: (...what) => write("refused", ...what),
  onBehind: (...what) => write("behind", ...what),
  onWhisper: (...what) => write("whisper", ...what),
  onPeople(topic, people, count) {
    write("people", topic, people, count);
    if (says) realtime.whisper(topic, says);
  },
});
