// Does more of what readers do: opens points of a chart, filters where there is little room, cancels what takes long, shares what is long.
//
// Usage: reader.mjs BASE_URL CHROMIUM     Ends with 1 and says why when something is not so.

import { base, check, heatOf, watched, withBrowser } from "./site.mjs";

// Few spans are points: each leads to its trace, with a script and without, and what lies between is selected as on the heat map.
async function opensPoints(context) {
  const plain = await context.browser().newContext({ javaScriptEnabled: false });
  const [from, to] = [Date.now() - 600_000, Date.now() - 20_000].map((ms) => BigInt(ms) * 1_000_000n);
  const url = `${base}/traces?q=service%3Apayment%20status%3Aerror&from=${from}&to=${to}`;
  for (const page of [await watched(context), await watched(plain)]) {
    await page.goto(url);
    const dot = page.locator("svg[data-heat] a.dot").last();
    const [href, name, box] = [await dot.getAttribute("href"), await dot.locator("title").textContent(), await dot.locator("use").boundingBox()];
    check(/payment .*, failed$/.test(name), `a failed span is the point "${name}"`);
    await Promise.all([page.waitForURL((to) => to.pathname + to.search === href), page.mouse.click(box.x + box.width / 2, box.y + box.height / 2)]);
    check((await page.locator("#panel h2, h1").count()) > 1, `the point at ${href} does not open its span`);
    await page.goto(url);
    await page.locator(".as-table > summary").click();
    await Promise.all([page.waitForURL(/sel=/), page.locator(".cells button").first().click()]);
    check((await page.locator(".heat .outline").count()) === 1, "what is selected of the points has no outline");
    await page.close();
  }
  const page = await watched(context);
  await page.goto(url);
  const { cells, at } = await heatOf(page);
  await page.mouse.move(...at(cells[0]));
  await page.mouse.down();
  await page.mouse.move(...at(cells.at(-1)), { steps: 4 });
  await Promise.all([page.waitForURL(/sel=/), page.mouse.up()]);
  check(await page.locator(".selection").isVisible(), "a drag over points selects nothing");
  await page.close();
  await plain.close();
}

// Where the list needs the room, filters are closed until they are asked for, with a script and without; beside it they are open.
async function foldsFilters(browser) {
  for (const javaScriptEnabled of [true, false]) {
    const narrow = await watched(await browser.newContext({ javaScriptEnabled, viewport: { width: 390, height: 844 } }));
    const wide = await watched(await browser.newContext({ javaScriptEnabled, viewport: { width: 1440, height: 900 } }));
    for (const path of ["/traces?q=service%3Apayment", "/traces", "/logs"]) {
      for (const page of [narrow, wide]) await page.goto(base + path);
      const value = (page) => page.locator(".facets a.value").first();
      check(await value(wide).isVisible(), `${path}: filters are closed beside the list`);
      check(!(await value(narrow).isVisible()), `${path}: filters are open where there is no room`);
      const button = narrow.locator(".facets > summary");
      const said = (await button.innerText()).trim();
      check(said === (path.includes("payment") ? "Filter by value (1)" : "Filter by value"), `${path}: the button of the filters says "${said}"`);
      await button.click();
      check(await value(narrow).isVisible(), `${path}: the button does not open the filters`);
      if (path.includes("?")) continue;
      check(await wide.locator(".builder label").first().isVisible(), `${path}: the form is closed`);
      check(!(await narrow.locator(".builder label").first().isVisible()), `${path}: the form is open where there is no room`);
    }
    await narrow.context().close();
    await wide.context().close();
  }
}

// A statement that takes long says so, and is cancelled by key and by button; the server then has time for the next.
async function cancelsStatements(context) {
  const page = await watched(context);
  await page.goto(`${base}/query`);
  // While a page is asked for, nothing is told of what is shown: the page keeps what it said, and where the button was.
  await page.evaluate(() => {
    globalThis.told = [];
    new MutationObserver(() => {
      const button = [...document.querySelectorAll(".console button")].find((one) => one.textContent === "Cancel"), box = button.getBoundingClientRect();
      if (button.checkVisibility()) globalThis.told.push([button.parentElement.textContent, box.x + box.width / 2, box.y + box.height / 2]);
    }).observe(document.querySelector(".console"), { subtree: true, childList: true, attributes: true, characterData: true });
  });
  let place = null;
  for (const cancel of [() => page.keyboard.press("Control+."), () => page.mouse.click(...place)]) {
    await page.locator("#sql").fill("SELECT count(*) FROM spans a, spans b, spans c WHERE a.duration + b.duration + c.duration = 7");
    await page.evaluate(() => { globalThis.told = []; document.querySelector(".console").requestSubmit(); });
    await new Promise((done) => setTimeout(done, 3_500));
    await cancel();
    await page.locator(".flash", { hasText: "Cancelled" }).waitFor({ timeout: 10_000 });
    const told = await page.evaluate(() => globalThis.told);
    check(/^running for [1-9] s Cancel$/.test(told[0]?.[0]), `a long statement says "${told[0]?.[0]}"`);
    place = told[0]?.slice(1) ?? [1, 1];
    check(page.url() === `${base}/query`, `a cancelled statement leads to ${page.url()}`);
    check(!(await page.locator(".console button", { hasText: "Cancel" }).isVisible()), "there is still something to cancel");
    await page.locator(".flash").waitFor({ state: "detached", timeout: 5_000 });
  }
  await page.locator("#sql").fill("SELECT 3 AS three");
  await Promise.all([page.waitForURL(/three/), page.keyboard.press("Control+Enter")]);
  check(await page.locator("table.sql", { hasText: "three" }).isVisible(), "after a cancelled statement the next is not answered");
  await page.close();
}

// An address that is too long for other programs is copied as a short link to the same. A page that came by plain HTTP from another machine
// has no clipboard to write to, and copies all the same.
async function sharesShortLinks(browser, hasClipboard) {
  const context = await browser.newContext({ permissions: ["clipboard-read", "clipboard-write"] });
  const page = await watched(context), other = await watched(context);
  await other.goto(base);
  await other.evaluate(() => navigator.clipboard.writeText("nothing yet"));
  if (!hasClipboard) await page.addInitScript(() => Object.defineProperty(Navigator.prototype, "clipboard", { get: () => undefined }));
  await page.bringToFront();
  const long = `${base}/query?sql=${encodeURIComponent(`SELECT 1 AS one -- ${"x".repeat(1_900)}`)}`;
  await page.goto(long);
  await page.keyboard.press("c");
  await page.locator(".flash", { hasText: "Short link copied" }).waitFor({ timeout: 5_000 });
  await other.bringToFront();
  const copied = await other.evaluate(() => navigator.clipboard.readText());
  await page.bringToFront();
  check(/^http:\/\/[^/]+\/s\/[a-z0-9]{8}$/.test(copied), `what was copied is ${copied.slice(0, 100)}`);
  await page.goto(copied);
  check(page.url() === long, `the short link leads to ${page.url().slice(0, 100)}`);
  await context.close();
}

await withBrowser(async (browser) => {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  for (const act of [opensPoints, cancelsStatements]) await act(context);
  await foldsFilters(browser);
  for (const hasClipboard of [true, false]) await sharesShortLinks(browser, hasClipboard);
});
