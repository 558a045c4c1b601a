/**
 * The wall: fetch the list, show it, go on from its cursor with what happens, and pin what is written here.
 *
 * The first view needs this module, api.js, layout.js and cards.js. Changing notes (changing.js, editing.js) and
 * finding them (finding.js) is loaded when somebody is there.
 *
 * @typedef {import("./api.js").Failure} Failure
 * @typedef {import("./layout.js").Note} Note
 * @typedef {import("/ws/client/types").Event} Event
 * @typedef {{notes: Note[], next: string | null, cursor: string, meanwhile: Event[]}} Page `meanwhile`: events that
 *   came while it was on its way
 */
import { draft, keepDraft, openOutbox, pinNote, request, say, send } from "./api.js";
import {
  LONGEST, apply, board, deleted, filter, put, remove, showEmpty, still, tick,
} from "./cards.js";
import { cards, element, hangAll, isReading, letIn, list, observe, paging, render, sorted } from "./layout.js";

const PAGE_SIZE = 50;
const LARGEST_PAGE = 200;
/** A wall that was left open for weeks begins anew at this size. */
const MOST_NOTES = 8000;
const COUNT_FROM = LONGEST - 200;
const STATUS = { connecting: "Connecting", live: "Live", offline: "Offline", stopped: "No access" };
const TRANSPORT = { websocket: "WebSocket", sse: "event stream", poll: "polling" };

const topic = `board:${board}`;
const form = element("composer");
const more = element("more");
const newer = element("newer");

/** @typedef {typeof import("/ws/client/realtime.js")} Client */
/** @type {ReturnType<Client["connect"]> | null} */
let realtime = null;

// --- Lists --------------------------------------------------------------------------------------

/** Events that came while a list was on its way: the list may be older. @type {Set<Event[]>} */
const listening = new Set();

/** @param {string | null} [page] @param {number} [limit] @param {boolean} [shared] it may be a little older than now
 * @returns {Promise<Page>} */
async function fetchPage(page, limit = PAGE_SIZE, shared = false) {
  /** @type {Event[]} */
  const meanwhile = [];
  listening.add(meanwhile);
  // In exactly this form nginx has one for everybody.
  const query = new URLSearchParams(shared ? { board, shared: "1" } : { board, limit: String(limit) });
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
function append({ notes, next, meanwhile }) {
  paging.next = next;
  for (const note of notes) put(note);
  meanwhile.forEach(apply);
  more.hidden = !next;
  showEmpty();
}

/** Shows this list and nothing else, what waits to be sent excepted. @param {Page} page */
function replace(page) {
  const ids = new Set(page.notes.map(({ id }) => id));
  for (const { note, editor } of [...sorted]) if (note.version && !editor && !ids.has(note.id)) remove(note.id);
  for (const note of page.notes) put(note, { force: true });
  append(page);
  letIn();
  hangAll();
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
      const { message, retryAfter } = /** @type {Failure} */ (error);
      say(`The notes could not be fetched, trying again. ${message}`);
      const wait = 500 + Math.random() * Math.min(20_000, 1000 * 2 ** attempt);
      await new Promise((resolve) => setTimeout(resolve, Math.max(wait, retryAfter)));
    }
  }
}

/** Shows what the filter asks for now. */
async function refresh() {
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

/** The first page, and not null: it is where the events go on from.
 * @param {number} [limit] @param {boolean} [shared] */
async function fetchNow(limit, shared) {
  for (;;) {
    const page = await fetchFirst(limit, shared);
    if (page) return page;
  }
}

async function showMore() {
  if (more.disabled || !paging.next) return;
  more.disabled = true;
  const view = views;
  try {
    const page = await fetchPage(paging.next, sorted.length > LARGEST_PAGE ? LARGEST_PAGE : PAGE_SIZE);
    if (view === views) append(page);
  } catch (error) {
    say(/** @type {Failure} */ (error).message);
  }
  more.disabled = false;
  // Still in view, as a search in a big board may give short pages: go on.
  if (paging.next && more.getBoundingClientRect().top < innerHeight + 600) setTimeout(showMore, 100);
}

// --- The form -----------------------------------------------------------------------------------

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
  keepDraft(topic, "");
  count();
  pickColor();
  field.focus();
}

form.addEventListener("submit", (/** @type {SubmitEvent} */ submit) => {
  submit.preventDefault();
  pin();
});
form.querySelector(".send button").disabled = false;
form.addEventListener("input", () => {
  count();
  keepDraft(topic, field.value);
});
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
const changing = later(() => import("./changing.js"));
const finding = later(() => import("./finding.js"));

/** @param {string} type @param {Element} where @param {(event: any) => void} act */
function on(type, where, act) {
  where.addEventListener(type, act);
}

on("click", list, (event) => changing().then(({ click }) => click(event), () => undefined));
on("dblclick", list, (event) => changing().then(({ doubleClick }) => doubleClick(event), () => undefined));
on("keydown", list, (event) => {
  if (!event.key.startsWith("Arrow") || event.altKey || !event.target.matches("[data-act]")) return;
  event.preventDefault();
  changing().then(({ step }) => step(event), () => undefined);
});
on("input", element("finder"), () => finding().then(({ find }) => find(refresh), () => undefined));
for (const id of ["finder", "go"]) {
  on("submit", element(id), (event) => {
    event.preventDefault();
    finding().then(({ submit }) => submit(event.target, refresh), () => undefined);
  });
}
on("click", element("copy"), () => finding().then(({ copyAddress }) => copyAddress(), () => undefined));
on("click", element("everything"), () => finding().then(({ showEverything }) => showEverything(refresh), () => undefined));
on("click", more, showMore);
on("click", newer, () => scrollTo({ top: 0, behavior: still.matches ? "instant" : "smooth" }));

const signs = new AbortController();
function warmUp() {
  signs.abort();
  changing().catch(() => undefined);
  finding().catch(() => undefined);
}
for (const sign of ["pointermove", "pointerdown", "keydown", "touchstart"]) {
  addEventListener(sign, warmUp, { signal: signs.signal, passive: true });
}
setTimeout(() => signs.signal.aborted || warmUp(), 10_000);

// --- The page -----------------------------------------------------------------------------------

let trimming = false;

/** @param {Event} event */
function receive(event) {
  for (const meanwhile of listening) meanwhile.push(event);
  tick();
  apply(event);
  if (sorted.length > MOST_NOTES && !isReading() && !trimming) {
    trimming = true;
    refresh().then(() => (trimming = false));
  }
}

/** @param {import("/ws/client/types").Status} status
 * @param {import("/ws/client/types").Transport | null} transport */
function showStatus(status, transport) {
  if (status === "live") {
    STATUS.connecting = "Reconnecting";
    send();
  }
  if (status !== "live") element("people").hidden = true;
  element("status").dataset.status = status;
  element("state").textContent = STATUS[status];
  element("transport").textContent = transport ? TRANSPORT[transport] : "";
}

/** The sidecar's script, however long it takes: notes can be read and written without it. */
async function client() {
  for (let attempt = 0; ; attempt += 1) {
    try {
      // A script that could not be fetched is not asked for again at the same address.
      return /** @type {Client} */ (await import(`/ws/client/realtime.js${attempt ? `?${attempt}` : ""}`));
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 1000 + Math.random() * Math.min(20_000, 1000 * 2 ** attempt)));
    }
  }
}

async function begin() {
  pickColor();
  field.value ||= draft(topic);
  count();
  observe();
  openOutbox((text, message) => {
    // Nothing of what was written is lost.
    field.value = field.value.trim() ? `${text}\n\n${field.value}` : text;
    keepDraft(topic, field.value);
    count();
    say(message);
  });
  const first = await fetchNow(PAGE_SIZE, true);
  list.ariaBusy = "false";
  append(first);
  hangAll();
  render();
  new IntersectionObserver(([seen]) => seen.isIntersecting && showMore(), { rootMargin: "1200px" }).observe(more);
  const { connect } = await client();
  realtime = connect({
    topics: { [topic]: first.cursor },
    onEvent: receive,
    onResync: resync,
    onStatus: showStatus,
    renewTicket: () => request("/api/tickets", { method: "POST" }),
    onPresence(_, people) {
      element("people").hidden = false;
      element("count").textContent = people > 1 ? people : "";
      element("here").textContent = people > 1 ? " people here" : "Only you here";
    },
  });
}

begin();
