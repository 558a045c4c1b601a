/**
 * Fetches the state of topics, and holds back their events meanwhile.
 *
 * @typedef {import("./types").Event} Event
 * @typedef {{since: string | null, events: Event[]}} Held `since`: the position that the events go on from; null: not
 *   known yet
 */

/** Milliseconds. */
const AGAIN_BASE = 1000;
const AGAIN_CAP = 30_000;
/** Events of a topic. More of them are not held: they are asked for again when the state is there. */
const MOST_HELD = 1000;

/**
 * @param {((topic: string) => Promise<{cursor: string}>) | undefined} fetchState
 * @param {(topic: string, cursor: string, held: Held) => void} done
 */
export function snapshots(fetchState, done) {
  /** @type {Map<string, Held>} */
  const pending = new Map();
  /** Fetches of each topic in a row after which events were lost again. @type {Map<string, number>} */
  const attempts = new Map();

  /** @param {string} topic @returns {Promise<unknown>} */
  function takeTurn(topic) {
    const attempt = attempts.get(topic) ?? 0;
    attempts.set(topic, attempt + 1);
    const wait = attempt && Math.random() * Math.min(AGAIN_CAP, AGAIN_BASE * 2 ** attempt);
    return new Promise((resolve) => setTimeout(resolve, wait));
  }

  return {
    /** From now on events of the topic are held back, until its state is there. @param {string} topic */
    async begin(topic) {
      if (!fetchState || pending.has(topic)) return;
      /** @type {Held} */
      const held = { since: null, events: [] };
      pending.set(topic, held);
      const isWanted = () => pending.get(topic) === held;
      while (isWanted()) {
        await takeTurn(topic);
        if (!isWanted()) return;
        try {
          const { cursor } = await fetchState(topic);
          if (!isWanted()) return;
          pending.delete(topic);
          done(topic, cursor, held);
        } catch (error) {
          console.warn(`realtime: the state of ${topic} could not be fetched:`, error);
        }
      }
    },
    /** What goes on from `since` is held back from here on; nothing before it is of use. @param {string} topic @param {string} since */
    restart(topic, since) {
      const held = pending.get(topic);
      if (held) [held.since, held.events] = [since, []];
    },
    /** Whether it is held back. @param {Event} event */
    hold(event) {
      const held = pending.get(event.topic);
      if (held && held.events.push(event) > MOST_HELD) [held.since, held.events] = [null, []];
      return Boolean(held);
    },
    /** All is well: the next fetch is the first again. @param {string} topic */
    settle: (topic) => void (pending.has(topic) || attempts.delete(topic)),
    /** @param {string} topic */
    cancel: (topic) => void (pending.delete(topic), attempts.delete(topic)),
  };
}
