/**
 * The best transport: one WebSocket for all topics.
 *
 * @typedef {import("./types").Open} Open
 */

/** The server ends a connection that sends more than 100 messages in a second. The rest is for whispers and heartbeats. */
const BURST = 70;
/** In a second: what is over, the server refuses. */
const MOST_WHISPERS = 20;
/** Milliseconds. */
const BURST_PAUSE = 1000;

/** @type {Open} */
export function openSocket(seen, ear, { base, ticket, me }) {
  const address = new URL(`${base.replace(/^http/, "ws")}/ws`);
  // A browser's WebSocket sends no header of the page's choice.
  if (ticket) address.searchParams.set("ticket", ticket);
  const socket = new WebSocket(address);
  /** What is to be said, by topic: the last word counts. @type {Map<string, "subscribe" | "unsubscribe">} */
  const unsaid = new Map();
  let room = BURST;
  let whispers = 0;
  let pings = 0;
  let pongs = 0;
  /** The ping after a burst: its answer says that the server has taken all of it, however the network bunched it. */
  let burstPing = 0;

  const isOpen = () => socket.readyState === WebSocket.OPEN;
  const send = (/** @type {object} */ message) => socket.send(JSON.stringify(message));

  function ping() {
    if (!isOpen()) return;
    pings += 1;
    send({ op: "ping" });
  }

  function flush() {
    if (!isOpen()) return;
    for (const [topic, op] of unsaid) {
      if (!room) return;
      unsaid.delete(topic);
      send({ op, topic, ...(op === "subscribe" && { since: seen.get(topic) ?? undefined, me: me(topic) ?? undefined }) });
      room -= 1;
      if (room) continue;
      ping();
      burstPing = pings;
    }
  }

  function refill() {
    room = BURST;
    flush();
  }

  /** @param {string} topic @param {"subscribe" | "unsubscribe"} op */
  function say(topic, op) {
    unsaid.set(topic, op);
    flush();
  }

  socket.onopen = () => {
    ear.alive();
    if (!seen.size) ping();
    for (const topic of seen.keys()) unsaid.set(topic, "subscribe");
    flush();
  };
  socket.onmessage = ({ data }) => {
    ear.alive();
    const message = JSON.parse(data);
    if (message.op === "pong") {
      pongs += 1;
      if (pongs === burstPing) setTimeout(refill, BURST_PAUSE);
    }
    ear.message(message);
  };
  socket.onclose = ({ code }) => ear.lost({ code });

  return {
    subscribe: (topic) => say(topic, "subscribe"),
    unsubscribe: (topic) => say(topic, "unsubscribe"),
    whisper(topic, data) {
      if (!isOpen() || whispers === MOST_WHISPERS) return false;
      whispers += 1;
      setTimeout(() => (whispers -= 1), 1000);
      send({ op: "whisper", topic, data });
      return true;
    },
    ping,
    close() {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
    },
  };
}
