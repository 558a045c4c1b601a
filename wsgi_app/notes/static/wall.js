/**
 * The wall: fetch the list, show it, go on from its cursor with what happens, and pin what is written here.
 *
 * What the first view needs is here; changing notes (editing.js) and finding them (finding.js) are loaded when
 * somebody is there.
 *
 * @typedef {{id: string, board: string, text: string, color: string, done: boolean, version: number,
 *   created_at: string, updated_at: string}} Note
 * @typedef {{notes: Note[], next: string | null, cursor: string}} Page
 * @typedef {import("./realtime.js").Event} Event
 * @typedef {{changed: (note: Note) => void, removed: () => void}} Editor told what happens to its note meanwhile
 * @typedef {object} Card a note and its place on the wall
 * @property {Note} note version 0: not at the server yet
 * @property {HTMLElement | null} item null: too far away to be shown
 * @property {Column | null} column null: held back while somebody reads further down
 * @property {number} height pixels; 0: not measured at this width yet
 * @property {number} y
 * @property {boolean} fresh
 * @property {Editor | null} editor
 * @typedef {{cards: Card[], left: number, height: number, slack: number}} Column newest on top; `slack`: pixels that
 *   it hangs too low, so that what happens further up moves nothing under the eyes of somebody who reads
 */
import { connect } from "./realtime.js";

const PAGE_SIZE = 50;
const LARGEST_PAGE = 200;
const ANSWER_WITHIN = 10_000;
/** Notes that are all in the page, for "find in page" and for those who have it read; of more, the neighbourhood. */
const ALL_IN_PAGE = 300;
/** A wall that was left open for weeks begins anew at this size. */
const MOST_NOTES = 8000;
const NARROWEST = 15; // rem
const TILTS = 7;
const LONGEST = 2000;
const COUNT_FROM = 1800;
const STATUS = { connecting: "Connecting", live: "Live", offline: "Offline", stopped: "No access" };
const TRANSPORT = { websocket: "WebSocket", sse: "event stream", poll: "polling" };

export const board = document.body.dataset.board ?? "main";
const topic = `board:${board}`;
const dateFormat = new Intl.DateTimeFormat(undefined, {
  day: "numeric", month: "short", hour: "2-digit", minute: "2-digit",
});

export const element = (/** @type {string} */ id) => /** @type {any} */ (document.getElementById(id));
const wall = element("wall");
export const list = element("notes");
const template = element("note");
const form = element("composer");
const more = element("more");
const newer = element("newer");
const still = matchMedia("(prefers-reduced-motion: reduce)");

/** Every note that is known here. @type {Map<string, Card>} */
export const cards = new Map();
/** The same, newest first. @type {Card[]} */
export const sorted = [];
/** Deleted lately: an answer that was on its way must not bring them back. @type {Set<string>} */
const deleted = new Set();
/** Request ids of this tab's own changes: their events are no news. @type {Set<string>} */
const own = new Set();
/** Events that came while a list was on its way: the list may be older. @type {Set<Event[]>} */
const listening = new Set();
/** What is looked for. @type {{q: string, done: boolean | null}} */
export const filter = { q: "", done: null };
/** @type {string | null} */
let nextPage = null;

// --- The API ------------------------------------------------------------------------------------

/** A request that failed. The message can be shown as it is. */
export class Failure extends Error {
  /** @param {string} message @param {number} status 0: no answer @param {number} retryAfter milliseconds */
  constructor(message, status = 0, retryAfter = 0) {
    super(message);
    Object.assign(this, { name: "Failure" });
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/** `crypto.randomUUID` exists only on secure origins; a wall in the local network is served by plain HTTP. */
export function randomId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @param {Set<string>} set @param {string} id */
function remember(set, id) {
  set.add(id);
  if (set.size > 1000) for (const oldest of set) return void set.delete(oldest);
}

/**
 * One call of the API. The event that it causes will be known as ours.
 * @param {string} path
 * @param {{method?: string, body?: object, headers?: Record<string, string>, id?: string}} [init]
 */
export async function request(path, { method = "GET", body, headers = {}, id = randomId() } = {}) {
  if (method !== "GET") remember(own, id);
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: { ...headers, "X-Request-Id": id, ...(body && { "Content-Type": "application/json" }) },
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(ANSWER_WITHIN),
    });
  } catch {
    throw new Failure(navigator.onLine ? "The server does not answer." : "There is no network.");
  }
  const answer = await response.json().catch(() => null);
  if (response.ok && answer) return answer;
  const wait = Number(response.headers.get("Retry-After")) * 1000 || 0;
  const status = response.ok ? 0 : response.status;
  throw new Failure(answer?.detail ?? answer?.title ?? `The server answered ${response.status}.`, status, wait);
}

/** @param {string | null} [page] @param {number} [limit] @returns {Promise<Page & {meanwhile: Event[]}>} */
async function fetchPage(page, limit = PAGE_SIZE) {
  /** @type {Event[]} */
  const meanwhile = [];
  listening.add(meanwhile);
  const query = new URLSearchParams({ board, limit: String(limit) });
  if (page) query.set("page", page);
  if (filter.q) query.set("q", filter.q);
  if (filter.done !== null) query.set("done", String(filter.done));
  try {
    return { ...(await request(`/api/notes?${query}`)), meanwhile };
  } finally {
    listening.delete(meanwhile);
  }
}

// --- Where a card hangs -------------------------------------------------------------------------

/** @type {Column[]} */
let columns = [];
let width = 0;
let gap = 0;
let rem = 16;
/** Where the list begins in the document. */
let top = 0;
let scheduled = false;

/** Asks for the next frame to show what has changed. */
export function schedule() {
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(() => {
    scheduled = false;
    render();
  });
}

/** A guess for what has not been shown yet. @param {Card} card */
function estimate({ note: { text } }) {
  const perLine = width / (text.length < 50 ? 14 : 10);
  const lines = text.split("\n").reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / perLine)), 0);
  return Math.max(9.5 * rem, lines * 1.6 * rem + 6 * rem);
}

const lead = (/** @type {Column} */ column) => (column === columns[0] ? form.offsetHeight + gap : 0);
const shortest = () => columns.reduce((best, column) => (column.height < best.height ? column : best));

/** A note stays in its column, so that a new one moves few others. @param {Card} card */
function hang(card) {
  const column = shortest();
  const { cards: those } = column;
  card.column = column;
  column.height += (card.height || estimate(card)) + gap;
  if (!those.length || isNewer(those[those.length - 1], card)) return void those.push(card);
  const at = those.findIndex((other) => !isNewer(other, card));
  those.splice(at < 0 ? those.length : at, 0, card);
}

/** @param {Card} one @param {Card} other */
const isNewer = (one, other) => sorted.indexOf(one) < sorted.indexOf(other);

/** Hangs everything anew. */
function hangAll() {
  for (const column of columns) Object.assign(column, { cards: [], height: lead(column), slack: 0 });
  for (const card of sorted) {
    if (!card.column) continue;
    const column = shortest();
    column.cards.push(card);
    column.height += (card.height || estimate(card)) + gap;
    card.column = column;
  }
}

/** The window or its letters have another size. */
function resize() {
  rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  gap = parseFloat(getComputedStyle(wall).columnGap);
  top = list.getBoundingClientRect().top + scrollY;
  const anchor = scrollY > top ? sorted.find((card) => card.item && card.y + top >= scrollY) : undefined;
  const offset = anchor ? anchor.y - scrollY : 0;
  const count = Math.max(1, Math.floor((list.clientWidth + gap) / (NARROWEST * rem + gap)));
  const before = width;
  width = (list.clientWidth + gap) / count - gap;
  wall.style.setProperty("--column", `${width}px`);
  if (width !== before) for (const card of sorted) card.height = 0;
  if (count !== columns.length) {
    columns = Array.from({ length: count }, (_, index) => ({ cards: [], height: 0, left: index, slack: 0 }));
    hangAll();
  }
  for (const [index, column] of columns.entries()) column.left = Math.round(index * (width + gap));
  list.toggleAttribute("data-gliding", false);
  render(false);
  if (anchor) scrollTo(0, anchor.y - offset);
}

function position() {
  let tallest = 0;
  for (const column of columns) {
    let y = lead(column) + column.slack;
    for (const card of column.cards) {
      card.y = y;
      y += (card.height || estimate(card)) + gap;
    }
    column.height = y;
    tallest = Math.max(tallest, y);
  }
  return tallest;
}

const isReading = () => scrollY > top + 200;

/** The card of each column that must not move. @returns {{card: Card, y: number}[]} */
function anchors() {
  return columns.flatMap(({ cards: those }) => {
    const card = those.find(({ item, y, height }) => item && y + height > scrollY - top);
    return card ? [{ card, y: card.y }] : [];
  });
}

/** Shows the cards around what is in view, each in its place. @param {boolean} [anchored] */
function render(anchored = isReading()) {
  if (!isReading()) release();
  const fixed = anchored ? anchors() : [];
  const overscan = innerHeight;
  let shown;
  let height;
  for (let pass = 0; pass < 3; pass += 1) {
    height = position();
    for (const { card, y } of fixed) if (card.column) card.column.slack += y - card.y;
    if (fixed.length) height = position();
    const [from, to] = [scrollY - top - overscan, scrollY - top + innerHeight + overscan];
    shown = sorted.filter(
      (card) =>
        card.column &&
        (sorted.length <= ALL_IN_PAGE || card.editor || (card.y < to && card.y + card.height > from) ||
          card.item?.contains(document.activeElement)),
    );
    attach(shown);
    if (!measure(shown)) break;
  }
  wall.style.height = `${height}px`;
  for (const card of shown ?? []) {
    const item = /** @type {HTMLElement} */ (card.item);
    const place = `${card.column?.left}px ${Math.round(card.y)}px`;
    if (item.style.translate !== place) item.style.translate = place;
  }
}

/** Puts these and only these into the document, in reading order. @param {Card[]} shown */
function attach(shown) {
  const keep = new Set(shown);
  for (const item of [...list.children]) {
    const card = cards.get(item.dataset.id);
    if (card && keep.has(card) && card.item === item) continue;
    if (card && card.item === item) card.item = null;
    if (item.hasAttribute("data-leaving")) continue;
    heights.unobserve(item.firstElementChild);
    item.remove();
  }
  const setSize = String(nextPage ? -1 : sorted.length);
  let index = 0;
  let next = list.firstElementChild;
  for (const card of shown) {
    while (next?.hasAttribute("data-leaving")) next = next.nextElementSibling;
    while (sorted[index] !== card) index += 1;
    const item = card.item ?? make(card);
    if (item === next) next = next.nextElementSibling;
    else list.insertBefore(item, next);
    if (sorted.length > ALL_IN_PAGE) {
      item.setAttribute("aria-posinset", String(index + 1));
      item.setAttribute("aria-setsize", setSize);
    }
  }
}

/** @param {Card[]} shown @returns {boolean} whether a card is not as high as it was thought to be */
function measure(shown) {
  let differs = false;
  for (const card of shown) {
    if (card.height) continue;
    const paper = /** @type {HTMLElement} */ (card.item?.firstElementChild);
    card.height = paper.offsetHeight;
    differs = true;
  }
  return differs;
}

/** Whatever makes a card higher: an editor, another font. */
const heights = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const item = /** @type {HTMLElement} */ (target.parentElement);
    const card = cards.get(item.dataset.id ?? "");
    const height = /** @type {HTMLElement} */ (target).offsetHeight;
    if (target === form.firstElementChild) schedule();
    else if (card && height && card.height !== height) {
      card.height = height;
      schedule();
    }
  }
});

// --- Cards --------------------------------------------------------------------------------------

/** A card looks the same in every tab and after every reload. @param {string} id */
const tilt = (id) => [...id].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 9973, 7) % TILTS;

/** @param {Card} card */
function make(card) {
  const item = template.content.firstElementChild.cloneNode(true);
  card.item = item;
  item.firstElementChild.toggleAttribute("data-fresh", card.fresh);
  card.fresh = false;
  fill(card);
  heights.observe(item.firstElementChild);
  return item;
}

/** @param {Card} card */
function fill({ note, item }) {
  if (!item) return;
  const part = (/** @type {string} */ name) => /** @type {any} */ (item.querySelector(name));
  const paper = part(".note");
  const name = note.text.length > 60 ? `${note.text.slice(0, 60)}…` : note.text;
  item.dataset.id = note.id;
  paper.dataset.color = note.color;
  paper.dataset.tilt = tilt(note.id);
  paper.dataset.length = note.text.length < 50 ? "short" : note.text.length < 400 ? "medium" : "long";
  paper.toggleAttribute("data-done", note.done);
  paper.toggleAttribute("data-waiting", note.version === 0);
  part(".text").textContent = note.text;
  part("time").dateTime = note.created_at;
  part("time").textContent = note.version ? dateFormat.format(new Date(note.created_at)) : "Waiting to be sent";
  for (const button of item.querySelectorAll("[data-act]")) {
    /** @type {HTMLButtonElement} */ (button).disabled = note.version === 0;
    button.setAttribute("aria-label", `${/** @type {HTMLElement} */ (button).title}: ${name}`);
  }
  part("[data-act=done]").ariaPressed = String(note.done);
}

/** @param {Card} card @param {Note} note */
export function show(card, note) {
  if (card.note.text !== note.text) card.height = 0;
  card.note = note;
  fill(card);
}

/**
 * Show a note, or its newer version. What is already shown in this version or a later one is left alone.
 * @param {Note} note
 * @param {{fresh?: boolean, force?: boolean}} [how] fresh: it happened just now and goes on top;
 *   force: this version counts, even if it is the lower one
 */
export function put(note, { fresh = false, force = false } = {}) {
  const known = cards.get(note.id);
  if (deleted.has(note.id) || (known && isShown(known.note, note, force))) return;
  if (known) {
    const { text, color } = known.note;
    show(known, note);
    known.editor?.changed(note);
    if (text !== note.text || color !== note.color) nudge(known);
  } else {
    /** @type {Card} */
    const card = { note, item: null, column: null, height: 0, y: 0, fresh, editor: null };
    cards.set(note.id, card);
    sort(card);
    // Nothing may jump under the eyes of somebody who reads further down.
    if (fresh && note.version && isReading()) held.push(card);
    else hang(card);
    showHeld();
  }
  list.toggleAttribute("data-gliding", !still.matches && !isBusy());
  showEmpty();
  schedule();
}

/** @param {Note} known @param {Note} note @param {boolean} force */
const isShown = (known, note, force) =>
  force ? known.version === note.version && known.updated_at === note.updated_at : known.version >= note.version;

/** Among notes of the same moment a fresh one goes first. @param {Card} card */
function sort(card) {
  const time = (/** @type {Card} */ { note }) => Date.parse(note.created_at);
  const at = time(card);
  let index = card.fresh ? 0 : sorted.length;
  if (card.fresh) while (index < sorted.length && time(sorted[index]) > at) index += 1;
  else while (index > 0 && time(sorted[index - 1]) < at) index -= 1;
  sorted.splice(index, 0, card);
}

/** @param {string} id @param {{animate?: boolean}} [how] */
export function remove(id, { animate = false } = {}) {
  const card = cards.get(id);
  if (!card) return;
  cards.delete(id);
  sorted.splice(sorted.indexOf(card), 1);
  if (held.includes(card)) held.splice(held.indexOf(card), 1);
  card.column?.cards.splice(card.column.cards.indexOf(card), 1);
  if (card.item) leave(card.item, animate && !still.matches && !isBusy());
  list.toggleAttribute("data-gliding", !still.matches && !isBusy());
  showHeld();
  showEmpty();
  schedule();
}

/** @param {HTMLElement} item @param {boolean} animate */
function leave(item, animate) {
  heights.unobserve(/** @type {Element} */ (item.firstElementChild));
  if (!animate) return item.remove();
  item.dataset.leaving = "";
  item.inert = true;
  item.ariaHidden = "true";
  const fall = item.animate([{}, { opacity: 0, scale: 0.9 }], { duration: 180, easing: "ease-in" });
  fall.onfinish = fall.oncancel = () => item.remove();
}

/** Shows that somebody changed this. @param {Card} card */
function nudge({ item }) {
  if (still.matches || isBusy()) return;
  item?.firstElementChild?.animate([{}, { scale: 1.04 }, {}], { duration: 350, easing: "ease-out" });
}

/** When much happens at once, moving paper tires the eyes (and the machine). @type {number[]} */
const times = [];
function isBusy() {
  return times.length > 8 && performance.now() - times[times.length - 8] < 1500;
}

/** Fresh notes of others, held back while somebody reads further down. @type {Card[]} */
const held = [];
function release() {
  for (const column of columns) column.slack = 0;
  if (!held.length) return;
  for (const card of held.splice(0)) hang(card);
  showHeld();
}

function showHeld() {
  newer.hidden = !held.length;
  newer.textContent = held.length === 1 ? "1 new note ↑" : `${held.length} new notes ↑`;
}

function showEmpty() {
  const isFiltered = Boolean(filter.q) || filter.done !== null;
  element("empty").hidden = cards.size > 0 || isFiltered || list.ariaBusy === "true";
  element("nothing").hidden = cards.size > 0 || !isFiltered || list.ariaBusy === "true";
}

// --- What happens -------------------------------------------------------------------------------

/** @param {Note} note */
function isWanted({ text, done }) {
  return text.toLowerCase().includes(filter.q.toLowerCase()) && (filter.done === null || filter.done === done);
}

/** @param {Event} event */
function receive(event) {
  for (const meanwhile of listening) meanwhile.push(event);
  times.push(performance.now());
  if (times.length > 20) times.shift();
  apply(event);
  if (sorted.length > MOST_NOTES && scrollY < top && !trimming) {
    trimming = true;
    refresh().then(() => (trimming = false));
  }
}
let trimming = false;

/** @param {Event} event */
function apply({ type, data, request_id }) {
  if (type === "note.deleted") {
    dropped(data.id);
  } else if (type === "note.created") {
    if (settle(request_id, data) || cards.has(data.id) || !isWanted(data)) return;
    if (!own.has(request_id)) announce(data.text);
    put(data, { fresh: true });
  } else if (type === "note.updated") {
    const known = cards.get(data.id);
    // An older one that is not here comes with its page.
    const isHere = !nextPage || data.created_at > (sorted.at(-1)?.note.created_at ?? "");
    if (known?.editor || (isWanted(data) && (known || isHere))) put(data);
    else remove(data.id, { animate: true });
  }
}

/** A note is gone for good; whoever is editing it decides what becomes of the text. @param {string} id */
export function dropped(id) {
  remember(deleted, id);
  const editor = cards.get(id)?.editor;
  if (editor) editor.removed();
  else remove(id, { animate: true });
}

/** Other people's notes, for those who listen. A burst is told as a number. @type {string[]} */
let news = [];
/** @param {string} text */
function announce(text) {
  if (news.push(text) > 1) return;
  setTimeout(() => {
    element("announcer").textContent =
      news.length === 1 ? `New note: ${news[0].slice(0, 200)}` : `${news.length} new notes`;
    news = [];
  }, 1000);
}

// --- Lists --------------------------------------------------------------------------------------

/** @param {string} text shown below the form until the next one; empty: nothing to say
 * @param {boolean} [calm] there is nothing that one would have to do */
export function say(text, calm = false) {
  element("message").textContent = text;
  element("message").toggleAttribute("data-calm", calm);
}

/** @param {Page & {meanwhile: Event[]}} page */
function append({ notes, next, meanwhile }) {
  nextPage = next;
  for (const note of notes) put(note);
  meanwhile.forEach(apply);
  more.hidden = !nextPage;
  showEmpty();
}

/** Shows this list and nothing else, what waits to be sent excepted. @param {Page & {meanwhile: Event[]}} page */
function replace(page) {
  const ids = new Set(page.notes.map(({ id }) => id));
  for (const { note, editor } of [...sorted]) if (note.version && !editor && !ids.has(note.id)) remove(note.id);
  for (const note of page.notes) put(note, { force: true });
  append(page);
  release();
  hangAll();
  list.toggleAttribute("data-gliding", false);
}

let views = 0;

/** The first page, however long it takes; null when another one was asked for meanwhile. @param {number} [limit] */
async function fetchFirst(limit) {
  const view = (views += 1);
  for (let attempt = 0; ; attempt += 1) {
    try {
      const page = await fetchPage(null, limit);
      if (attempt) say("");
      return view === views ? page : null;
    } catch (error) {
      if (view !== views) return null;
      const { message, retryAfter } = /** @type {Failure} */ (error);
      say(`The notes could not be fetched, trying again. ${message}`);
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

/** Events were lost: nothing that is shown can be trusted. Show the list again and go on from there. */
async function resync() {
  realtime?.unsubscribe(topic);
  deleted.clear();
  const page = await fetchNow(Math.min(LARGEST_PAGE, Math.max(PAGE_SIZE, cards.size)));
  replace(page);
  realtime?.subscribe(topic, page.cursor);
}

/** The first page, and not null: it is where the events go on from. @param {number} [limit] */
async function fetchNow(limit) {
  for (;;) {
    const page = await fetchFirst(limit);
    if (page) return page;
  }
}

async function showMore() {
  if (more.disabled || !nextPage) return;
  more.disabled = true;
  const view = views;
  try {
    const page = await fetchPage(nextPage, sorted.length > LARGEST_PAGE ? LARGEST_PAGE : PAGE_SIZE);
    if (view === views) append(page);
  } catch (error) {
    say(/** @type {Failure} */ (error).message);
  }
  more.disabled = false;
  // Still in view, as a search in a big board may give short pages: go on.
  if (nextPage && more.getBoundingClientRect().top < innerHeight + 600) setTimeout(showMore, 100);
}

// --- Writing: a note is kept here until the server has it ---------------------------------------

/** @typedef {{key: string, at: number, board: string, text: string, color: string, done?: boolean}} Entry */
const KEPT = "corkboard:note:";
/** Where storage is forbidden or full, notes are kept as long as the page. @type {Map<string, Entry>} */
const entries = new Map();

/** What waits to be sent, oldest first, other tabs' and other boards' included. @returns {Entry[]} */
function waiting() {
  const all = new Map(entries);
  try {
    for (const name of Object.keys(localStorage)) {
      const key = name.slice(KEPT.length);
      if (name.startsWith(KEPT) && !all.has(key)) all.set(key, JSON.parse(localStorage[name]));
    }
  } catch {
    // Not ours to read, or not written by us.
  }
  return [...all.values()].sort((one, other) => one.at - other.at);
}

/** @param {Entry} entry */
function keep(entry) {
  entries.set(entry.key, entry);
  try {
    localStorage[KEPT + entry.key] = JSON.stringify(entry);
  } catch {
    // Kept in memory.
  }
}

/** @param {string} key */
function forget(key) {
  entries.delete(key);
  try {
    localStorage.removeItem(KEPT + key);
  } catch {
    // It never was there.
  }
}

/** @param {Entry} entry @param {boolean} fresh */
function showWaiting({ key, at, text, color, done = false, board: where }, fresh) {
  if (where !== board || cards.has(key)) return;
  const time = new Date(at).toISOString();
  put({ id: key, board, text, color, done, version: 0, created_at: time, updated_at: time }, { fresh });
}

/** The server has the note that was sent under this key: the card that waited becomes it.
 * @param {string} key @param {Note} note @returns {boolean} */
function settle(key, note) {
  const card = cards.get(key);
  if (!card) return false;
  if (cards.has(note.id) || deleted.has(note.id) || !isWanted(note)) {
    remove(key);
    return true;
  }
  cards.delete(key);
  cards.set(note.id, card);
  card.note = note;
  card.height = 0;
  fill(card);
  schedule();
  return true;
}

let sending = false;
let pause = 1000;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let sendTimer;

/** Sends what waits, one after the other, so that notes hang in the order in which they were written. */
export async function send() {
  if (sending) return;
  sending = true;
  clearTimeout(sendTimer);
  try {
    for (let entry; (entry = waiting()[0]); ) await sendOne(entry);
    pause = 1000;
  } catch (error) {
    const { message, retryAfter } = /** @type {Failure} */ (error);
    say(`${message} What you wrote is kept here and sent as soon as it can be.`, true);
    sendTimer = setTimeout(send, Math.max(retryAfter, (0.5 + Math.random() / 2) * pause));
    pause = Math.min(30_000, pause * 2);
  }
  sending = false;
}

/** The same key and the same id each time: however often it is sent, it is pinned once. @param {Entry} entry */
async function sendOne(entry) {
  const { key, board: where, text, color, done } = entry;
  try {
    const note = await request("/api/notes", {
      method: "POST",
      body: { board: where, text, color, done },
      headers: { "Idempotency-Key": key },
      id: key,
    });
    forget(key);
    if (!settle(key, note) && where === board && isWanted(note)) put(note, { fresh: true });
    say("");
  } catch (error) {
    const { status, message } = /** @type {Failure} */ (error);
    if (status < 400 || status >= 500 || [408, 409, 425, 429].includes(status)) throw error;
    forget(key);
    remove(key);
    // Refused for good. Nothing of what was written is lost.
    field.value = field.value.trim() ? `${text}\n\n${field.value}` : text;
    count();
    say(message);
  }
}

const field = /** @type {HTMLTextAreaElement} */ (form.elements.text);

function count() {
  const length = [...field.value.trim()].length;
  const counter = element("counter");
  counter.hidden = length < COUNT_FROM;
  counter.textContent = `${length} of ${LONGEST} characters`;
  counter.toggleAttribute("data-over", length > LONGEST);
  return length;
}

function pickColor() {
  form.elements.color[Math.floor(Math.random() * form.elements.color.length)].checked = true;
}

/** Pins a note, now or as soon as the network lets it through. @param {{text: string, color: string, done?: boolean}} note */
export function pinNote(note) {
  const entry = { key: randomId(), at: Date.now(), board, ...note };
  keep(entry);
  showWaiting(entry, true);
  send();
}

function pin() {
  const text = field.value.trim();
  const length = count();
  if (!length || length > LONGEST) {
    say(length ? `A note has at most ${LONGEST} characters; this one has ${length}.` : "Write something first.");
    field.focus();
    return;
  }
  say("");
  pinNote({ text, color: form.elements.color.value });
  field.value = "";
  count();
  pickColor();
  field.focus();
}

form.addEventListener("submit", (/** @type {SubmitEvent} */ submit) => {
  submit.preventDefault();
  pin();
});
form.addEventListener("input", count);
form.addEventListener("keydown", (/** @type {KeyboardEvent} */ { key, ctrlKey, metaKey, isComposing }) => {
  if (key === "Enter" && (ctrlKey || metaKey) && !isComposing) form.requestSubmit();
});

// --- Loaded when somebody is there ---------------------------------------------------------------

/** @template T @param {() => Promise<T>} load */
function later(load) {
  /** @type {Promise<T> | null} */
  let loaded = null;
  return () =>
    (loaded ??= load().catch((error) => {
      loaded = null;
      say("The server does not answer. Try again in a moment.");
      throw error;
    }));
}
const editing = later(() => import("./editing.js"));
const finding = later(() => import("./finding.js"));

/** @param {string} type @param {Element} where @param {(event: any) => void} act */
function on(type, where, act) {
  where.addEventListener(type, act);
}

on("click", list, (event) => editing().then(({ click }) => click(event), () => undefined));
on("dblclick", list, (event) => editing().then(({ doubleClick }) => doubleClick(event), () => undefined));
on("keydown", list, (event) => {
  if (!event.key.startsWith("Arrow") || event.altKey || !event.target.matches("[data-act]")) return;
  event.preventDefault();
  editing().then(({ step }) => step(event), () => undefined);
});
on("input", element("finder"), () => finding().then(({ find }) => find(), () => undefined));
for (const id of ["finder", "go"]) {
  on("submit", element(id), (event) => {
    event.preventDefault();
    finding().then(({ submit }) => submit(event.target), () => undefined);
  });
}
on("click", element("copy"), () => finding().then(({ copyAddress }) => copyAddress(), () => undefined));
on("click", element("everything"), () => finding().then(({ showEverything }) => showEverything(), () => undefined));
on("click", more, showMore);
on("click", newer, () => scrollTo({ top: 0, behavior: still.matches ? "instant" : "smooth" }));

const signs = new AbortController();
function warmUp() {
  signs.abort();
  editing().catch(() => undefined);
  finding().catch(() => undefined);
}
for (const sign of ["pointermove", "pointerdown", "keydown", "touchstart"]) {
  addEventListener(sign, warmUp, { signal: signs.signal, passive: true });
}
setTimeout(() => signs.signal.aborted || warmUp(), 10_000);

// --- The page -----------------------------------------------------------------------------------

/** @type {ReturnType<typeof connect> | null} */
let realtime = null;

/** @param {import("./realtime.js").Status} status @param {import("./realtime.js").Transport | null} transport */
function showStatus(status, transport) {
  if (status === "live") {
    STATUS.connecting = "Reconnecting";
    if (waiting().length) send();
  }
  if (status !== "live") element("people").hidden = true;
  element("status").dataset.status = status;
  element("state").textContent = STATUS[status];
  element("transport").textContent = transport ? TRANSPORT[transport] : "";
}

async function begin() {
  resize();
  pickColor();
  heights.observe(form.firstElementChild);
  new ResizeObserver(() => list.clientWidth && resize()).observe(wall.parentElement);
  addEventListener("scroll", schedule, { passive: true });
  addEventListener("online", send);
  for (const entry of waiting()) showWaiting(entry, false);
  send();
  const first = await fetchNow();
  list.ariaBusy = "false";
  append(first);
  hangAll();
  render();
  new IntersectionObserver(([seen]) => seen.isIntersecting && showMore(), { rootMargin: "1200px" }).observe(more);
  realtime = connect({
    topics: { [topic]: first.cursor },
    onEvent: receive,
    onResync: resync,
    onStatus: showStatus,
    onPresence(_, people) {
      element("people").hidden = false;
      element("count").textContent = people > 1 ? people : "";
      element("here").textContent = people > 1 ? " people here" : "Only you here";
    },
  });
}

begin();
