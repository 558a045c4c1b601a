/**
 * Stays connected: by which transport, how soon again after a loss, and when a better transport is tried.
 *
 * @typedef {import("./types").ConnectionOptions} ConnectionOptions
 * @typedef {import("./types").Link} Link
 * @typedef {import("./types").LinkOwner} LinkOwner
 * @typedef {import("./types").Loss} Loss
 * @typedef {import("./types").Status} Status
 */
import { isOnline, watchBrowser } from "./browser.js";
import { SILENT_AT_MOST, startLink } from "./link.js";
import { renewals } from "./renewals.js";
import { isExpiry, isFarewell, retries } from "./retry.js";

/** Milliseconds. */
const WAKE_ANSWER_WITHIN = 4_000;
/** How soon, and at last how seldom, a better transport is tried. */
const CLIMB_FIRST = 8_000;
const CLIMB_CAP = 300_000;

/** @param {ConnectionOptions & Pick<LinkOwner, "transports">} options */
export function stayConnected({ transports, seen, place, log, renewTicket, receive, reset, onStatus }) {
  /** What carries events now, or is about to. @type {Link | null} */
  let current = null;
  /** A better transport on trial beside it. @type {Link | null} */
  let trial = null;
  /** @type {Status | ""} */
  let status = "";
  /** @type {import("./types").Transport | null} */
  let transport = null;
  const retry = retries(transports);
  const ticket = renewals(renewTicket);
  let climbs = 0;
  let mayHurry = true;
  let isClosed = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let retryTimer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let climbTimer;

  /** @param {Status} now */
  function report(now) {
    const by = now === "live" && current ? transports[current.level].name : null;
    if (now === status && by === transport) return;
    [status, transport] = [now, by];
    onStatus(now, by);
  }

  const reportAway = () => report(isOnline() ? "connecting" : "offline");

  /** @param {number} level */
  const start = (level) => startLink(level, { transports, seen, place, log, message: hear, lost });

  /** @param {Link | null} link */
  function discard(link) {
    link?.close();
    if (link && link === trial) trial = null;
    if (!link || link !== current) return;
    current = null;
    reset();
  }

  function cancelRetry() {
    clearTimeout(retryTimer);
    retryTimer = undefined;
  }

  /** @param {number} level */
  function open(level) {
    hangUp();
    mayHurry = true;
    reportAway();
    if (!isClosed) current = start(level);
  }

  /** @param {Link} link @param {any} message */
  function hear(link, message) {
    // A refused topic says nothing about whether the streams of others flow.
    if (!link.live && (message.op !== "error" || link.ping)) established(link);
    receive(message);
  }

  /** The server spoke: from here on this is the one. @param {Link} link */
  function established(link) {
    if (link === trial) {
      discard(current);
      [current, trial] = [link, null];
      cancelRetry();
    }
    link.goLive();
    if (link.level === 0) climbs = 0;
    scheduleClimb();
    report("live");
  }

  /** @param {Link} link @param {Loss} loss */
  async function lost(link, loss) {
    const onTrial = link === trial;
    const mayRenew = isExpiry(loss) && renewTicket;
    if (loss.refusal && !onTrial && !mayRenew) receive({ ...loss.refusal, isFinal: true });
    discard(link);
    if (isClosed) return;
    if (onTrial) {
      const next = link.level + 1;
      if (current && next < current.level) trial = start(next);
      else scheduleClimb();
      return;
    }
    clearTimeout(climbTimer);
    if (isFarewell(loss, link.level === transports.length - 1)) return report("stopped");
    reportAway();
    const next = retry.after(link, loss);
    if (isExpiry(loss) && (await ticket.renew()) === false) return report("stopped");
    mayHurry = next.mayHurry;
    comeBack(next.level, next.wait);
  }

  /** @param {number} level @param {number} wait milliseconds */
  function comeBack(level, wait) {
    if (!isClosed && !current) retryTimer = setTimeout(open, wait, level);
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
    cancelRetry();
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
    } else if (current.ping) {
      current.ping(WAKE_ANSWER_WITHIN);
    } else if (Date.now() - current.heard > SILENT_AT_MOST) {
      open(current.level);
    } else {
      climbs = 0;
      climb();
    }
  }

  function doubt() {
    if (current?.live) current.ping?.(WAKE_ANSWER_WITHIN);
    else if (status !== "stopped") reportAway();
  }

  /** Over what is open. @param {string} topic */
  const ask = (topic) => [current, trial].forEach((link) => link?.subscribe(topic));

  const unwatch = watchBrowser({ wake, doubt, hangUp, resume: () => status !== "stopped" && open(0) });
  open(0);

  return {
    ask,
    wake,
    /** Who was sent away comes back: this topic may be allowed. @param {string} topic */
    subscribe: (topic) => (status === "stopped" && !isClosed ? open(0) : ask(topic)),
    unsubscribe: (/** @type {string} */ topic) => [current, trial].forEach((link) => link?.unsubscribe(topic)),
    /** @param {string} topic @param {any} data @returns {boolean} whether it was sent */
    whisper: (topic, data) => Boolean(current?.whisper(topic, data)),
    /** Comes back with a new ticket: it is shown when a connection is made. @returns {Promise<boolean>} whether it does */
    async renew() {
      if (!ticket.mayHelp()) return false;
      const link = current;
      if ((await ticket.renew()) === false) return false;
      if (link && link === current) {
        discard(link);
        reportAway();
        comeBack(link.level, retry.backOff());
      }
      return true;
    },
    close() {
      isClosed = true;
      unwatch();
      hangUp();
    },
  };
}
