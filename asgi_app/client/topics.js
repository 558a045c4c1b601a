/**
 * What is known of each topic, and what becomes of the server's messages.
 *
 * @typedef {import("./types").Event} Event
 * @typedef {import("./types").TopicState} TopicState
 * @typedef {import("./snapshots.js").Held} Held
 */
import { BEGINNING, isWithin, position } from "./cursor.js";
import { peopleList } from "./people.js";
import { snapshots } from "./snapshots.js";

/**
 * @param {{emit: (name: string, ...args: any[]) => void, ask: (topic: string) => void, renew: () => Promise<boolean>,
 *   snapshot?: (topic: string) => Promise<{cursor: string}>}} options `ask`: subscribe from what was seen last; `renew`:
 *   whether all of them are asked for once more, with a new ticket
 */
export function topicList({ emit, ask, renew, snapshot }) {
  /** Last id seen of each topic; null before the first word from the server. @type {Map<string, string | null>} */
  const seen = new Map();
  /** Topics whose events come over this connection. @type {Set<string>} */
  const live = new Set();
  /** Topics asked for again on this connection because an event was missing. @type {Set<string>} */
  const asking = new Set();
  /** Why topics are refused. They are asked for again with each connection. @type {Map<string, string>} */
  const refused = new Map();
  const states = snapshots(snapshot, goOn);
  const people = peopleList(emit);
  /** Since when events may be missing: the server has lost its Redis. @type {string | null} */
  let behind = null;
  let isFirstWord = true;

  /** @param {string} topic @param {string | null} since */
  function add(topic, since) {
    remove(topic);
    seen.set(topic, since);
    if (since === null) states.begin(topic);
  }

  /** @param {string} topic */
  function remove(topic) {
    states.cancel(topic);
    people.forget(topic);
    for (const some of [live, asking, refused]) some.delete(topic);
    return seen.delete(topic);
  }

  /** @param {any} message */
  function receive(message) {
    tellBehind(message);
    const { op, topic } = message;
    if (topic !== undefined && !seen.has(topic)) return; // unsubscribed meanwhile
    if (op === "event") receiveEvent(message);
    else if (op === "subscribed") receiveSubscribed(message);
    else if (op === "presence") emit("presence", topic, message.count);
    else if (op === "people") people.receive(message);
    else if (op === "whisper") emit("whisper", topic, message.from, message.data);
    else if (op === "error") receiveError(message);
  }

  /** A new connection that may be behind is told so first. @param {{op: string, since: string}} message */
  function tellBehind({ op, since }) {
    const now = op === "behind" ? since : op === "current" || isFirstWord ? null : behind;
    isFirstWord = false;
    if (now === behind) return;
    behind = now;
    emit("behind", behind);
  }

  /** @param {{topic: string, cursor: string, recovered: boolean}} message */
  function receiveSubscribed({ topic, cursor, recovered }) {
    asking.delete(topic);
    refused.delete(topic);
    live.add(topic);
    // After a recovery the missed events still follow, so our own position stands.
    if (seen.get(topic) === null || !recovered) {
      seen.set(topic, cursor);
      if (!recovered) states.begin(topic);
      states.restart(topic, cursor);
    }
    if (recovered) states.settle(topic);
    else emit("resync", topic);
  }

  /** @param {Event} event */
  function receiveEvent(event) {
    const last = seen.get(event.topic);
    if (last) {
      const { epoch, offset } = position(last);
      const now = position(event.id);
      const goesOn = now.epoch === epoch || epoch === BEGINNING;
      if (goesOn && now.offset <= offset) return;
      if (!goesOn || now.offset > offset + 1) return askAgain(event.topic);
    }
    seen.set(event.topic, event.id);
    if (!states.hold(event)) deliver(event);
  }

  /** @param {Event} event */
  function deliver(event) {
    emit("event", event);
    emit(`event:${event.type}`, event);
  }

  /** A healthy server never skips. Should it happen, ask for what is missing rather than go on without.
   * @param {string} topic */
  function askAgain(topic) {
    if (asking.has(topic)) return;
    asking.add(topic);
    ask(topic);
  }

  /** The page has the topic's state of `cursor`. @param {string} topic @param {string} cursor @param {Held} held */
  function goOn(topic, cursor, { since, events }) {
    const isHeldFromThere = since !== null && isWithin(cursor, since);
    if (!isHeldFromThere) {
      seen.set(topic, cursor);
      asking.add(topic);
      return ask(topic);
    }
    if (!isWithin(seen.get(topic), cursor)) seen.set(topic, cursor);
    states.settle(topic);
    for (const event of events) if (seen.has(topic) && !isWithin(cursor, event.id)) deliver(event);
  }

  /** @param {{topic?: string, code: string, detail: string, isFinal?: boolean}} error `isFinal`: a new ticket cannot help */
  async function receiveError({ topic, code, detail, isFinal }) {
    if (topic === undefined) return console.warn(`realtime: ${code}: ${detail}`);
    asking.delete(topic);
    live.delete(topic);
    if (refused.get(topic) === code) return;
    if (code === "not_allowed" && !isFinal && !refused.has(topic) && (await renew())) return;
    if (!seen.has(topic)) return;
    refused.set(topic, code);
    emit("refused", topic, code, detail);
  }

  return {
    /** For the transports. @type {import("./types").Seen} */
    seen,
    receive,
    add,
    remove,
    /** A connection has ended. */
    reset() {
      live.clear();
      asking.clear();
      isFirstWord = true;
    },
    /** @param {string} topic @returns {TopicState | undefined} */
    state(topic) {
      if (!seen.has(topic)) return undefined;
      return refused.has(topic) ? "refused" : live.has(topic) ? "live" : "connecting";
    },
    /** Nothing is wanted any more. */
    clear: () => [...seen.keys()].forEach(remove),
  };
}
