/**
 * One connection over one transport, with its heartbeat.
 *
 * @typedef {import("./types").Carrier} Carrier
 * @typedef {import("./types").Ear} Ear
 * @typedef {import("./types").Link} Link
 * @typedef {import("./types").LinkOwner} LinkOwner
 * @typedef {import("./types").Loss} Loss
 */

/** Milliseconds. Browsers do not show pings to a page, so the heartbeat is a message: at most 26 s to notice. */
const PING_EVERY = 15_000;
const PONG_WITHIN = 8_000;
/** Streams carry comments, and polls end, more often than that. */
export const SILENT_AT_MOST = 28_000;
/** The server speaks at once. A transport whose first message does not come by then is given up. */
const FIRST_WORD_WITHIN = 6_000;

/** @param {number} level of the transport @param {LinkOwner} owner @returns {Link} */
export function startLink(level, { transports, seen, place, message, lost, log }) {
  const { name, load } = transports[level];
  /** @type {Carrier | null} */
  let carrier = null;
  let isClosed = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let deadline;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let heartbeat;

  /** @param {Loss} loss */
  function end(loss) {
    if (isClosed) return;
    log(name, "lost", loss);
    lost(link, loss);
  }

  /** Ends the link if nothing is heard within `patience`. A dead path never finishes a close handshake, so it is not closed.
   * @param {number} [patience] absent: for ever */
  function expectWithin(patience) {
    clearTimeout(deadline);
    if (patience !== undefined) deadline = setTimeout(end, patience, { isTimeout: true });
  }

  /** Jittered: thousands of tabs that came back together must not go on pinging together. */
  function schedulePing() {
    clearTimeout(heartbeat);
    heartbeat = setTimeout(() => link.ping?.(PONG_WITHIN), PING_EVERY * (0.8 + 0.4 * Math.random()));
  }

  /** @type {Link} */
  const link = {
    level,
    live: false,
    heard: Date.now(),
    since: Date.now(),
    goLive() {
      link.live = true;
      link.since = Date.now();
      expectWithin(link.ping ? undefined : SILENT_AT_MOST);
      if (link.ping) schedulePing();
    },
    subscribe: (topic) => carrier?.subscribe(topic),
    unsubscribe: (topic) => carrier?.unsubscribe(topic),
    whisper: (topic, data) => link.live && Boolean(carrier?.whisper?.(topic, data)),
    close() {
      isClosed = true;
      clearTimeout(deadline);
      clearTimeout(heartbeat);
      carrier?.close();
    },
  };

  /** @type {Ear} */
  const ear = {
    alive() {
      link.heard = Date.now();
      if (link.live && !isClosed) expectWithin(link.ping ? undefined : SILENT_AT_MOST);
    },
    message(what) {
      if (isClosed) return;
      log(name, what);
      message(link, what);
    },
    lost: end,
  };

  log(name, "opens");
  expectWithin(FIRST_WORD_WITHIN);
  Promise.resolve(load()).then(
    (open) => {
      if (isClosed) return;
      carrier = open(seen, ear, place());
      const { ping } = carrier;
      if (!ping) return;
      link.ping = (patience) => {
        ping();
        expectWithin(patience);
        schedulePing();
      };
    },
    () => end({}),
  );
  return link;
}
