/**
 * What follows from the end of a connection: by which transport to come back, and how soon.
 *
 * @typedef {import("./types").Link} Link
 * @typedef {import("./types").Loss} Loss
 * @typedef {import("./types").TransportEntry} TransportEntry
 */
import { isOnline } from "./browser.js";

/** Milliseconds. */
const RETRY_BASE = 500;
const RETRY_CAP = 20_000;
const LONG_WAIT = 60_000;
/** A connection that lived this long was a good one: the next failure is the first again. */
const GOOD_AFTER = 5_000;

const OVERLOADED = 1013;
const TICKET_EXPIRED = 4401;
const REVOKED = 4403;
/** Closes that blame this client (binary, too many messages, too large): coming back at once would repeat it. */
const OUR_FAULT = new Set([1003, 1008, 1009]);
/** The server's own goodbyes: they say nothing about what the network lets through. */
const SAID_BY_SERVER = new Set([1012, OVERLOADED, TICKET_EXPIRED, REVOKED, ...OUR_FAULT]);

/** @param {Loss} loss */
export const isExpiry = ({ code, status }) => code === TICKET_EXPIRED || status === 401;

/** Whether the server told this client to stay away. @param {Loss} loss @param {boolean} isLast there is no other transport */
export const isFarewell = ({ code, status }, isLast) => code === REVOKED || (status === 403 && isLast);

/** @param {TransportEntry[]} transports best first */
export function retries(transports) {
  /** Of each transport in a row. */
  let failures = transports.map(() => 0);
  let attempt = 0;

  const forgive = () => void (failures = failures.map(() => 0));

  /** @param {number} level of what failed @param {boolean} isFault whether that says something about the network
   * @param {number} status what HTTP answered */
  function whereNext(level, isFault, status) {
    // An answer like these is the site's own: it is away or busy, and the way to it is open.
    if (status === 429 || status >= 500) forgive();
    else if (isFault) failures[level] += 1;
    if (failures[level] < transports[level].tries) return status >= 429 ? 0 : level;
    if (level + 1 < transports.length) return level + 1;
    forgive();
    return 0;
  }

  /** Milliseconds, with full jitter. @param {number | null} [retryAfter] what the server asked for */
  function backOff(retryAfter = null) {
    const wait = Math.random() * Math.min(RETRY_CAP, RETRY_BASE * 2 ** attempt);
    attempt += 1;
    return retryAfter === null ? wait : retryAfter * (1 + Math.random() / 2);
  }

  return {
    backOff,
    /**
     * Where to come back, in how many milliseconds, and whether at once when somebody looks.
     * @param {Link} link @param {Loss} loss
     */
    after({ level, live, since }, { code = 0, status = 0, retryAfter = null, isTimeout = false }) {
      const wasGood = live && Date.now() - since > GOOD_AFTER;
      if (wasGood) {
        attempt = 0;
        forgive();
      }
      // Nothing came of the handshake: another try would cost as long again.
      if (isTimeout && !live) failures[level] = transports[level].tries;
      if (code === OVERLOADED) attempt = Math.max(attempt, 2);
      const isOurs = OUR_FAULT.has(code);
      const isFault = !wasGood && !SAID_BY_SERVER.has(code) && status !== 401 && isOnline();
      const next = whereNext(level, isFault, status);
      const wait = next > level ? 0 : isOurs ? LONG_WAIT * (1 + Math.random()) : backOff(retryAfter);
      return { level: next, wait, mayHurry: !isOurs && retryAfter === null };
    },
  };
}
