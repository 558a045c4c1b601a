/**
 * Gives back the text of notes that were deleted while somebody was changing them here.
 */
import { addressOf, request } from "./api.js";
import { board, deleted } from "./cards.js";
import { giveBack } from "./composer.js";
import { draft, draftsOf, keepDraft } from "./drafts.js";
import { cards, t } from "./paper.js";

/** @param {string} id @returns {Promise<boolean>} whether the note is not there any more */
async function isGone(id) {
  return deleted.has(id) || request(addressOf(id)).then(() => false, ({ status }) => status === 404);
}

/** Looks for drafts of notes that are gone: deleted just now, or while nobody was here. */
export async function checkDrafts() {
  for (const id of draftsOf(board)) {
    if (cards.has(id) || !(await isGone(id))) continue;
    const kept = draft(id);
    if (!kept) continue;
    giveBack(kept.text, t("gone-while-changing"));
    keepDraft(id, "");
  }
}
