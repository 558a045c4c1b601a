/**
 * The form for a new note.
 */
import { say } from "./api.js";
import { LONGEST, board } from "./cards.js";
import { draft, keepDraft } from "./drafts.js";
import { element, t } from "./paper.js";
import { wishNew } from "./pinning.js";

const COUNT_FROM = LONGEST - 200;
/** Under which the draft of a new note is kept. */
const NAME = `board:${board}`;

const form = element("composer");
const field = /** @type {HTMLTextAreaElement} */ (form.elements.text);

/** What is typed outlives the page. */
let isKept = true;

function count() {
  const length = [...field.value.trim()].length;
  const counter = element("counter");
  counter.hidden = length < COUNT_FROM;
  counter.textContent = t("characters-of", { count: length, most: LONGEST });
  counter.toggleAttribute("data-over", length > LONGEST);
  return length;
}

function pickColor() {
  form.elements.color[Math.floor(Math.random() * form.elements.color.length)].checked = true;
}

/** One's own name, once there is one: names.js. @returns {string | undefined} */
function writer() {
  try {
    return JSON.parse(localStorage["corkboard:me"]).name;
  } catch {
    return undefined;
  }
}

function pin() {
  const text = field.value.trim();
  const length = count();
  if (!length || length > LONGEST) {
    say(length ? t("too-long", { count: length, most: LONGEST }) : t("write-first"));
    field.focus();
    return;
  }
  say("");
  wishNew({ board, text, color: form.elements.color.value, author: writer() });
  field.value = "";
  keepDraft(NAME, "");
  count();
  pickColor();
  field.focus();
}

/** Nothing of what was written is lost: it is in the form again.
 * @param {string} text @param {string} message why */
export function giveBack(text, message) {
  field.value = field.value.trim() ? `${text}\n\n${field.value}` : text;
  isKept = keepDraft(NAME, field.value);
  count();
  say(message);
}

/** Makes the form ready, with what was typed before. */
export function openComposer() {
  pickColor();
  field.value ||= draft(NAME)?.text ?? "";
  count();
}

form.addEventListener("submit", (/** @type {SubmitEvent} */ submit) => {
  submit.preventDefault();
  pin();
});
form.querySelector(".send button").disabled = false;
form.addEventListener("input", () => {
  count();
  isKept = keepDraft(NAME, field.value);
});
addEventListener("beforeunload", (event) => {
  if (!isKept && field.value.trim()) event.preventDefault();
});
form.addEventListener("keydown", (/** @type {KeyboardEvent} */ { key, ctrlKey, metaKey, isComposing }) => {
  if (key === "Enter" && (ctrlKey || metaKey) && !isComposing) form.requestSubmit();
});
