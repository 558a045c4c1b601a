/**
 * Loads the wall's script, and retries until it is there: without it the page can do nothing.
 *
 * A page whose version the site has no files of any more gets this script all the same. It is loaded anew, once a minute
 * at most: what comes then is the site's own version, unless something in between has kept the page, or replicas of the
 * old version still answer beside the new ones.
 */
const script = new URL("./main.js", import.meta.url);
const version = new URL(".", script).pathname;
/** Milliseconds until the same page is loaded anew once more. */
const AGAIN = 60_000;

/** Whether the site has another version than this page. */
async function isOutdated() {
  const page = await fetch(location.href, { cache: "reload" });
  return page.ok && !(await page.text()).includes(version);
}

/** Loads the page anew if the site has another version, unless that was tried a moment ago. */
async function leave() {
  try {
    const [left, at] = (sessionStorage["corkboard:left"] ?? "").split(" ");
    if ((left === version && Math.abs(Date.now() - Number(at)) < AGAIN) || !(await isOutdated())) return;
    sessionStorage["corkboard:left"] = `${version} ${Date.now()}`;
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
