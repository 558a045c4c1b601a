/**
 * The notes of the board, page by page, as the filter wants them.
 *
 * @typedef {import("./api.js").Failure} Failure
 * @typedef {import("./paper.js").Note} Note
 * @typedef {import("/ws/client/types").Event} Event
 * @typedef {import("./paper.js").Board} Board
 * @typedef {{notes: Note[], board?: Board, next: string | null, cursor: string, meanwhile: Event[]}} Page `meanwhile`: events that
 *   came while it was on its way
 */
import { reason, request, say } from "./api.js";
import { apply, board, filter, hidden, put, remove, showEmpty } from "./cards.js";
import { letIn } from "./layout.js";
import { cards, element, list, paging, sorted, t } from "./paper.js";
import { waits } from "./waiting.js";

const PAGE_SIZE = 50;
const LARGEST_PAGE = 200;

const more = element("more");

/** Events that came while a list was on its way: the list may be older. @type {Set<Event[]>} */
const listening = new Set();

/** Keeps an event for the lists that are on their way, which may be older than it. @param {Event} event */
export function overhear(event) {
  for (const meanwhile of listening) meanwhile.push(event);
}

/** @param {string | null} [page] @param {number} [limit] @param {boolean} [shared] it may be a little older than now
 * @returns {Promise<Page>} */
async function fetchPage(page, limit = PAGE_SIZE, shared = false) {
  /** @type {Event[]} */
  const meanwhile = [];
  listening.add(meanwhile);
  // In exactly this form nginx answers all clients with one cached list.
  const query = new URLSearchParams({ board, order: "position", ...(shared ? { shared: "1" } : { limit: String(limit) }) });
  if (page) query.set("page", page);
  if (filter.q) query.set("q", filter.q);
  if (filter.done !== null) query.set("done", String(filter.done));
  try {
    return { ...(await request(`/api/notes?${query}`)), meanwhile };
  } finally {
    listening.delete(meanwhile);
  }
}

/** @param {Page} page */
export function append({ notes, next, meanwhile }) {
  paging.next = next;
  for (const note of notes) put(note);
  meanwhile.forEach(apply);
  more.hidden = !next;
  showEmpty();
}

/** Shows this list and what waits to be sent, and nothing else. @param {Page} page */
export function replace(page) {
  const ids = new Set(page.notes.map(({ id }) => id));
  for (const { note, editor } of [...sorted]) {
    if (note.version && !editor && !ids.has(note.id) && !waits(note.id)?.isBack) remove(note.id);
  }
  hidden.clear();
  for (const note of page.notes) put(note, { force: true });
  append(page);
  letIn();
  list.toggleAttribute("data-gliding", false);
}

let views = 0;

/** The first page, however long it takes; null when another one was asked for meanwhile.
 * @param {number} [limit] @param {boolean} [shared] */
async function fetchFirst(limit, shared) {
  const view = (views += 1);
  for (let attempt = 0; ; attempt += 1) {
    try {
      const page = await fetchPage(null, limit, shared && !attempt && !filter.q && filter.done === null);
      if (attempt) say("");
      return view === views ? page : null;
    } catch (error) {
      if (view !== views) return null;
      const { retryAfter } = /** @type {Failure} */ (error);
      say(t("not-fetched", { reason: reason(error) }));
      const wait = 500 + Math.random() * Math.min(20_000, 1000 * 2 ** attempt);
      await new Promise((resolve) => setTimeout(resolve, Math.max(wait, retryAfter)));
    }
  }
}

/** Shows what the filter asks for now. */
export async function refresh() {
  const page = await fetchFirst();
  if (page) replace(page);
}

/** The first page, and not null: it is where the events go on from.
 * @param {boolean} [shared] it may be a little older than now; else it has as many notes as are shown */
export async function fetchNow(shared = false) {
  const limit = Math.min(LARGEST_PAGE, Math.max(PAGE_SIZE, cards.size));
  for (;;) {
    const page = await fetchFirst(limit, shared);
    if (page) return page;
  }
}

/** @param {number} limit */
async function fetchNext(limit) {
  const view = views;
  const start = paging.next;
  const page = await fetchPage(start, limit);
  // What came meanwhile may begin there, too, and reach further.
  if (view === views && start === paging.next) append(page);
}

/** Fetches and shows all remaining pages. Rejects with a Failure. */
export async function fetchAll() {
  const view = views;
  while (paging.next && view === views) await fetchNext(LARGEST_PAGE);
}

export async function showMore() {
  if (more.disabled || !paging.next) return;
  more.disabled = true;
  try {
    await fetchNext(sorted.length > LARGEST_PAGE ? LARGEST_PAGE : PAGE_SIZE);
  } catch (error) {
    say(/** @type {Failure} */ (error).message);
  }
  more.disabled = false;
  // The button is still in view, because pages of a search may be short: fetch the next one, too.
  if (paging.next && more.getBoundingClientRect().top < innerHeight + 600) setTimeout(showMore, 100);
}

