/**
 * Announces other people's new notes: to screen readers, and in the title of a tab that is in the background.
 */
import { element, t } from "./paper.js";

const GATHER_FOR = 1000;
let title = document.title;

/** Texts that were not announced yet; of several only the number is announced. @type {string[]} */
let news = [];
let unseen = 0;

/** Sets the document's title. @param {string} text */
export function entitle(text) {
  title = text;
  document.title = unseen ? `(${unseen}) ${title}` : title;
}

/** @param {string} text of a new note */
export function tell(text) {
  if (document.hidden) document.title = `(${(unseen += 1)}) ${title}`;
  if (news.push(text) > 1) return;
  setTimeout(() => {
    element("announcer").textContent =
      news.length === 1 ? t("new-note-says", { text: news[0].slice(0, 200) }) : t("new-notes", { count: news.length });
    news = [];
  }, GATHER_FOR);
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  unseen = 0;
  document.title = title;
});
