// Walks through every page in headless Chromium on the shop's data and finds the failing checkout from Home by keyboard.
//
// Usage: walk.mjs BASE_URL CHROMIUM     Ends with 1 and says why when a page fails, logs an error or violates its CSP.

import { base, isRefused, isWhole, pages, problems, watched, withBrowser } from "./site.mjs";

async function open(page, path) {
  const response = await page.goto(base + path, { waitUntil: "load" });
  if (response.ok() === isRefused(path)) problems.push(`${path}: status ${response.status()}`);
  if (!response.headers()["content-security-policy"]) problems.push(`${path}: no CSP`);
  if ((await page.locator("h1").count()) !== 1) problems.push(`${path}: not exactly one h1`);
  if (!(await page.title())) problems.push(`${path}: no title`);
}

// Presses Tab until the focused element satisfies the test, and then Enter. No mouse.
async function tabTo(page, what, test, limit = 300) {
  for (let step = 0; step < limit; step++) {
    await page.keyboard.press("Tab");
    if (await page.evaluate(test)) {
      const here = page.url();
      await Promise.all([page.waitForURL((to) => to.href !== here), page.keyboard.press("Enter")]);
      return page.locator("html[data-ready]").waitFor();
    }
  }
  throw new Error(`${page.url()}: no ${what} is reached by Tab`);
}

async function findTheFailingCheckout(context) {
  const page = await watched(context);
  await open(page, "/");
  await tabTo(page, "link to failing traces", () => {
    const link = document.activeElement?.closest("a[href]");
    return Boolean(link && document.querySelector("main")?.contains(link) && /status(:|%3A)error/.test(link.href));
  });
  await tabTo(page, "failing trace", () => {
    const link = document.activeElement?.closest("a[href]");
    return Boolean(link && document.querySelector("main")?.contains(link) && /\/trace\/[0-9a-f]{32}/.test(link.href));
  });
  if (!/\/trace\/[0-9a-f]{32}/.test(page.url())) throw new Error(`no trace was opened but ${page.url()}`);
  await page.keyboard.press("e");
  await page.waitForURL(/span=[0-9a-f]{16}/).catch(() => { throw new Error(`"e" did not select the failing span: ${page.url()}`); });
  const text = await page.locator("main").innerText();
  if (!/error/i.test(text)) throw new Error("the page of the failing trace does not say error");
  await page.close();
}

await withBrowser(async (browser) => {
  for (const javaScriptEnabled of [true, false]) {
    const all = await pages(isWhole || javaScriptEnabled);
    for (const colorScheme of isWhole ? ["light", "dark"] : [javaScriptEnabled ? "light" : "dark"]) {
      const context = await browser.newContext({ javaScriptEnabled, colorScheme });
      const page = await watched(context);
      for (const path of all) await open(page, path);
      await context.close();
    }
  }
  await findTheFailingCheckout(await browser.newContext());
});
