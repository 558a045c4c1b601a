/**
 * Loads the wall's script, and retries until it is there: without it the page can do nothing.
 *
 * A page whose version the site has no files of any more gets this script all the same. It is loaded anew, once: what
 * comes then is the site's own version, or something in between has kept the page, and a person has to see that.
 */
const script = new URL("./main.js", import.meta.url);
const version = new URL(".", script).pathname;

/** Whether the site has another version than this page. */
async function isOutdated() {
  const page = await fetch(location.href, { cache: "reload" });
  return page.ok && !(await page.text()).includes(version);
}

/** Loads the page anew if the site has another version, unless that was tried before. */
async function leave() {
  try {
    if (sessionStorage["corkboard:left"] === version || !(await isOutdated())) return;
    sessionStorage["corkboard:left"] = version;
    location.reload();
  } catch {
    // There is no network, or no storage to remember that it was tried.
  }
}

// A part that is loaded later (later.js) is gone, too.
addEventListener("corkboard:gone", leave);

import("./main.js").catch(async () => {
  document.body.dataset.incomplete = "";
  for (let isFirst = true; ; isFirst = false) {
    const { ok, status } = await fetch(script, { cache: "reload" }).catch(() => Response.error());
    // Browsers do not load a module again at the same address.
    if (ok && !isFirst) location.reload();
    if (status === 404) await leave();
    await new Promise((resolve) => setTimeout(resolve, 3000 + Math.random() * 7000));
  }
});
