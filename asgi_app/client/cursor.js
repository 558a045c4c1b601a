/** Positions in a topic. */

/** The epoch of a topic that has seen no event: the first event names its own. */
export const BEGINNING = "0";

/** @param {string} id `EPOCH-OFFSET` */
export function position(id) {
  const dash = id.lastIndexOf("-");
  return { epoch: id.slice(0, dash), offset: Number(id.slice(dash + 1)) };
}

/** Whether an event is at or before a cursor. @param {string | null | undefined} cursor @param {string} id */
export function isWithin(cursor, id) {
  if (!cursor) return false;
  const [here, there] = [position(cursor), position(id)];
  return here.epoch === there.epoch && there.offset <= here.offset;
}
