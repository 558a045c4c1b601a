/** Who is there, by topic, from what the server says of comings and goings. */

/** @typedef {import("./types").Person} Person */

/** @param {(name: string, ...args: any[]) => void} emit */
export function peopleList(emit) {
  /** What each says of itself, by id. @type {Map<string, Map<string, any>>} */
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
