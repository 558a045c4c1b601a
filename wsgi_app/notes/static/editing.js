/**
 * Editing a note in place.
 *
 * @typedef {import("./paper.js").Card} Card
 */
import { say } from "./api.js";
import { LONGEST, remove } from "./cards.js";
import { draft, keepDraft } from "./drafts.js";
import { makeEditor } from "./editor.js";
import { schedule } from "./layout.js";
import { t } from "./paper.js";
import { wishNew } from "./pinning.js";
import { change } from "./undo.js";
import { bodyOf } from "./wishes.js";

/** Opens the editor on a card, or goes to the one that is open. @param {Card} card */
export function edit(card) {
  const paper = /** @type {HTMLElement} */ (card.item?.firstElementChild);
  if (card.editor) return /** @type {HTMLElement} */ (paper.querySelector("textarea")).focus();
  const form = makeEditor();
  const [field, message, conflict] = ["textarea", ".message", ".conflict"].map((name) => form.querySelector(name));
  const [mine, theirs] = conflict.querySelectorAll("button");
  const begun = draft(card.note.id);
  let { text: original } = card.note;
  /** The note's text when its editor was opened, or when its writer last decided a conflict. */
  let agreed = begun?.original ?? original;
  let gone = false;
  let kept = true;
  field.value = begun?.text ?? original;
  paper.toggleAttribute("data-editing", true);
  paper.prepend(form);

  function close() {
    card.editor = null;
    form.remove();
    paper.removeAttribute("data-editing");
    removeEventListener("beforeunload", warn);
    schedule();
    if (gone) remove(card.note.id, { animate: true });
    else /** @type {HTMLElement} */ (paper.querySelector("[data-act=edit]")).focus();
  }

  const isDirty = () => field.value.trim() !== original;
  /** @param {BeforeUnloadEvent} event */
  function warn(event) {
    if (isDirty() && !kept) event.preventDefault();
  }

  /** Closes the editor and removes the draft: the text was saved or discarded. */
  function finish() {
    keepDraft(card.note.id, "");
    close();
  }

  function leave() {
    const dirty = isDirty();
    if (dirty && !kept) return void (message.textContent = t("no-room"));
    close();
    if (dirty) say(t("change-is-kept"), true);
  }

  function keep() {
    message.textContent = "";
    kept = keepDraft(card.note.id, isDirty() ? field.value : "", agreed);
  }

  /** Shows the other version beside the text that is being written, and asks which one to keep.
   * @param {string} what @param {string} text @param {string} yes @param {string} no */
  function ask(what, text, yes, no) {
    conflict.hidden = false;
    conflict.querySelector(".what").textContent = what;
    conflict.querySelector(".theirs").textContent = text;
    mine.textContent = yes;
    theirs.textContent = no;
  }

  /** Asks, if the note has changed since its writer began. */
  function compare() {
    conflict.hidden = [agreed, field.value.trim()].includes(original);
    if (conflict.hidden) return;
    ask(t("now-says"), original, t("keep-mine"), t("take-theirs"));
  }

  card.editor = {
    changed(note) {
      const follows = !isDirty() && note.text !== original;
      ({ text: original } = note);
      gone = false;
      if (follows) field.value = original;
      if (follows) agreed = original;
      compare();
    },
    removed() {
      gone = true;
      ask(t("deleted-meanwhile"), "", t("pin-mine"), t("let-go"));
    },
  };

  function save() {
    const text = field.value.trim();
    const length = [...text].length;
    message.textContent = "";
    if (!length || length > LONGEST) {
      message.textContent = length ? t("edit-too-long", { count: length, most: LONGEST }) : t("needs-text");
      return field.focus();
    }
    finish();
    if (gone) wishNew(bodyOf({ ...card.note, text }));
    else if (text !== original) change([[card, { text }]], t("note-changed"));
  }

  form.addEventListener("submit", (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    if (conflict.hidden) save();
    else mine.focus();
  });
  form.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    event.stopPropagation();
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.isComposing) form.requestSubmit();
    if (event.key === "Escape" && !event.isComposing && conflict.hidden) leave();
  });
  form.addEventListener("input", keep);
  form.querySelector(".cancel").addEventListener("click", finish);
  mine.addEventListener("click", () => {
    conflict.hidden = true;
    agreed = original;
    keep();
    save();
  });
  theirs.addEventListener("click", finish);
  addEventListener("beforeunload", warn);
  compare();
  field.focus();
  field.setSelectionRange(field.value.length, field.value.length);
}
