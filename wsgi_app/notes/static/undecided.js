/**
 * Asks what to do with changes that cannot be sent as they are: somebody else was faster, or the server refuses them.
 *
 * @typedef {import("./waiting.js").Entry} Entry
 */
import { LONGEST, board } from "./cards.js";
import { makeEditor } from "./editor.js";
import { element, t } from "./paper.js";
import { wishNew } from "./pinning.js";
import { forget, keep, same, waiting, waits } from "./waiting.js";
import { bodyOf, decide } from "./wishes.js";

/** The open questions, by the keys of their entries. @type {Map<string, {form: HTMLFormElement, asked: Entry}>} */
const shown = new Map();

const box = element("undecided");

/** Shows a question for each entry of this board that has to be decided, and removes all others. */
export function ask() {
  const open = waiting().filter(({ held, base }) => held && base.board === board);
  for (const [key, { form, asked }] of shown) {
    if (open.some((entry) => entry.key === key && same(entry.held, asked.held))) continue;
    shown.delete(key);
    form.remove();
  }
  for (const entry of open) if (!shown.has(entry.key)) show(entry);
  box.hidden = !shown.size;
}

/** The texts of a question: what happened, their text, and the two buttons. @param {Entry} entry @returns {[string, string, string, string]} */
function words({ base, changes, held, isGone }) {
  if (held?.why === "gone") return [t("deleted-meanwhile"), "", t("pin-mine"), t("let-go")];
  if (held?.why === "conflict") {
    const what = t(changes.text === undefined ? "other-paper" : "now-says");
    return [what, held.theirs.text, t("keep-mine"), t("take-theirs")];
  }
  const what = t(isGone ? "not-deleted" : "not-changed", { why: held?.message });
  return [what, changes.text === undefined ? base.text : "", t("try-again"), t("let-go")];
}

/** @param {Entry} entry */
function show(entry) {
  const { key, changes } = entry;
  const form = makeEditor();
  const [field, message, conflict] = ["textarea", ".message", ".conflict"].map((name) => form.querySelector(name));
  const [mine, theirs] = conflict.querySelectorAll("button");
  const [what, text, yes, no] = words(entry);
  shown.set(key, { form, asked: entry });
  form.querySelector(".keep").remove();
  field.hidden = changes.text === undefined;
  field.value = changes.text ?? "";
  conflict.hidden = false;
  conflict.querySelector(".what").textContent = what;
  conflict.querySelector(".theirs").textContent = text;
  mine.textContent = yes;
  theirs.textContent = no;
  form.addEventListener("submit", (/** @type {Event} */ event) => event.preventDefault());
  mine.addEventListener("click", () => {
    const length = [...field.value.trim()].length;
    const fits = field.hidden || (length && length <= LONGEST);
    message.textContent = fits ? "" : length ? t("edit-too-long", { count: length, most: LONGEST }) : t("needs-text");
    if (fits) insist(key, field.hidden ? {} : { text: field.value.trim() });
  });
  theirs.addEventListener("click", () => letGo(key));
  box.append(form);
}

/** @param {string} key @param {{text?: string}} written what was made of the text since */
function insist(key, written) {
  const entry = waits(key);
  if (!entry) return;
  const { held, base } = entry;
  const changes = { ...entry.changes, ...written };
  if (held?.why === "gone") {
    forget(key);
    wishNew(bodyOf({ ...base, ...changes }));
  } else if (held?.why === "conflict") decide({ ...entry, base: held.theirs, changes, tried: [] });
  else decide({ ...entry, changes });
}

/** @param {string} key */
function letGo(key) {
  const entry = waits(key);
  if (!entry) return;
  const { held, base } = entry;
  if (held?.why !== "conflict") {
    // The server does not have it.
    if (entry.isBack) keep({ ...entry, isBack: false, deleted: base.version });
    return forget(key);
  }
  const changes = { ...entry.changes };
  for (const field of /** @type {(keyof typeof changes)[]} */ (Object.keys(changes))) {
    if (!same(held.theirs[field], base[field])) delete changes[field];
  }
  decide({ ...entry, base: held.theirs, changes, tried: [] });
}
