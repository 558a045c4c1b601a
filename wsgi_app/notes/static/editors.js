/**
 * Who is editing which note: told to the others, and shown on the note. Nobody is kept from editing it, too.
 *
 * @typedef {import("./names.js").Name} Name
 */
import { nameplate } from "./names.js";
import { element, list, t } from "./paper.js";

/** Of one connection. More would not fit into what it may say of itself. */
const MOST_EDITS = 2;
/** What makes the id of a note its own on a board. */
const OWN_PART = /^[0-9a-f]{16}$/;

/** The same, by that part of the id. One's own other windows have no name. @type {Map<string, Name[]>} */
let edited = new Map();
let isShown = false;

/** @param {unknown} id */
const ownPart = (id) => String(id).split(".").pop() ?? "";

/** What somebody says to be editing. @param {any} me @returns {string[]} */
export function editsOf(me) {
  const said = Array.isArray(me?.edits) ? me.edits.slice(0, MOST_EDITS) : [];
  return said.filter((/** @type {unknown} */ id) => OWN_PART.test(String(id))).map(String);
}

/** What is being edited in this page. */
export function ownEdits() {
  const papers = [...list.querySelectorAll("[data-editing]")];
  const ids = papers.map(({ parentElement }) => ownPart(parentElement.dataset.id));
  return ids.filter((id) => OWN_PART.test(id)).slice(-MOST_EDITS);
}

/** @param {(Name & {edits: string[]})[]} others */
export function showEdits(others) {
  edited = new Map();
  for (const other of others) {
    for (const id of other.edits) edited.set(id, [...(edited.get(id) ?? []), other]);
  }
  flag();
}

/** @param {() => void} changed called when an editor is opened or closed here */
export function watchEdits(changed) {
  new MutationObserver(flag).observe(list, { childList: true });
  new MutationObserver(() => {
    flag();
    changed();
  }).observe(list, { subtree: true, attributeFilter: ["data-editing"] });
}

/** Puts a flag on each note in the document that somebody is editing, and takes the others away. */
function flag() {
  if (!edited.size && !isShown) return;
  isShown = edited.size > 0;
  for (const { dataset, firstElementChild: paper } of list.children) {
    const shown = paper.querySelector(".flag");
    const who = edited.get(ownPart(dataset.id));
    const wanted = who && makeFlag(who);
    if (!wanted) shown?.remove();
    else if (shown?.textContent !== wanted.textContent || shown.dataset.person !== wanted.dataset.person) {
      shown?.remove();
      paper.append(wanted);
    }
    warn(paper, paper.querySelector(".flag"));
  }
}

/** @param {Name[]} who */
function makeFlag(who) {
  const [first, ...more] = who.sort((one, other) => Number(!one.name) - Number(!other.name));
  const made = first.name
    ? nameplate("p", first, ` ${more.length ? t("more-editing", { count: more.length }) : t("editing")}`)
    : nameplate("p", { name: t("you-elsewhere"), color: first.color });
  made.classList.add("flag");
  return made;
}

/** Whoever edits a note hears that somebody else does, too. @param {HTMLElement} paper @param {HTMLElement | null} shown */
function warn(paper, shown) {
  const field = paper.querySelector(".editor textarea");
  if (!field) return;
  if (!shown) return field.removeAttribute("aria-describedby");
  shown.id ||= `flag-${ownPart(paper.parentElement?.dataset.id)}`;
  if (field.getAttribute("aria-describedby") === shown.id) return;
  field.setAttribute("aria-describedby", shown.id);
  element("announcer").textContent = shown.textContent;
}
