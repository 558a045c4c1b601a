/**
 * Undo, by a button or by Ctrl+Z; and the toast that says what was done.
 *
 * @typedef {import("./paper.js").Card} Card
 * @typedef {import("./paper.js").Note} Note
 * @typedef {{back: () => unknown}} Step
 */
import { Failure } from "./api.js";
import { deleted, idOf } from "./cards.js";
import { cards, element, t } from "./paper.js";
import { same, waits } from "./waiting.js";
import { wish } from "./wishes.js";

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
  // It stays while the pointer or the focus is on it.
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
/** Steps are undone one after the other: one may depend on the step after it. */
let undoing = Promise.resolve();

/**
 * Says what was done, and remembers how to take it back.
 * @param {string} text
 * @param {Step["back"]} back throws when it cannot be taken back
 */
export function undoable(text, back) {
  steps.push({ back });
  if (steps.length > MOST_STEPS) steps.shift();
  toast(text, t("undo"), undo);
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
  const isWriting = /** @type {Element} */ (event.target).closest?.("textarea, input:not([type=radio], [type=checkbox])");
  if (!steps.length || isWriting || event.key !== "z" || !(event.ctrlKey || event.metaKey) || event.shiftKey) return;
  event.preventDefault();
  undo();
});

// --- Changes ------------------------------------------------------------------------------------

/**
 * Changes notes at once, and queues the changes to be sent. One undo takes all of them back.
 * @param {[Card, Partial<Note>][]} wanted @param {string} said
 */
export function change(wanted, said) {
  const begun = wanted.map(([{ base, note }, changes]) => {
    const fields = /** @type {(keyof Note)[]} */ (Object.keys(changes));
    const before = Object.fromEntries(fields.map((field) => [field, note[field]]));
    wish(base, changes);
    return () => revert({ ...note, ...changes }, before, changes);
  });
  undoable(said, () => all(begun.reverse()));
}

/** Runs all functions, and then throws the first error, if any. @param {(() => void)[]} acts */
function all(acts) {
  /** @type {unknown[]} */
  const failures = [];
  for (const act of acts) {
    try {
      act();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length) throw failures[0];
}

/**
 * Gives a note its previous values, unless somebody has changed them since.
 * @param {Note} left as it was left here
 * @param {Partial<Note>} before
 * @param {Partial<Note>} after what was made of them here
 */
function revert(left, before, after) {
  const id = idOf(left.id);
  const card = cards.get(id);
  if (waits(id)?.isGone || (!card && deleted.has(id))) throw new Failure(t("deleted-meanwhile"), 404);
  const now = card?.note ?? left;
  if (Object.entries(after).some(([field, value]) => !same(now[/** @type {keyof Note} */ (field)], value))) {
    throw new Failure(t("changed-meanwhile"), 409);
  }
  // Where it is not shown any more, what is known of it may be old: outbox.js sees to that.
  wish(card?.base ?? { ...left, id }, before);
}
