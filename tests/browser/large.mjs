// Measures the page of large traces: how long until rows are there, how much is transferred, how many elements the page has, and that errors
// and matches are reached wherever they lie.
//
// Usage: large.mjs BASE_URL CHROMIUM OTLP_HTTP_URL [SPANS,SPANS…]     Ends with 1 and says why when a bound is passed.

import { base, check, otlp, withBrowser } from "./site.mjs";

const sizes = process.argv[5] ?? "1000,100000";

const traceId = (size) => "c" + String(size).padStart(31, "0");
const spanId = (number) => (0x1000000 + number).toString(16).padStart(16, "0");
const text = (key, value) => ({ key, value: { stringValue: value } });

// A tree of requests: every 50th span is a step of the root, the others are queries below it, of which one in 97 failed.
function span(size, start, n) {
  const isStep = n % 50 === 0;
  const from = start + BigInt(n) * 20_000n;
  return {
    traceId: traceId(size), spanId: spanId(n), name: n === 0 ? "import" : isStep ? `step ${n % 7}` : `SELECT ${n % 3}`, kind: isStep ? 2 : 3,
    ...(n === 0 ? {} : { parentSpanId: spanId(isStep ? 0 : n - (n % 50)) }),
    startTimeUnixNano: String(from), endTimeUnixNano: String(n === 0 ? start + BigInt(size) * 20_000n : from + (isStep ? 900_000n : 15_000n)),
    attributes: [text("db.query.text", `SELECT ${n} FROM stock`), text("row", `r${n}`), { key: "http.response.status_code", value: { intValue: "200" } }],
    status: n % 97 === 96 ? { code: 2, message: `stopped at ${n}` } : {},
  };
}

async function send(size) {
  const start = BigInt(Date.now() - 120_000) * 1_000_000n;
  for (let first = 0; first < size; first += 10_000) {
    const spans = Array.from({ length: Math.min(10_000, size - first) }, (_, i) => span(size, start, first + i));
    const resource = { attributes: [text("service.name", "import")] };
    const body = JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ spans }] }] });
    const answer = await fetch(`${otlp}/v1/traces`, { method: "POST", headers: { "content-type": "application/json" }, body });
    check(answer.ok, `${size} spans: the receiver answered ${answer.status}`);
  }
}

const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

async function measure(browser, size) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  const wire = await context.newCDPSession(page);
  await wire.send("Network.enable");
  await wire.send("Performance.enable", { timeDomain: "threadTicks" });
  // What the page costs the browser, whatever else the machine does: processor time of the thread that scripts and draws.
  const busy = async () => 1000 * ((await wire.send("Performance.getMetrics")).metrics.find((one) => one.name === "ThreadTime")?.value ?? 0);
  let bytes = 0;
  wire.on("Network.loadingFinished", (event) => { bytes += event.encodedDataLength; });
  const open = async (query = "") => {
    const started = performance.now();
    await page.goto(`${base}/trace/${traceId(size)}${query}`, { waitUntil: "domcontentloaded" });
    await page.locator("html[data-ready] [role=treegrid] tr[data-row]").first().waitFor();
    return performance.now() - started;
  };
  const cold = await open();
  await page.waitForLoadState("networkidle");
  const [transferred, thread] = [bytes, await busy()];
  const elements = await page.evaluate(() => document.getElementsByTagName("*").length);
  const warm = median([await open(), await open(), await open(), await open(), await open()]);
  const jumps = [];
  for (let i = 0; i < 5; i++) {
    const known = new URL(page.url()).searchParams.get("span");
    const started = performance.now();
    await page.keyboard.press("e");
    await page.waitForFunction((before) => {
      const span = new URL(location.href).searchParams.get("span");
      return span && span !== before && document.querySelector("#panel h2") && document.documentElement.dataset.ready !== undefined;
    }, known);
    jumps.push(performance.now() - started);
  }
  const found = await open(`?find=row:r${size - 1}`);
  const shown = await page.locator("[data-found]").innerText();
  check(shown === "1", `${size} spans: the search for the last row found ${shown}`);
  const deepest = await open(`?span=${spanId(size - 1)}`);
  check(await page.locator("tr[aria-selected=true]").count() === 1, `${size} spans: the last span is not shown when it is chosen`);
  await context.close();
  return { size, cold, warm, thread, transferred, elements, jump: median(jumps), find: found, last: deepest };
}

await withBrowser(async (browser) => {
  for (const size of sizes.split(",").map(Number)) {
    await send(size);
    const seen = await measure(browser, size);
    console.error(Object.entries(seen).map(([name, value]) => `${name} ${Math.round(value)}`).join(", "));
    check(seen.elements < 4_000, `${size} spans: the page has ${seen.elements} elements`);
    check(seen.transferred < 100_000, `${size} spans: ${seen.transferred} bytes were transferred`);
  }
});
