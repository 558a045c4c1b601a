/**
 * Shows who is here, and tells the others this person's name and which notes are being edited.
 *
 * It uses `me` and `people` of the protocol: an edit costs two messages, clients that come later learn of it, too, and it
 * ends with the connection. If the topic does not allow it, only the number of people is shown.
 *
 * @typedef {import("/ws/client/types").Person} Person
 * @typedef {import("./names.js").Name} Name
 * @typedef {object} Here what the page and this module know of each other
 * @property {object | null} me what the others are told
 * @property {Person[]} named those who say who they are
 * @property {number} count how many are here, with and without a name
 * @property {() => void} changed called when one of these two has
 * @property {() => void} introduce tells the others `me`
 */
import { editsOf, ownEdits, showEdits, watchEdits } from "./editors.js";
import { addStyle } from "./later.js";
import { KEPT, nameplate, ownName, readName } from "./names.js";
import { openNaming } from "./naming.js";
import { perFrame, t } from "./paper.js";

const MOST_IN_RAIL = 3;
/** Milliseconds between two introductions, at least. */
const PAUSE = 1000;
/** Distinguishes this page's own entry from those of others. */
const TAB = Math.random().toString(36).slice(2, 6);

/** Begins. @param {Here} here */
export async function meet(here) {
  await addStyle("./people.css").catch(() => undefined);
  let own = ownName();
  let told = "";
  /** When that was. */
  let last = -PAUSE;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let shown = "";
  const { names, all } = openNaming(rename);

  function say() {
    here.me = { ...own, tab: TAB, edits: ownEdits() };
    timer ??= setTimeout(sayNow, Math.max(0, last + PAUSE - performance.now()));
  }

  function sayNow() {
    timer = undefined;
    const now = JSON.stringify(here.me);
    if (now === told) return;
    [told, last] = [now, performance.now()];
    here.introduce();
  }

  function rename() {
    own = ownName();
    say();
    schedule();
  }

  const schedule = perFrame(show);

  /** Shows the people. */
  function show() {
    const others = here.named.filter(({ me }) => me?.tab !== TAB).map(({ me }) => ({ ...readName(me), edits: editsOf(me) }));
    const isOwn = (/** @type {Name} */ { name, color }) => name === own.name && color === own.color;
    showEdits(others.map((other) => (isOwn(other) ? { ...other, name: "" } : other)));
    // Somebody may have several windows open.
    const different = new Map(others.filter((one) => !isOwn(one)).map((one) => [`${one.color} ${one.name}`, one]));
    const people = [{ ...own, name: t("you") }, ...different.values()];
    const isTold = here.named.some(({ me }) => me?.tab === TAB);
    const unknown = Math.max(0, here.count - here.named.length - (isTold || others.some(isOwn) ? 0 : 1));
    const most = here.named.length && people.length + unknown > 1 ? MOST_IN_RAIL : 0;
    const now = JSON.stringify([people.map(({ name, color }) => [name, color]), unknown, most]);
    // Windows that share a connection are one person: one in which a note is edited introduces itself last.
    if (ownEdits().length && !isTold && others.some((one) => isOwn(one) && !one.edits.length)) {
      told = "";
      say();
    }
    if (now === shown) return;
    shown = now;
    names.replaceChildren(...(most ? plates("span", people, most, unknown) : []));
    all.replaceChildren(...plates("li", people, people.length, unknown));
  }

  here.changed = schedule;
  watchEdits(say);
  addEventListener("storage", ({ key }) => key === KEPT && rename());
  say();
  schedule();
}

/** @param {string} tag @param {Name[]} people @param {number} most @param {number} unknown */
function plates(tag, people, most, unknown) {
  const plates = people.slice(0, most).map((one) => nameplate(tag, one));
  const more = Math.max(0, people.length - most) + unknown;
  if (more) plates.push(Object.assign(document.createElement(tag), { textContent: t("and-more", { count: more }) }));
  return plates;
}
