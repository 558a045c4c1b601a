/**
 * Taking back what was done here, by a button or by Ctrl+Z; and the toast that says what was done.
 *
 * @typedef {import("./paper.js").Note} Note
 * @typedef {{back: () => Promise<unknown>}} Step
 */
import { Failure, addressOf, pinNote, request } from "./api.js";
import { deleted, put } from "./cards.js";
import { element, t } from "./paper.js";

const MOST_STEPS = 20;
const SHOWN_FOR = 10_000;

// --- The toast ----------------------------------------------------------------------------------

const box = element("toast");
const button = box.querySelector("button");

/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
/** @type {(() => void) | undefined} */
let offered;

/** @param {string} text @param {string} [label] of the button @param {() => void} [act] what it does */
export function toast(text, label = "", act) {
  element("toast-text").textContent = text;
  button.hidden = !label;
  button.textContent = label;
  box.dataset.open = "";
  offered = act;
  fade();
}

function fade() {
  clearTimeout(timer);
  // It stays for as long as somebody has a hand on it.
  timer = setTimeout(() => (box.matches(":hover, :focus-within") ? fade() : hide()), SHOWN_FOR);
}

function hide() {
  clearTimeout(timer);
  delete box.dataset.open;
  button.hidden = true;
  element("toast-text").textContent = "";
}

button.addEventListener("click", () => {
  const act = offered;
  hide();
  act?.();
  element("text").focus();
});

// --- Steps --------------------------------------------------------------------------------------

/** What can be taken back, newest last. @type {Step[]} */
const steps = [];
/** One after the other: a step may need what the one after it has undone. */
let undoing = Promise.resolve();

/**
 * Says what was done, and remembers how to take it back.
 * @param {string} text
 * @param {Step["back"]} back rejects when it cannot be taken back
 * @returns {() => void} for what failed after all: forgets it
 */
export function undoable(text, back) {
  const step = { back };
  steps.push(step);
  if (steps.length > MOST_STEPS) steps.shift();
  toast(text, t("undo"), undo);
  return () => void (steps.includes(step) && steps.splice(steps.indexOf(step), 1));
}

function undo() {
  undoing = undoing.then(takeBack);
}

async function takeBack() {
  const step = steps.pop();
  if (!step) return;
  try {
    await step.back();
    toast(t("undone"));
  } catch (error) {
    const { status, message } = /** @type {Failure} */ (error);
    const isFinal = status >= 400 && status < 500 && status !== 429;
    if (!isFinal) steps.push(step);
    toast(t("not-undone", { why: message }), isFinal ? "" : t("try-again"), undo);
  }
}

document.addEventListener("keydown", (event) => {
  const isWriting = /** @type {Element} */ (event.target).closest?.("textarea, input:not([type=radio])");
  if (!steps.length || isWriting || event.key !== "z" || !(event.ctrlKey || event.metaKey) || event.shiftKey) return;
  event.preventDefault();
  undo();
});

// --- Ways back ----------------------------------------------------------------------------------

/**
 * Gives a note the values that it had, unless somebody has changed them since.
 * @param {string} id
 * @param {Partial<Note>} before
 * @param {Partial<Note>} after what was made of them here
 */
export async function revert(id, before, after) {
  const path = addressOf(id);
  for (;;) {
    const note = await request(path).catch((error) => {
      throw error.status === 404 ? new Failure(t("deleted-meanwhile"), 404) : error;
    });
    if (Object.entries(after).some(([field, value]) => note[field] !== value)) {
      throw new Failure(t("changed-meanwhile"), 409);
    }
    const headers = { "If-Match": `"${note.version}"` };
    try {
      return put(await request(path, { method: "PATCH", body: before, headers }));
    } catch (error) {
      if (/** @type {Failure} */ (error).status !== 412) throw error;
    }
  }
}

/** Hangs a deleted note where it was. @param {Note} note */
export async function restore(note) {
  try {
    const restored = await request(`${addressOf(note.id)}/restore`, { method: "POST" });
    deleted.delete(note.id);
    put(restored);
  } catch (error) {
    // Deleted too long ago: its text comes back as a new note.
    if (![404, 405].includes(/** @type {Failure} */ (error).status)) throw error;
    const { text, color, done } = note;
    pinNote({ text, color, done });
  }
}
