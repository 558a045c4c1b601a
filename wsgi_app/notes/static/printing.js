/**
 * Prints the wall: all notes, whether they are in view or not.
 */
import { hangAll } from "./layout.js";
import { fetchAll } from "./lists.js";
import { element, paging, t } from "./paper.js";

addEventListener("beforeprint", () => {
  hangAll(true);
  // The browser's own print command does not wait for notes that are not loaded yet.
  element("not-printed").textContent = paging.next ? t("not-printed") : "";
});
addEventListener("afterprint", () => hangAll(false));

/** Loads all notes, and prints the board. Rejects with a Failure. */
export async function printBoard() {
  await fetchAll();
  print();
}
