/**
 * Search and filter.
 *
 * @typedef {() => Promise<void>} Refresh shows what the filter asks for
 */
import { filter } from "./cards.js";
import { reveal } from "./folding.js";
import { element, list, sorted, t } from "./paper.js";

const PAUSE = 180;
const finder = element("finder");

/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

/** Asks when nobody has typed for a moment. @param {Refresh} refresh */
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

/** Takes what is asked for from the fields; whether it is something else than before. */
function read() {
  const q = finder.elements.q.value.trim();
  const done = { open: false, done: true }[/** @type {string} */ (finder.elements.done.value)] ?? null;
  if (q === filter.q && done === filter.done) return false;
  Object.assign(filter, { q, done });
  return true;
}

/** A search has an address, to be kept or sent. */
function address() {
  const asked = new URLSearchParams([...new FormData(finder)].flatMap(([name, value]) => (value ? [[name, String(value)]] : [])));
  history.replaceState(null, "", asked.size ? `?${asked}` : location.pathname);
}

/** Looks for what the page's address asks for. */
export function findAsAddressed() {
  const asked = new URLSearchParams(location.search);
  finder.elements.q.value = asked.get("q") ?? "";
  finder.elements.done.value = asked.get("done") ?? "";
  read();
}

/** Says how many were found, and marks where. */
export function showFound() {
  const isAsked = filter.q || filter.done !== null;
  const found = element("more").hidden ? "found" : "found-more";
  element("found").textContent = isAsked ? t(found, { count: sorted.length }) : "";
  observer.disconnect();
  if (filter.q) observer.observe(list, { childList: true, subtree: true });
  mark();
}

const observer = new MutationObserver(() => mark());

/** Marks what is looked for; a browser that cannot shows the notes as they are. */
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

/** @param {Refresh} refresh */
export function showEverything(refresh) {
  finder.reset();
  findNow(refresh);
  finder.elements.q.focus();
}
