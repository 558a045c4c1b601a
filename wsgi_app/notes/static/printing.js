/**
 * The wall on real paper: all notes, whether they are in view or not.
 */
import { hangAll } from "./layout.js";
import { fetchAll } from "./lists.js";
import { element, paging, t } from "./paper.js";

addEventListener("beforeprint", () => {
  hangAll(true);
  // A browser's own command does not wait for what is still at the server.
  element("not-printed").textContent = paging.next ? t("not-printed") : "";
});
addEventListener("afterprint", () => hangAll(false));

/** Prints the board once all of it is here. Rejects with a Failure. */
export async function printBoard() {
  await fetchAll();
  print();
}
