// Looks closer than walk.mjs: the detail of a span opens in place, keys lead on, a large trace stays small in the browser, pages say the
// same without a script, and nothing is wider than a narrow window.
//
// Usage: look.mjs BASE_URL CHROMIUM OTLP_HTTP_URL     Ends with 1 and says why when something is not so.

import { base, check, failingCheckout, otlp, problems, withBrowser } from "./site.mjs";

const large = "b1600000000000000000000000000001";
const spanId = (number) => (0x1000000 + number).toString(16).padStart(16, "0");

// A batch of 20,001 spans, 300 below the root, of which every 1,500th failed.
async function sendLargeTrace() {
  const start = BigInt(Date.now() - 60_000) * 1_000_000n;
  const root = "00000000000000aa";
  const spans = [{
    traceId: large, spanId: root, name: "nightly batch", kind: 2, startTimeUnixNano: String(start), endTimeUnixNano: String(start + 6_000_100_000n),
  }];
  for (let i = 0; i < 20_000; i++) {
    const from = start + BigInt(i) * 300_000n;
    spans.push({
      traceId: large, spanId: spanId(i), parentSpanId: i % 70 === 0 ? root : spanId(i - (i % 70)), name: `step ${i}`, kind: 1,
      startTimeUnixNano: String(from), endTimeUnixNano: String(from + 200_000n),
      status: i % 1_500 === 77 ? { code: 2, message: `stopped at ${i}` } : {},
    });
  }
  const resource = { attributes: [{ key: "service.name", value: { stringValue: "batch" } }] };
  const answer = await fetch(`${otlp}/v1/traces`, {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ spans }] }] }),
  });
  check(answer.ok, `the large trace was answered with ${answer.status}`);
}

async function pressAndAwaitPanel(page, key, text) {
  await page.keyboard.press(key);
  await page.waitForFunction((wanted) => document.querySelector("#panel")?.innerText.includes(wanted), text, { timeout: 5_000 })
    .catch(() => problems.push(`${page.url()}: "${key}" did not show the span that says "${text}"`));
}

async function lookAtLargeTrace(context) {
  const page = await context.newPage();
  page.on("pageerror", (error) => problems.push(`${page.url()}: script: ${error.message}`));
  await page.goto(`${base}/trace/${large}`);
  const size = () => page.evaluate(() => document.getElementsByTagName("*").length);
  check((await size()) < 4_000, `a large trace opens with ${await size()} elements`);
  for (const number of [77, 1_577, 3_077]) await pressAndAwaitPanel(page, "e", `stopped at ${number}`);
  await pressAndAwaitPanel(page, "E", "stopped at 1577");
  await page.goto(`${base}/trace/${large}?find=stopped`);
  for (const number of [77, 1_577]) await pressAndAwaitPanel(page, "n", `stopped at ${number}`);

  await page.goto(`${base}/trace/${large}`);
  const last = () => page.locator("[data-row]").last().getAttribute("data-row").then(Number);
  const before = await last();
  await page.mouse.move(400, 600);
  for (let i = 0; i < 40 && (await last()) === before; i++) {
    await page.mouse.wheel(0, 3_000);
    await page.waitForTimeout(100);
  }
  check((await last()) > before, "no rows were loaded while scrolling a large trace");
  await page.close();
}

async function lookAtPanel(context, id) {
  const page = await context.newPage();
  await page.goto(`${base}/trace/${id}`);
  for (const [key, row] of [["j", "1"], ["j", "2"], ["j", "3"], ["k", "2"]]) {
    await page.keyboard.press(key);
    const here = await page.evaluate(() => document.activeElement.closest("tr")?.getAttribute("data-row"));
    check(here === row, `"${key}" leads to row ${here} and not ${row}`);
  }
  await page.keyboard.press("Enter");
  await page.locator("#panel h2").waitFor({ timeout: 5_000 }).catch(() => problems.push("Enter did not open the detail of the span"));
  const [url, shown] = [page.url(), await page.locator("#panel").innerText()];
  const fresh = await context.newPage();
  await fresh.goto(url);
  const plain = (text) => text.replace(/\s+/g, " ").trim();
  check(plain(await fresh.locator("#panel").innerText()) === plain(shown), `${url} opens otherwise than it was left`);
  await fresh.close();
  await page.goBack();
  await page.waitForFunction(() => !document.querySelector("#panel h2"), null, { timeout: 5_000 })
    .catch(() => problems.push("Back did not close the detail of the span"));
  await page.close();
}

async function rowsOf(browser, javaScriptEnabled, path) {
  const context = await browser.newContext({ javaScriptEnabled });
  const page = await context.newPage();
  await page.goto(base + path);
  const rows = (await page.locator("[data-row]").allInnerTexts()).map((text) => text.replace(/\s+/g, " ").replace(/\d+ \S+ ago|just now/g, ""));
  await context.close();
  return rows;
}

await withBrowser(async (browser) => {
  await sendLargeTrace();
  const { id } = await failingCheckout();
  const context = await browser.newContext();
  await lookAtLargeTrace(context);
  await lookAtPanel(context, id);
  const now = Date.now();
  const window = `from=${new Date(now - 60_000).toISOString()}&to=${new Date(now - 20_000).toISOString()}`;
  for (const path of [`/trace/${large}`, `/trace/${large}?at=400`, `/services?${window}`, `/logs?${window}`]) {
    const [withScript, without] = [await rowsOf(browser, true, path), await rowsOf(browser, false, path)];
    check(JSON.stringify(withScript) === JSON.stringify(without), `${path} has other rows without a script`);
  }
});
