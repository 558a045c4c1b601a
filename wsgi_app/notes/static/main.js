/**
 * The wall: fetches the list, shows it, follows the events from its cursor, and pins new notes.
 *
 * The first view needs this module and those that it imports, which are served as one: asgi_app/client/joining.py.
 * Modules for changing notes (changing.js, editing.js, undo.js), arranging them (arranging.js, selecting.js), finding
 * them (finding.js), people (people.js), offline use (offline.js) and sending (outbox.js, undecided.js) are loaded later.
 *
 * @typedef {import("/ws/client/types").Event} Event
 */
import { request, say } from "./api.js";
import { apply, board, deleted, followAll, isWanted, own, still, tick } from "./cards.js";
import { giveBack, openComposer } from "./composer.js";
import { draftsOf } from "./drafts.js";
import { later } from "./later.js";
import { isReading, letIn, observe, render } from "./layout.js";
import { append, fetchNow, overhear, refresh, replace, showMore } from "./lists.js";
import { about, cards, element, list, locale, sorted, t } from "./paper.js";
import { openQueue, send } from "./queue.js";
import { isShortcut } from "./shortcuts.js";

/** A wall that has grown to this many notes while it was open is loaded anew. */
const MOST_NOTES = 8000;
const clock = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" });

const topic = `board:${board}`;
const more = element("more");

/** Who is here, for people.js. @type {import("./people.js").Here} */
const here = {
  me: null,
  named: [],
  count: 1,
  changed: () => {},
  // Only over a WebSocket can a client say who it is.
  introduce: () => void (connection.transport === "websocket" && realtime?.introduce(topic)),
};

/** @typedef {typeof import("/ws/client/shared.js")} Client */
/** @type {ReturnType<Client["connect"]> | null} */
let realtime = null;

// --- Loaded later --------------------------------------------------------------------------------

const changing = later("./changing.js", () => import("./changing.js"));
const finding = later("./finding.js", () => import("./finding.js"));
const arranging = later("./arranging.js", () => import("./arranging.js"));
const selecting = later("./selecting.js", () => import("./selecting.js"));
const boards = later("./boards.js", () => import("./boards.js"));
const folding = later("./folding.js", () => import("./folding.js"));
const titling = later("./title.js", () => import("./title.js"));
const news = later("./news.js", () => import("./news.js"));
const keeping = later("./offline.js", () => import("./offline.js"));
const meeting = later("./people.js", () => import("./people.js"));
const sending = later("./outbox.js", () => import("./outbox.js"));
const keys = later("./keys.js", () => import("./keys.js"));
const deciding = later("./undecided.js", () => import("./undecided.js"));
const losing = later("./losing.js", () => import("./losing.js"));

/** Handles actions whose module could not be loaded. */
const sayUnloaded = () => say(t("try-later"));

/** @param {string} type @param {Element} where @param {(event: any) => void} act */
function on(type, where, act) {
  where.addEventListener(type, act);
}

on("click", list, (event) => {
  const { target, ctrlKey, metaKey, shiftKey } = event;
  const picks = list.hasAttribute("data-selecting") || ctrlKey || metaKey || shiftKey;
  if (picks && !target.closest("a, .fold, textarea, [data-editing]")) selecting().then(({ pick }) => pick(event), sayUnloaded);
  else changing().then(({ click }) => click(event), sayUnloaded);
});
on("pointerdown", list, (event) => arranging().then(({ grab }) => grab(event), () => undefined));
on("click", element("select"), () => selecting().then(({ toggle }) => toggle(), sayUnloaded));
on("dblclick", list, (event) => changing().then(({ doubleClick }) => doubleClick(event), sayUnloaded));
on("keydown", list, (event) => {
  if (event.altKey && /^(Arrow|Home$|End$)/.test(event.key) && !event.target.closest(".editor, .palette")) {
    event.preventDefault();
    arranging().then(({ moveByKey }) => moveByKey(event), sayUnloaded);
  }
  if (!event.key.startsWith("Arrow") || event.altKey || !event.target.matches("[data-act]")) return;
  event.preventDefault();
  changing().then(({ step }) => step(event), () => undefined);
});
on("input", element("finder"), () => finding().then(({ find }) => find(refresh), sayUnloaded));
on("submit", element("finder"), (event) => {
  event.preventDefault();
  finding().then(({ findNow }) => findNow(refresh), sayUnloaded);
});
on("click", element("everything"), () => finding().then(({ showEverything }) => showEverything(refresh), sayUnloaded));
on("keydown", document.body, (event) => {
  if (!isShortcut(event)) return;
  event.preventDefault();
  keys().then(({ press }) => press(event.key), sayUnloaded);
});
// Once it is made, the browser opens it.
on("click", element("board-name"), () => element("boards") || boards().then(({ open }) => open(), sayUnloaded));
on("click", list, ({ target }) => {
  if (target.closest(".fold")) folding().then(({ turn }) => turn(target), sayUnloaded);
});
// When something scrolls inside a folded note, as "find in page" does, the note unfolds.
list.addEventListener("scroll", (/** @type {any} */ { target }) => {
  if (target.matches("[data-folded] > .text")) folding().then(({ unfold }) => unfold(target), sayUnloaded);
}, true);
on("click", more, showMore);
on("click", element("newer"), () => {
  letIn();
  render(false);
  scrollTo({ top: 0, behavior: still.matches ? "instant" : "smooth" });
});

const signs = new AbortController();
function warmUp() {
  signs.abort();
  meeting().then(({ meet }) => meet(here), () => undefined);
  Promise.allSettled([arranging(), finding(), boards(), folding(), meeting(), sending(), deciding(), keys(), losing()])
    .then(keeping)
    .then(({ keepPage }) => keepPage())
    .catch(() => undefined);
}
for (const sign of ["pointermove", "pointerdown", "keydown", "touchstart"]) {
  addEventListener(sign, warmUp, { signal: signs.signal, passive: true });
}
setTimeout(() => signs.signal.aborted || warmUp(), 10_000);

// --- The page -----------------------------------------------------------------------------------

/** Shows the board's title, and remembers the board as opened. The HTML may be a moment older than the list.
 * @param {import("./paper.js").Board | undefined} known @param {boolean} [force] it counts, even if its version is lower */
function showBoard(known, force = false) {
  if (known && (force || known.version > about.version)) Object.assign(about, known);
  const shown = element("title").textContent;
  if (shown !== (about.title || board)) titling().then(({ showTitle }) => showTitle(), () => undefined);
  try {
    localStorage[`corkboard:recent:${board}`] = JSON.stringify({ at: Date.now(), title: about.title });
  } catch {
    // Storage is forbidden or full.
  }
}

function checkDrafts() {
  if (draftsOf(board).length) losing().then((found) => found.checkDrafts(), () => undefined);
}

let trimming = false;

/** @param {Event} event */
function receive(event) {
  const { type, data, request_id } = event;
  overhear(event);
  if (type === "board.updated") return showBoard(data);
  tick();
  apply(event);
  if (type === "note.deleted" && !cards.has(data.id)) checkDrafts();
  if (type === "note.created" && isWanted(data) && !own.has(request_id)) {
    news().then(({ tell }) => tell(data.text), () => undefined);
  }
  if (sorted.length > MOST_NOTES && !isReading() && !trimming) {
    trimming = true;
    refresh().then(() => (trimming = false));
  }
}

/** Fetches the list again after events were lost; the events go on from its cursor. */
async function showAnew() {
  deleted.clear();
  const page = await fetchNow();
  replace(page);
  showBoard(page.board, true);
  checkDrafts();
  return page;
}

/** @type {{status: import("/ws/client/types").Status, transport: import("/ws/client/types").Transport | null,
 *   behind: string | null}} `behind`: since when the server may have missed events */
const connection = { status: "connecting", transport: null, behind: null };
let wasLive = false;

/** @param {Partial<typeof connection>} news */
function showStatus(news) {
  const { status, transport, behind } = Object.assign(connection, news);
  const since = status === "live" && behind;
  wasLive ||= status === "live";
  if (status !== "live") {
    element("people").hidden = true;
    here.named = [];
    here.changed();
  }
  element("status").dataset.status = since ? "behind" : status;
  element("state").textContent = since
    ? t("behind-since", { time: clock.format(new Date(since)) })
    : t(status === "connecting" && wasLive ? "reconnecting" : status);
  element("transport").textContent = transport && !since ? t(`by-${transport}`) : "";
  if (status === "live" && !since) send();
}

/** Loads the sidecar's script, and retries until it is there: notes can be read and written without it. */
async function client() {
  for (let attempt = 0; ; attempt += 1) {
    try {
      // Browsers do not request a failed module again at the same address.
      return /** @type {Client} */ (await import(`/ws/client/shared.js${attempt ? `?${attempt}` : ""}`));
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 1000 + Math.random() * Math.min(20_000, 1000 * 2 ** attempt)));
    }
  }
}

async function begin() {
  element("incomplete").remove();
  openComposer();
  observe();
  if (location.search) await finding().then(({ findAsAddressed }) => findAsAddressed(), () => undefined);
  followAll();
  openQueue(sending, deciding, giveBack, () => finding().then(({ sayHidden }) => sayHidden(refresh), () => undefined));
  const first = await fetchNow(true);
  list.ariaBusy = "false";
  append(first);
  showBoard(first.board);
  render();
  if (location.search) finding().then(({ showFound }) => showFound(), () => undefined);
  checkDrafts();
  new IntersectionObserver(([seen]) => seen.isIntersecting && showMore(), { rootMargin: "1200px" }).observe(more);
  const { connect } = await client();
  realtime = connect({
    // Nobody signs in here: all tabs of a browser have the same rights.
    share: "wall",
    topics: { [topic]: first.cursor },
    onEvent: receive,
    snapshot: showAnew,
    onStatus: (status, transport) => showStatus({ status, transport }),
    onBehind: (behind) => showStatus({ behind }),
    renewTicket: () => request("/api/tickets", { method: "POST" }),
    me: () => here.me,
    onPeople(_, named) {
      here.named = named;
      here.changed();
    },
    onPresence(_, people) {
      here.count = people;
      here.changed();
      element("people").hidden = false;
      element("count").textContent = people > 1 ? people : "";
      element("here").textContent = people > 1 ? ` ${t("people-here")}` : t("only-you");
    },
  });
}

begin();
