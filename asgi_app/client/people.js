/** Keeps the list of people on each topic, from the server's `people` messages. */

/** @typedef {import("./types").Person} Person */

/** @param {(name: string, ...args: any[]) => void} emit */
export function peopleList(emit) {
  /** The `me` of each person, by id. @type {Map<string, Map<string, any>>} */
  const topics = new Map();
  return {
    /** @param {{topic: string, count: number, people?: Person[], joined?: Person[], left?: string[]}} message `people`:
     *   all of them, as for a new connection */
    receive({ topic, count, people, joined = [], left = [] }) {
      const here = new Map(people ? [] : topics.get(topic));
      for (const id of left) here.delete(id);
      for (const { id, me } of people ?? joined) here.set(id, me);
      topics.set(topic, here);
      emit("people", topic, [...here].map(([id, me]) => ({ id, me })), count);
    },
    /** @param {string} topic */
    forget: (topic) => void topics.delete(topic),
  };
}
