// Measures the page of large traces: how long until rows are there, how much is transferred, how many elements the page has and how much memory
// it takes, and that errors and matches are reached wherever they lie. The whole run has a million spans, and holds the promised times.
//
// Usage: large.mjs BASE_URL CHROMIUM OTLP_HTTP_URL [SPANS,SPANS…]     Ends with 1 and says why when a bound is passed.

import { base, check, isWhole, otlp, watched, withBrowser } from "./site.mjs";

const sizes = process.argv[5] ?? (isWhole ? "1000,100000,1000000" : "1000,100000");
// Milliseconds until the rows are there; and when the browser is four times slower.
const promised = { 1_000: 300, 100_000: 600, 1_000_000: 2_000 }, slowly = 1_000;
// And for the next error, wherever its row is.
const jumping = 120;
// A machine that does something else beside is slow once; the page is not.
const ATTEMPTS = 4;
const HEAP = 30_000_000;

// A receiver that is busy says so, and is asked again.
async function post(body, what) {
  for (let attempt = 0; ; attempt++) {
    const answer = await fetch(`${otlp}/v1/traces`, { method: "POST", headers: { "content-type": "application/json" }, body });
    if (answer.status !== 503 || attempt === 60) return check(answer.ok, `${what}: the receiver answered ${answer.status}`);
    await new Promise((done) => setTimeout(done, 1_000));
  }
}

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
    await post(body, `${size} spans`);
  }
}

// One chain of calls, each below the one before.
const deepId = "e" + "de3b".padStart(31, "0");
async function sendChain(depth) {
  const start = BigInt(Date.now() - 120_000) * 1_000_000n;
  const spans = Array.from({ length: depth }, (_, n) => ({
    traceId: deepId, spanId: spanId(n), name: `level ${n}`, kind: 1, ...(n === 0 ? {} : { parentSpanId: spanId(n - 1) }),
    startTimeUnixNano: String(start + BigInt(n) * 1_000n), endTimeUnixNano: String(start + BigInt(2 * depth - n) * 1_000n),
  }));
  const resource = { attributes: [text("service.name", "chain")] };
  const body = JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ spans }] }] });
  await post(body, `a chain of ${depth} spans`);
}

// Scrolls far down and up again: rows come and go, none is left out, what is seen does not move, and the page stays small.
async function scrollThrough(browser, path, rows) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await watched(context);
  // How many questions have no answer yet.
  let asked = 0;
  for (const [event, by] of [["request", 1], ["requestfinished", -1], ["requestfailed", -1]]) page.on(event, (request) => { if (request.resourceType() !== "eventsource") asked += by; });
  await page.goto(base + path);
  await page.locator("html[data-ready] [role=treegrid] tr[data-row]").first().waitFor();
  const state = () => page.evaluate(() => {
    const all = [...document.querySelectorAll("tr[data-row]")], seen = all.map((row) => Number(row.getAttribute("data-row")));
    const middle = all.find((row) => { const box = row.getBoundingClientRect(); return box.top <= innerHeight / 2 && box.bottom > innerHeight / 2; });
    return {
      elements: document.getElementsByTagName("*").length, first: seen[0], last: seen.at(-1), isWhole: seen.every((number, i) => i === 0 || number === seen[i - 1] + 1),
      middle: Number(middle?.getAttribute("data-row") ?? 0), top: middle?.getBoundingClientRect().top ?? 0, scrolled: scrollY,
    };
  });
  let most = 0;
  const look = async (what) => {
    const seen = await state();
    most = Math.max(most, seen.elements);
    check(seen.isWhole, `${path}: rows are left out or out of order ${what}: ${seen.first} to ${seen.last}`);
    return seen;
  };
  // Two frames let the script see what was scrolled and ask for rows; once an answer is in, it may ask for more.
  const frames = () => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  const quiet = async () => {
    const end = Date.now() + 15_000;
    do {
      await frames();
      while (asked > 0 && Date.now() < end) await page.waitForTimeout(20);
      await frames();
    } while (asked > 0 && Date.now() < end);
  };
  const by = async (pixels) => {
    await page.evaluate((y) => scrollBy(0, y), pixels);
    // Where the row in the middle is now, and once rows came and went.
    const before = await state();
    await quiet();
    const after = await look(`after scrolling by ${pixels}`);
    const where = before.middle && await page.evaluate((number) => document.querySelector(`tr[data-row="${number}"]`)?.getBoundingClientRect().top, before.middle);
    check(!before.middle || Math.abs(where - before.top) <= 1, `${path}: row ${before.middle} moved from ${before.top} to ${where} as rows came and went`);
    return after;
  };
  let seen = await look("at first");
  const first = seen.first;
  while (seen.last < rows) {
    const last = seen.last;
    seen = await by(1_200);
    for (let tries = 0; tries < 3 && seen.last === last; tries++) seen = await by(900);
    if (seen.last === last) break;
  }
  check(seen.last >= rows, `${path}: scrolling ended at row ${seen.last} of at least ${rows}`);
  const lowest = seen;
  for (let i = 0; i < 4; i++) seen = await by(-1_200);
  check(seen.middle > 0 && seen.middle < lowest.middle, `${path}: rows above are not there again: ${JSON.stringify(seen)}`);
  // Far up at once.
  await page.evaluate(() => scrollTo(0, 0));
  await quiet();
  seen = await look("at the top again");
  check(seen.first === first, `${path}: at the top stands row ${seen.first}, not ${first}`);
  await page.keyboard.press("ArrowDown");
  const focused = () => page.evaluate(() => Number(document.activeElement.closest("tr")?.getAttribute("data-row") ?? 0));
  const from = await focused();
  check(from > 0 && from < 60, `${path}: the first arrow leads to row ${from}`);
  // By keyboard past the end of what was loaded, and back.
  for (let i = 0; i < 130; i++) { await page.keyboard.press("ArrowDown"); if (i % 10 === 9) await quiet(); }
  const reached = await focused();
  check(reached === from + 130, `${path}: 130 arrows lead from row ${from} to row ${reached}`);
  await look("after the arrows");
  const place = (await state()).scrolled;
  for (let i = 0; i < 5; i++) await by(1_200);
  check(await focused() === 0, `${path}: the row with the focus is still there, ${(await state()).scrolled - place} pixels above`);
  await page.evaluate((y) => scrollTo(0, y), place);
  await quiet();
  check(await focused() === reached, `${path}: the focus is at row ${await focused()}, not at ${reached}, after scrolling away and back`);
  await context.close();
  console.error(`${path}: at most ${most} elements, row ${lowest.last} reached`);
  check(most < 4_000, `${path}: the page grew to ${most} elements`);
}

const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

async function measure(browser, size) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  const wire = await context.newCDPSession(page);
  await wire.send("Network.enable");
  await wire.send("Performance.enable", { timeDomain: "threadTicks" });
  // What the page costs the browser, whatever else the machine does: processor time of the thread that scripts and draws.
  const metric = async (name) => (await wire.send("Performance.getMetrics")).metrics.find((one) => one.name === name)?.value ?? 0;
  const busy = async () => 1000 * await metric("ThreadTime");
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
  const often = async () => median([await open(), await open(), await open(), await open(), await open()]);
  const within = async (most) => {
    let took = await often();
    for (let attempt = 1; isWhole && took > most && attempt < ATTEMPTS; attempt++) took = await often();
    return took;
  };
  const warm = await within(promised[size] ?? Infinity);
  await wire.send("HeapProfiler.collectGarbage");
  const heap = await metric("JSHeapUsedSize");
  await wire.send("Emulation.setCPUThrottlingRate", { rate: 4 });
  const slow = isWhole ? await within(slowly) : 0;
  await wire.send("Emulation.setCPUThrottlingRate", { rate: 1 });
  const jumps = [];
  await page.evaluate(() => { globalThis.isFirst = true; });
  for (let i = 0; i < 5; i++) {
    const known = new URL(page.url()).searchParams.get("span");
    const started = performance.now();
    await page.keyboard.press("e");
    await page.waitForFunction((before) => {
      const span = new URL(location.href).searchParams.get("span");
      return span && span !== before && document.querySelector("#panel h2") && document.documentElement.dataset.ready !== undefined;
    }, known);
    jumps.push(performance.now() - started);
    const seen = await page.evaluate(() => {
      const row = document.activeElement.closest("tr[aria-selected=true]"), box = row?.getBoundingClientRect();
      return { isFirst: globalThis.isFirst, span: row?.id.slice(1), isSeen: box && box.top >= 0 && box.bottom <= innerHeight, url: location.href };
    });
    check(seen.isFirst, `${size} spans: "e" loads the page again instead of the rows around the error`);
    check(seen.isSeen && seen.url.includes(`span=${seen.span}`), `${size} spans: the row of the error is not in view with the focus: ${JSON.stringify(seen)}`);
  }
  const last = new URL(page.url()).searchParams.get("span");
  await page.goBack();
  await page.waitForFunction((span) => document.activeElement && document.querySelector("tr[aria-selected=true]")?.id !== `s${span}`, last, { timeout: 5_000 });
  const back = await page.evaluate(() => [document.querySelector("tr[aria-selected=true]")?.id, new URL(location.href).searchParams.get("span"), globalThis.isFirst]);
  check(back[0] === `s${back[1]}` && back[2], `${size} spans: Back after a jump does not lead to the rows of the error before: ${back}`);
  const found = await open(`?find=attr.row:r${size - 1}`);
  const shown = await page.locator("[data-found]").innerText();
  check(shown === "1", `${size} spans: the search for the last row found ${shown}`);
  const deepest = await open(`?span=${spanId(size - 1)}`);
  check(await page.locator("tr[aria-selected=true]").count() === 1, `${size} spans: the last span is not shown when it is chosen`);
  await context.close();
  return { size, cold, warm, slow, thread, heap, transferred, elements, jump: median(jumps), find: found, last: deepest };
}

await withBrowser(async (browser) => {
  for (const size of sizes.split(",").map(Number)) {
    await send(size);
    const seen = await measure(browser, size);
    console.error(Object.entries(seen).map(([name, value]) => `${name} ${Math.round(value)}`).join(", "));
    check(seen.elements < 4_000, `${size} spans: the page has ${seen.elements} elements`);
    check(seen.transferred < 100_000, `${size} spans: ${seen.transferred} bytes were transferred`);
    check(seen.heap < HEAP, `${size} spans: scripts hold ${seen.heap} bytes`);
    if (!isWhole) continue;
    check(seen.jump <= jumping || size > 100_000, `${size} spans: the next error is there after ${Math.round(seen.jump)} ms; ${jumping} are promised`);
    check(!(seen.warm > promised[size]), `${size} spans: rows are there after ${Math.round(seen.warm)} ms; ${promised[size]} are promised`);
    check(size > 100_000 || seen.slow <= slowly, `${size} spans: in a browser that is four times slower rows are there after ${Math.round(seen.slow)} ms`);
  }
  await sendChain(1_000);
  await scrollThrough(browser, `/trace/${deepId}`, 1_000);
  const largest = Math.max(...sizes.split(",").map(Number));
  await scrollThrough(browser, `/trace/${traceId(largest)}?group=off&depth=all&span=${spanId(49)}`, Math.min(largest, 1_500));
});
