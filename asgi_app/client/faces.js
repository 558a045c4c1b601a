/** The `me` of each tab, by topic. To other people a browser is one person: the tab that spoke last counts. */

/** @template Tab */
export function faceList() {
  /** @type {Map<string, Map<Tab, object>>} */
  const topics = new Map();
  const last = (/** @type {string} */ topic) => [...(topics.get(topic) ?? [])].at(-1);
  return {
    /** @param {string} topic @returns {object | null} */
    of: (topic) => last(topic)?.[1] ?? null,
    /** @param {Tab} tab @param {string} topic @param {object | null} [face] absent: removes it */
    set(tab, topic, face) {
      const known = topics.get(topic) ?? new Map();
      known.delete(tab);
      if (face) known.set(tab, face);
      if (known.size) topics.set(topic, known);
      else topics.delete(topic);
    },
    /** @param {Tab} tab @param {string} topic @returns {boolean} whether the `me` that others see has changed */
    remove(tab, topic) {
      const counted = last(topic)?.[0] === tab;
      this.set(tab, topic);
      return counted;
    },
  };
}
