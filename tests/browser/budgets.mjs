// What a first visit costs: bytes of the document, stylesheet, script and icons as they are transferred, who was asked, and whether anything
// moved after it was drawn.
//
// Usage: budgets.mjs BASE_URL CHROMIUM     Ends with 1 and names page and bytes when a budget is passed.

import { get } from "node:http";

import { base, check, pages, withBrowser } from "./site.mjs";

const KB = 1_000;
// Documents by page; everything else has the last. Search has rows and facets like Logs, and its chart twice: as a picture and as a table.
const budgets = [
  [/^\/$/, 25 * KB], [/^\/services($|\?)/, 25 * KB], [/^\/services\//, 30 * KB], [/^\/traces/, 40 * KB], [/^\/trace\//, 50 * KB], [/^\/compare/, 40 * KB],
  [/^\/map/, 30 * KB], [/^\/logs/, 25 * KB], [/^\/query/, 15 * KB], [/^\/(status|settings|saved|start|help|nowhere)/, 12 * KB],
];
const ASSETS = 48 * KB, FIRST_VISIT = 100 * KB, SCRIPT = 14 * KB, STYLE = 12 * KB;

// What a browser that names these encodings is sent: how it is packed, and how long the body is.
const sent = (url, encodings) => new Promise((done, failed) => {
  get(url, { headers: { "accept-encoding": encodings } }, (answer) => {
    let length = 0;
    answer.on("data", (part) => { length += part.length; });
    answer.on("end", () => done({ length, coding: answer.headers["content-encoding"] ?? "nothing" }));
  }).on("error", failed);
});

async function visit(browser, path) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  await page.addInitScript(() => {
    globalThis.moved = 0;
    new PerformanceObserver((list) => { for (const entry of list.getEntries()) globalThis.moved += entry.value; }).observe({ type: "layout-shift", buffered: true });
  });
  const wire = await context.newCDPSession(page);
  await wire.send("Network.enable");
  const [urls, bytes] = [new Map(), new Map()];
  wire.on("Network.requestWillBeSent", ({ requestId, request }) => urls.set(requestId, request.url));
  wire.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => bytes.set(urls.get(requestId), encodedDataLength));
  await page.goto(base + path, { waitUntil: "load" });
  await page.locator("html[data-ready]").waitFor();
  // The favicon may come later; it is an asset as well.
  await page.waitForLoadState("networkidle").catch(() => {});
  const moved = await page.evaluate(() => globalThis.moved);
  await context.close();
  const document = [...bytes].filter(([url]) => new URL(url).pathname + new URL(url).search === path).reduce((sum, [, size]) => sum + size, 0);
  const assets = [...bytes].filter(([url]) => new URL(url).pathname.includes("/a/")).reduce((sum, [, size]) => sum + size, 0);
  return { document, assets, moved, foreign: [...urls.values()].filter((url) => /^http/.test(url) && new URL(url).origin !== base), asked: [...urls.values()] };
}

await withBrowser(async (browser) => {
  let files = [];
  for (const path of await pages()) {
    const seen = await visit(browser, path);
    files = seen.asked.filter((url) => /\/a\//.test(url));
    const [, most] = budgets.find(([pattern]) => pattern.test(path)) ?? budgets.at(-1);
    check(seen.document > 0, `${path}: its bytes were not seen`);
    check(seen.document <= most, `${path} has ${seen.document} bytes; its budget is ${most}`);
    check(seen.assets > 0 && seen.assets <= ASSETS, `${path}: stylesheet, script and icons have ${seen.assets} bytes; their budget is ${ASSETS}`);
    check(seen.document + seen.assets <= FIRST_VISIT, `${path}: a first visit takes ${seen.document + seen.assets} bytes`);
    check(seen.moved <= 0.02, `${path}: what was drawn moved by ${seen.moved.toFixed(3)}`);
    for (const url of seen.foreign) check(false, `${path} asked ${url}`);
    console.error(`${path.slice(0, 60)}: document ${seen.document}, assets ${seen.assets}, moved ${seen.moved.toFixed(4)}`);
  }
  for (const [ending, most] of [["app.js", SCRIPT], ["app.css", STYLE]]) {
    const url = files.find((known) => known.endsWith(ending));
    // As Chromium and Firefox ask over TLS and on this machine, and over plain HTTP elsewhere.
    const [best, plain] = [await sent(url, "gzip, deflate, br, zstd"), await sent(url, "gzip, deflate")];
    console.error(`${ending}: ${best.length} bytes by ${best.coding}, ${plain.length} by ${plain.coding}`);
    check(best.length <= most, `${ending} is sent with ${best.length} bytes by ${best.coding}; its budget is ${most}`);
  }
});
