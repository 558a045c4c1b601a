/**
 * The transports for networks that let no WebSocket through: loaded only there.
 *
 * Both ask over plain HTTP, one request a topic. Reading the stream by hand instead of by `EventSource` shows what
 * that hides: the status, `Retry-After`, and the comments that say that the path is alive.
 *
 * @typedef {import("./types").Carrier} Carrier
 * @typedef {import("./types").Ear} Ear
 * @typedef {import("./types").Open} Open
 * @typedef {import("./types").Seen} Seen
 */

/** Seconds that a poll is held open; shorter than the silence after which link.js gives a path up. */
const HOLD = 20;
/** What the server's own refusals mean over a WebSocket. Those of a proxy are no problem documents. */
const CODES = /** @type {Record<number, string>} */ ({ 401: "not_allowed", 403: "not_allowed", 422: "bad_message" });

/** @param {Response} response @returns {number | null} milliseconds */
function retryAfter(response) {
  const value = response.headers.get("Retry-After");
  if (value === null) return null;
  const seconds = Number(value);
  return Math.max(0, Number.isNaN(seconds) ? Date.parse(value) - Date.now() : seconds * 1000) || 0;
}

/** @param {Response} response of a kind */
const isOf = (response, /** @type {string} */ kind) => Boolean(response.headers.get("Content-Type")?.startsWith(kind));

/**
 * One cancellable conversation a topic.
 * @param {Seen} seen
 * @param {Ear} ear
 * @param {(topic: string, signal: AbortSignal) => Promise<Response | void>} talk returns or throws when the conversation
 *   is over; an answer that is none of what was asked for is returned
 * @returns {Carrier}
 */
function perTopic(seen, ear, talk) {
  /** @type {Map<string, AbortController>} */
  const talks = new Map();
  /** @param {string} topic */
  function unsubscribe(topic) {
    talks.get(topic)?.abort();
    talks.delete(topic);
  }
  /** @param {string} topic */
  function subscribe(topic) {
    unsubscribe(topic);
    const controller = new AbortController();
    talks.set(topic, controller);
    const { signal } = controller;
    talk(topic, signal)
      .then((answer) => answer && refused(topic, answer, signal))
      .catch(() => undefined)
      .then(() => signal.aborted || talks.get(topic) !== controller || ear.lost({}));
  }
  /** The others go on. @param {string} topic @param {Response} response @param {AbortSignal} signal */
  async function refused(topic, response, signal) {
    const { status } = response;
    const loss = { status, retryAfter: retryAfter(response) };
    if (!(status in CODES) || !isOf(response, "application/problem+json")) return ear.lost(loss);
    const { detail } = await response.json();
    if (signal.aborted) return;
    talks.delete(topic);
    const refusal = { op: "error", topic, code: CODES[status], detail };
    if (talks.size) ear.message(refusal);
    else ear.lost({ ...loss, refusal });
  }
  for (const topic of seen.keys()) subscribe(topic);
  return { subscribe, unsubscribe, close: () => [...talks.keys()].forEach(unsubscribe) };
}

/** @param {string} path @param {string} topic @param {Record<string, string | null | undefined>} more */
const address = (path, topic, more) =>
  `${path}?${new URLSearchParams(Object.entries({ topic, ...more }).flatMap(([name, value]) => (value ? [[name, value]] : [])))}`;

/** @param {string | null} ticket @returns {Record<string, string>} */
const authorization = (ticket) => (ticket ? { Authorization: `Bearer ${ticket}` } : {});

/** Server-sent events. @type {Open} */
export function openStream(seen, ear, { base, ticket }) {
  const headers = { Accept: "text/event-stream", ...authorization(ticket) };
  return perTopic(seen, ear, async (topic, signal) => {
    const url = address(`${base}/ws/events`, topic, { since: seen.get(topic) });
    const response = await fetch(url, { headers, cache: "no-store", signal });
    if (!response.ok || !response.body || !isOf(response, "text/event-stream")) return response;
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    /** @type {number | null} */
    let hint = null;
    let data = "";
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return signal.aborted ? undefined : ear.lost({ retryAfter: hint });
      ear.alive();
      const lines = (rest + value).split(/\r\n|\n|\r(?!$)/);
      rest = /** @type {string} */ (lines.pop());
      for (const line of lines) {
        if (line === "" && data) {
          const message = JSON.parse(data);
          data = "";
          ear.message(message);
          if (signal.aborted) return;
        } else if (line.startsWith("data:")) data += line.slice(5);
        else if (line.startsWith("retry:")) hint = Number(line.slice(6)) || null;
      }
    }
  });
}

/** Long polls. @type {Open} */
export function openPoll(seen, ear, { base, ticket }) {
  const headers = authorization(ticket);
  return perTopic(seen, ear, async (topic, signal) => {
    for (let first = true; !signal.aborted; first = false) {
      // The first one only asks where the topic is, so that the page is live at once.
      const url = address(`${base}/ws/poll`, topic, { since: seen.get(topic), timeout: first ? "0" : String(HOLD) });
      const asked = Date.now();
      const response = await fetch(url, { headers, cache: "no-store", signal });
      if (!response.ok) return response;
      const { events, cursor, recovered } = await response.json();
      if (signal.aborted) break;
      ear.alive();
      const behind = response.headers.get("X-Behind");
      ear.message(behind ? JSON.parse(behind) : { op: "current" });
      const presence = response.headers.get("X-Presence");
      if (presence) ear.message(JSON.parse(presence));
      if (first || !recovered) ear.message({ op: "subscribed", topic, cursor, recovered });
      for (const event of events) ear.message(event);
      // Whoever answers "nothing" without holding the request must not be asked in a tight loop.
      if (!first && !events.length && Date.now() - asked < 1000) await new Promise((resolve) => setTimeout(resolve, 1000));
    }
    return undefined;
  });
}
