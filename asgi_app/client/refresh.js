/**
 * When a viewer fetches the page again.
 *
 * All viewers hear of an event at the same moment. If all of them fetched the page then, a thousand viewers would be
 * a thousand requests. So time is divided into windows that are long enough for the whole audience, and each viewer
 * has one slot in every window, chosen by chance. Whatever is asked for before the slot is answered by one request.
 *
 * @typedef {{now: () => number, random: () => number, set: (act: () => void, wait: number) => any,
 *   clear: (timer: any) => void, hidden: () => boolean}} Clock
 */

/** Milliseconds between the beginnings of two requests, at least. */
const GAP = 1000;
const BACKOFF_CAP = 60_000;

/** @type {Clock} */
const browser = {
  now: () => performance.now(),
  random: Math.random,
  set: (act, wait) => setTimeout(act, wait),
  clear: (timer) => clearTimeout(timer),
  hidden: () => document.hidden,
};

/**
 * Milliseconds of a window.
 * @param {number} audience @param {number} rate requests a second that the app should get at most
 */
function windowOf(audience, rate) {
  if (audience <= 1) return 0;
  // Rounded up by a quarter at most: slots stay where they are while single viewers come and go.
  const step = 2 ** Math.floor(Math.log2(audience) - 2);
  // Slots chosen by chance cluster: m a second on average are m + 4 √m at the worst.
  const mean = (Math.sqrt(rate + 4) - 2) ** 2;
  return (Math.ceil(audience / step) * step * 1000) / mean;
}

/**
 * @param {() => Promise<boolean>} run fetches and shows the page. True: it holds all that was asked for meanwhile.
 *   Rejects when it failed; `retryAfter` of the error: milliseconds that the server asked for
 * @param {number} rate requests a second that all viewers together make at most
 * @param {Clock} [clock]
 */
export function refresher(run, rate, clock = browser) {
  const place = clock.random();
  let due = Infinity;
  let evenHidden = false;
  let running = false;
  let startedAt = -Infinity;
  let failures = 0;
  let crowd = 1;
  /** @type {any} */
  let timer;

  /** @param {number} time @returns {number} the next slot */
  function slot(time) {
    const width = windowOf(crowd, rate);
    return width ? time + ((((place * width - time) % width) + width) % width) : time;
  }

  function arm() {
    clock.clear(timer);
    if (!running && due < Infinity) timer = clock.set(fire, Math.max(0, due - clock.now()));
  }

  async function fire() {
    if (clock.hidden() && !evenHidden) return; // until `hurry`
    running = true;
    evenHidden = false;
    due = Infinity;
    startedAt = clock.now();
    try {
      if (await run()) due = Infinity;
      failures = 0;
    } catch (error) {
      const backoff = clock.random() * Math.min(BACKOFF_CAP, GAP * 2 ** failures);
      failures += 1;
      due = slot(clock.now() + Math.max(backoff, /** @type {any} */ (error).retryAfter ?? 0));
    }
    running = false;
    arm();
  }

  return {
    /**
     * The page has changed.
     * @param {number} audience how many others heard of it, this viewer among them
     * @param {boolean} [urgent] also while nobody looks
     */
    ask(audience, urgent = false) {
      evenHidden ||= urgent;
      // After a failure the next try is due already.
      if (!failures || running) {
        crowd = audience;
        due = Math.min(due, slot(Math.max(clock.now(), startedAt + GAP)));
      }
      arm();
    },
    /** Somebody looks, or the network is back: what is due some time is due now. */
    hurry() {
      if (due < Infinity) due = Math.max(clock.now(), startedAt + GAP);
      arm();
    },
    /** For good. */
    stop() {
      running = true;
      clock.clear(timer);
    },
  };
}
