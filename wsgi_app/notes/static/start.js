/**
 * Loads the wall's script, and retries until it is there: without it the page can do nothing.
 */
const script = new URL("./main.js", import.meta.url);

import("./main.js").catch(async () => {
  document.body.dataset.incomplete = "";
  do await new Promise((resolve) => setTimeout(resolve, 3000 + Math.random() * 7000));
  while (!(await fetch(script, { cache: "reload" }).then(({ ok }) => ok, () => false)));
  // Browsers do not load a module again at the same address.
  location.reload();
});
