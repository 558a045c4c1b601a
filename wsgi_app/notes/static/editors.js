/**
 * Shows on each note who is editing it. This locks nobody out.
 *
 * @typedef {import("./names.js").Name} Name
 */
import { nameplate } from "./names.js";
import { element, list, t } from "./paper.js";

/** Notes that one connection may name as edited. More would not fit into the 256 bytes of `me`. */
const MOST_EDITS = 2;
/** The part of a note's id after the board and the dot. */
const OWN_PART = /^[0-9a-f]{16}$/;

/** Who edits a note, by that part of its id. This person's own other windows have no name. @type {Map<string, Name[]>} */
let edited = new Map();
let isShown = false;

/** @param {unknown} id */
const ownPart = (id) => String(id).split(".").pop() ?? "";

/** The notes that somebody claims to be editing. @param {any} me @returns {string[]} */
export function editsOf(me) {
  const said = Array.isArray(me?.edits) ? me.edits.slice(0, MOST_EDITS) : [];
  return said.filter((/** @type {unknown} */ id) => OWN_PART.test(String(id))).map(String);
}

/** The notes that are being edited in this page. */
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

/** Puts a flag on each note in the document that somebody is editing, and removes all others. */
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

/** Tells the editor of a note, also by screen reader, that somebody else edits it. @param {HTMLElement} paper @param {HTMLElement | null} shown */
function warn(paper, shown) {
  const field = paper.querySelector(".editor textarea");
  if (!field) return;
  if (!shown) return field.removeAttribute("aria-describedby");
  shown.id ||= `flag-${ownPart(paper.parentElement?.dataset.id)}`;
  if (field.getAttribute("aria-describedby") === shown.id) return;
  field.setAttribute("aria-describedby", shown.id);
  element("announcer").textContent = shown.textContent;
}
