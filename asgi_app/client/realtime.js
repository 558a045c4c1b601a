/**
 * Realtime for a browser tab: every event of its topics once and in order, whatever the network does.
 *
 *     const realtime = connect({ topics: { "board:main": cursor }, onEvent, onResync, onStatus, onPresence });
 *
 * A WebSocket where one gets through; an event stream where not; long polls where the stream does not flow.
 * Call it once: one connection carries all topics of a tab. (A stream or a poll carries one topic each, and
 * browsers allow six to a site: with many topics, let a WebSocket through.)
 *
 * The connection may die at any time. What was last seen of each topic is kept here, and the next connection
 * goes on from there. When the server says that a gap cannot be filled, `onResync` asks the page to fetch its
 * state again. This module knows topics and nothing of what is in them.
 *
 * @typedef {import("./types").Carrier} Carrier
 * @typedef {import("./types").Event} Event
 * @typedef {import("./types").Link} Link
 * @typedef {import("./types").Loss} Loss
 * @typedef {import("./types").Open} Open
 * @typedef {import("./types").Options} Options
 * @typedef {import("./types").Status} Status
 * @typedef {import("./types").Transport} Transport
 */

/** Milliseconds. Browsers do not show pings to a page, so the heartbeat is a message: at most 26 s to notice. */
const PING_EVERY = 15_000;
const ANSWER_WITHIN = 8_000;
const WAKE_ANSWER_WITHIN = 4_000;
/** A stream carries comments and a poll ends more often than that. */
const SILENT_AT_MOST = 28_000;
/** The first word is said at once. A proxy that swallows it is not worth a longer wait. */
const FIRST_WORD_WITHIN = 6_000;
const BACKOFF_BASE = 500;
const BACKOFF_CAP = 20_000;
const LONG_WAIT = 60_000;
/** A connection that lived this long was a good one: the next failure is the first again. */
const GOOD_AFTER = 5_000;
/** How soon, and at last how seldom, a better transport is tried. */
const CLIMB_FIRST = 8_000;
const CLIMB_CAP = 300_000;

const OVERLOADED = 1013;
const TICKET_EXPIRED = 4401;
const REVOKED = 4403;
/** Closes that blame this client (binary, too many messages, too large): coming back at once would repeat it. */
const OUR_FAULT = new Set([1003, 1008, 1009]);
/** The server's own goodbyes: they say nothing about what the network lets through. */
const SAID_BY_SERVER = new Set([1012, OVERLOADED, TICKET_EXPIRED, REVOKED, ...OUR_FAULT]);

/** The epoch of a topic that has seen no event: the first event names its own. */
const BEGINNING = "0";

/** Best first. `tries`: failures in a row before the next one has its turn. The lesser ones are loaded when needed.
 * @type {{name: Transport, tries: number, open: () => Open | Promise<Open>}[]} */
const TRANSPORTS = [
  { name: "websocket", tries: 2, open: () => openSocket },
  { name: "sse", tries: 1, open: () => import("./realtime-fallback.js").then(({ openStream }) => openStream) },
  { name: "poll", tries: 1, open: () => import("./realtime-fallback.js").then(({ openPoll }) => openPoll) },
];

/** @type {Open} */
function openSocket(seen, ear, ticket) {
  const address = new URL("/ws", location.href.replace(/^http/, "ws"));
  // A browser's WebSocket sends no header of the page's choice.
  if (ticket) address.searchParams.set("ticket", ticket);
  const socket = new WebSocket(address);
  const send = (/** @type {object} */ message) =>
    socket.readyState === WebSocket.OPEN && socket.send(JSON.stringify(message));
  const subscribe = (/** @type {string} */ topic) =>
    void send({ op: "subscribe", topic, ...(seen.get(topic) && { since: seen.get(topic) }) });
  socket.onopen = () => {
    ear.alive();
    if (!seen.size) send({ op: "ping" });
    for (const topic of seen.keys()) subscribe(topic);
  };
  socket.onmessage = ({ data }) => {
    ear.alive();
    ear.message(JSON.parse(data));
  };
  socket.onclose = ({ code }) => ear.lost({ code });
  return {
    subscribe,
    unsubscribe: (topic) => void send({ op: "unsubscribe", topic }),
    ping: () => void send({ op: "ping" }),
    close() {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
    },
  };
}

/** @param {string} id `EPOCH-OFFSET` */
function position(id) {
  const dash = id.lastIndexOf("-");
  return { epoch: id.slice(0, dash), offset: Number(id.slice(dash + 1)) };
}

/** Whether an event is at or before a cursor. @param {string | null | undefined} cursor @param {string} id */
export function isWithin(cursor, id) {
  if (!cursor) return false;
  const [here, there] = [position(cursor), position(id)];
  return here.epoch === there.epoch && there.offset <= here.offset;
}

/**
 * Connect, and stay connected until `close()`.
 * @param {Options} options
 */
export function connect({ topics, onEvent, onResync, onStatus, onPresence, ticket, renewTicket }) {
  /** Last id seen of each topic; null before the first word from the server. @type {Map<string, string | null>} */
  const seen = new Map(Array.isArray(topics) ? topics.map((topic) => [topic, null]) : Object.entries(topics));
  /** Topics asked for again on this connection because an event was missing. @type {Set<string>} */
  const asking = new Set();
  /** What carries events now, or is about to. @type {Link | null} */
  let current = null;
  /** A better transport on trial beside it. @type {Link | null} */
  let trial = null;
  let told = "";
  /** Failures of each transport in a row. */
  let failures = TRANSPORTS.map(() => 0);
  let attempt = 0;
  let climbs = 0;
  let renewedAt = -Infinity;
  let mayHurry = true;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let retryTimer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let climbTimer;
  const listeners = new AbortController();

  /** @param {Status} status */
  function report(status) {
    const transport = status === "live" && current ? TRANSPORTS[current.level].name : null;
    if (told === `${status} ${transport}`) return;
    told = `${status} ${transport}`;
    onStatus?.(status, transport);
  }

  const reportAway = () => report(navigator.onLine ? "connecting" : "offline");

  // --- Links: one connection each, with its heartbeat ---------------------------------------------

  /** @param {number} level @returns {Link} */
  function start(level) {
    const now = Date.now();
    /** @type {Link} */
    const link = { level, carrier: null, live: false, heard: now, since: now };
    const isOurs = () => link === current || link === trial;
    const ear = {
      alive() {
        link.heard = Date.now();
        if (link.live) expectWithin(link, link.carrier?.ping ? undefined : SILENT_AT_MOST);
      },
      message: (/** @type {any} */ message) => void (isOurs() && receive(link, message)),
      lost: (/** @type {Loss} */ loss) => void (isOurs() && lost(link, loss)),
    };
    expectWithin(link, FIRST_WORD_WITHIN);
    Promise.resolve(TRANSPORTS[level].open()).then(
      (open) => void (isOurs() && (link.carrier = open(seen, ear, ticket?.() ?? null))),
      () => ear.lost({}),
    );
    return link;
  }

  /** A dead path never finishes a close handshake: it is left, not closed.
   * @param {Link} link @param {number} [patience] milliseconds; absent: for ever */
  function expectWithin(link, patience) {
    clearTimeout(link.deadline);
    if (patience === undefined) return;
    link.deadline = setTimeout(() => {
      // Nothing came of the handshake: another try would cost as long again.
      if (!link.live) failures[link.level] = TRANSPORTS[link.level].tries;
      lost(link, {});
    }, patience);
  }

  /** Jittered: thousands of tabs that came back together must not go on pinging together. @param {Link} link */
  function schedulePing(link) {
    clearTimeout(link.ping);
    if (link.carrier?.ping) link.ping = setTimeout(() => ping(link, ANSWER_WITHIN), PING_EVERY * (0.8 + 0.4 * Math.random()));
  }

  /** @param {Link} link @param {number} patience */
  function ping(link, patience) {
    link.carrier?.ping?.();
    expectWithin(link, patience);
    schedulePing(link);
  }

  /** @param {Link | null} link */
  function discard(link) {
    if (!link) return;
    if (link === current) current = null;
    if (link === trial) trial = null;
    clearTimeout(link.ping);
    clearTimeout(link.deadline);
    link.carrier?.close();
  }

  // --- Coming and going ---------------------------------------------------------------------------

  /** @param {number} level */
  function open(level) {
    clearTimeout(retryTimer);
    retryTimer = undefined;
    mayHurry = true;
    asking.clear();
    reportAway();
    discard(current);
    current = start(level);
  }

  /** The server spoke: from here on this is the one. @param {Link} link */
  function established(link) {
    if (link.live) return;
    link.live = true;
    link.since = Date.now();
    if (link === trial) {
      discard(current);
      [current, trial] = [link, null];
      asking.clear();
      clearTimeout(retryTimer);
      retryTimer = undefined;
    }
    expectWithin(link, link.carrier?.ping ? undefined : SILENT_AT_MOST);
    schedulePing(link);
    if (link.level === 0) climbs = 0;
    scheduleClimb();
  }

  /** @param {Link} link @param {Loss} loss */
  async function lost(link, { code = 0, status = 0, retryAfter = null }) {
    const onTrial = link === trial;
    const wasGood = link.live && Date.now() - link.since > GOOD_AFTER;
    discard(link);
    if (onTrial) {
      const next = link.level + 1;
      if (current && next < current.level) trial = start(next);
      else scheduleClimb();
      return;
    }
    clearTimeout(climbTimer);
    if (code === REVOKED || (status === 403 && link.level === TRANSPORTS.length - 1)) return stop();
    reportAway();
    if (wasGood) [attempt, failures] = [0, failures.map(() => 0)];
    if ((code === TICKET_EXPIRED || status === 401) && (await renew()) === false) return stop();
    if (code === OVERLOADED) attempt = Math.max(attempt, 2);
    mayHurry = !OUR_FAULT.has(code) && retryAfter === null;
    const fault = !wasGood && !SAID_BY_SERVER.has(code) && status !== 401 && navigator.onLine;
    const level = whereNext(link.level, fault, status);
    comeBack(level, level > link.level ? 0 : OUR_FAULT.has(code) ? LONG_WAIT * (1 + Math.random()) : backOff(retryAfter));
  }

  /** @param {number} level of what failed @param {boolean} fault whether that says something about the network
   * @param {number} status what HTTP answered */
  function whereNext(level, fault, status) {
    // An answer like these is the site's own: it is away or busy, and the way to it is open.
    if (status === 429 || status >= 500) failures = failures.map(() => 0);
    else if (fault) failures[level] += 1;
    if (failures[level] < TRANSPORTS[level].tries) return status >= 429 ? 0 : level;
    if (level + 1 < TRANSPORTS.length) return level + 1;
    failures = failures.map(() => 0);
    return 0;
  }

  /** Milliseconds, with full jitter. @param {number | null} retryAfter what the server asked for */
  function backOff(retryAfter) {
    const wait = Math.random() * Math.min(BACKOFF_CAP, BACKOFF_BASE * 2 ** attempt);
    attempt += 1;
    return retryAfter === null ? wait : retryAfter * (1 + Math.random() / 2);
  }

  /** @param {number} level @param {number} wait milliseconds */
  function comeBack(level, wait) {
    if (!listeners.signal.aborted && !current) retryTimer = setTimeout(open, wait, level);
  }

  /** Resolves false when there is no new ticket to be had. */
  async function renew() {
    renewedAt = Date.now();
    return renewTicket?.().catch(() => undefined);
  }

  function stop() {
    mayHurry = false;
    report("stopped");
  }

  function scheduleClimb() {
    clearTimeout(climbTimer);
    if (!current?.live || current.level === 0) return;
    const wait = Math.min(CLIMB_CAP, CLIMB_FIRST * 2 ** climbs) * (0.75 + Math.random() / 2);
    climbs += 1;
    climbTimer = setTimeout(climb, wait);
  }

  function climb() {
    clearTimeout(climbTimer);
    if (!trial && current?.live && current.level > 0) trial = start(0);
  }

  function hangUp() {
    clearTimeout(retryTimer);
    retryTimer = undefined;
    clearTimeout(climbTimer);
    discard(trial);
    discard(current);
  }

  /** The network is back, or somebody looks: connect now, or find out now whether the connection is a ghost. */
  function wake() {
    if (!current) {
      if (retryTimer !== undefined && mayHurry) open(0);
    } else if (!current.live) {
      if (Date.now() - current.heard > WAKE_ANSWER_WITHIN) open(0);
    } else if (current.carrier?.ping) {
      ping(current, WAKE_ANSWER_WITHIN);
    } else if (Date.now() - current.heard > SILENT_AT_MOST) {
      open(current.level);
    } else {
      climbs = 0;
      climb();
    }
  }

  function doubt() {
    if (current?.live && current.carrier?.ping) ping(current, WAKE_ANSWER_WITHIN);
    else if (!current?.live && told !== "stopped null") reportAway();
  }

  // --- What the server says -----------------------------------------------------------------------

  /** @param {Link} link @param {any} message */
  function receive(link, message) {
    if (message.topic !== undefined && !seen.has(message.topic)) return; // unsubscribed meanwhile
    if (message.op === "event") receiveEvent(message);
    else if (message.op === "subscribed") receiveSubscribed(link, message);
    else if (message.op === "presence") onPresence?.(message.topic, message.count);
    else if (message.op === "error") receiveError(link, message);
    else if (message.op === "pong") established(link), report("live");
  }

  /** @param {Link} link @param {{topic: string, cursor: string, recovered: boolean}} message */
  function receiveSubscribed(link, { topic, cursor, recovered }) {
    asking.delete(topic);
    established(link);
    // After a recovery the missed events still follow, so our own position stands.
    if (!recovered || seen.get(topic) === null) seen.set(topic, cursor);
    report("live");
    if (!recovered) onResync?.(topic);
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
    onEvent(event);
  }

  /** A healthy server never skips. Should it happen, ask for what is missing rather than go on without.
   * @param {string} topic */
  function askAgain(topic) {
    if (asking.has(topic)) return;
    asking.add(topic);
    current?.carrier?.subscribe(topic);
  }

  /** @param {Link} link @param {{code: string, detail: string}} error */
  function receiveError(link, { code, detail }) {
    // The ticket is shown when a connection is made: a new one needs a new connection. Once a minute at most.
    if (code === "not_allowed" && Date.now() - renewedAt > LONG_WAIT) lost(link, { code: TICKET_EXPIRED });
    else console.warn(`realtime: ${code}: ${detail}`);
  }

  const { signal } = listeners;
  addEventListener("online", wake, { signal });
  addEventListener("offline", doubt, { signal });
  document.addEventListener("visibilitychange", () => document.hidden || wake(), { signal });
  // Some browsers keep a page for the way back only if it holds no connection. It resumes when it is shown again.
  addEventListener("pagehide", hangUp, { signal });
  addEventListener("pageshow", ({ persisted }) => void (persisted && told !== "stopped null" && open(0)), { signal });
  open(0);

  return {
    /** Close for good. */
    close() {
      listeners.abort();
      hangUp();
    },
    /** @param {string} topic @param {string | null} [since] position to go on from; absent: from now on */
    subscribe(topic, since = null) {
      seen.set(topic, since);
      current?.carrier?.subscribe(topic);
      trial?.carrier?.subscribe(topic);
    },
    /** @param {string} topic */
    unsubscribe(topic) {
      if (!seen.delete(topic)) return;
      current?.carrier?.unsubscribe(topic);
      trial?.carrier?.unsubscribe(topic);
    },
  };
}
