/**
 * Search and filter.
 *
 * @typedef {() => Promise<void>} Refresh shows what the filter asks for
 */
import { filter } from "./cards.js";
import { reveal } from "./folding.js";
import { element, list, sorted, t } from "./paper.js";
import { toast } from "./undo.js";

const PAUSE = 180;
const finder = element("finder");

/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

/** Searches when nobody has typed for a moment. @param {Refresh} refresh */
export function find(refresh) {
  clearTimeout(timer);
  timer = setTimeout(findNow, PAUSE, refresh);
}

/** @param {Refresh} refresh */
export async function findNow(refresh) {
  clearTimeout(timer);
  if (!read()) return;
  const { q, done } = filter;
  address();
  scrollTo(0, 0);
  await refresh();
  if (filter.q === q && filter.done === done) showFound();
}

/** Reads the filter from the fields. Returns whether it has changed. */
function read() {
  const q = finder.elements.q.value.trim();
  const done = { open: false, done: true }[/** @type {string} */ (finder.elements.done.value)] ?? null;
  if (q === filter.q && done === filter.done) return false;
  Object.assign(filter, { q, done });
  return true;
}

/** Puts the search into the page's address. */
function address() {
  const asked = new URLSearchParams([...new FormData(finder)].flatMap(([name, value]) => (value ? [[name, String(value)]] : [])));
  history.replaceState(null, "", asked.size ? `?${asked}` : location.pathname);
}

/** Takes the search from the page's address. */
export function findAsAddressed() {
  const asked = new URLSearchParams(location.search);
  finder.elements.q.value = asked.get("q") ?? "";
  finder.elements.done.value = asked.get("done") ?? "";
  read();
}

/** Shows how many notes were found, and marks the matches. */
export function showFound() {
  const isAsked = filter.q || filter.done !== null;
  const found = element("more").hidden ? "found" : "found-more";
  element("found").textContent = isAsked ? t(found, { count: sorted.length }) : "";
  observer.disconnect();
  if (filter.q) observer.observe(list, { childList: true, subtree: true });
  mark();
}

const observer = new MutationObserver(() => mark());

/** Marks the matches, in browsers that have the CSS highlight API. */
function mark() {
  if (!("highlights" in CSS)) return;
  const q = filter.q.toLowerCase();
  const ranges = [];
  const words = document.createTreeWalker(list, NodeFilter.SHOW_TEXT);
  for (let node; q && (node = /** @type {Text | null} */ (words.nextNode())); ) {
    const text = node.parentElement?.closest(".text") ? node.data.toLowerCase() : "";
    // Letters that are longer in lower case would shift what follows.
    if (text.length !== node.data.length) continue;
    for (let at = text.indexOf(q); at >= 0; at = text.indexOf(q, at + q.length)) {
      ranges.push(new StaticRange({ startContainer: node, startOffset: at, endContainer: node, endOffset: at + q.length }));
    }
  }
  CSS.highlights.set("found", new Highlight(...ranges));
  reveal(ranges);
}

/** Says that a note which was just pinned does not match the search. @param {Refresh} refresh */
export function sayHidden(refresh) {
  toast(t("not-matching"), t("show-everything"), () => showEverything(refresh));
}

/** @param {Refresh} refresh */
export function showEverything(refresh) {
  finder.reset();
  findNow(refresh);
  finder.elements.q.focus();
}
