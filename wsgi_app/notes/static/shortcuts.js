/**
 * Recognizes the wall's keys, before keys.js, which acts on them, is loaded.
 */
export const OFF = "corkboard:single-keys-off";
const SINGLE = ["?", "n", "/"];
const WRITING = "textarea, select, input:not([type=radio], [type=checkbox]), [contenteditable]";

/** Whether single-letter keys are on. */
export function isOn() {
  try {
    return localStorage.getItem(OFF) === null;
  } catch {
    return true;
  }
}

/** @param {KeyboardEvent} event */
export function isShortcut({ key, target, ctrlKey, metaKey, altKey, isComposing }) {
  if (!SINGLE.includes(key) || ctrlKey || metaKey || altKey || isComposing || !isOn()) return false;
  return !document.querySelector("dialog[open]") && !(/** @type {Element} */ (target).closest?.(WRITING));
}
