// News while a page is read: nothing moves under the pointer while hundreds of records arrive each second, streams end with the server, and
// a page that was left open goes on when the server is there again, without telling anything twice.
//
// Usage: live.mjs BASE_URL CHROMIUM OTLP_HTTP_URL     with the program in THROUGHLINE: it is started, stopped and started again here.
// Ends with 1 and says why when something is not so.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { start, stop } from "./program.mjs";
import { check, isWhole, watched, withBrowser } from "./site.mjs";

const data = await mkdtemp(join(tmpdir(), "throughline-live-"));

let sent = 0;
async function sendRecords(server, count) {
  const now = BigInt(Date.now()) * 1_000_000n;
  const logRecords = Array.from({ length: count }, () => ({ timeUnixNano: String(now + BigInt(sent)), severityNumber: 9, body: { stringValue: `record ${sent++}` } }));
  const resource = { attributes: [{ key: "service.name", value: { stringValue: "busy" } }] };
  const answer = await fetch(`http://${server.http}/v1/logs`, {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ resourceLogs: [{ resource, scopeLogs: [{ logRecords }] }] }),
  });
  check(answer.ok, `records were answered with ${answer.status}`);
}

const rows = (page) => page.locator("#list [data-row]");
const pill = (page) => page.locator("button.news");
const top = (page) => page.evaluate(() => { const row = document.querySelector("#list [data-row]:nth-of-type(3)"); return `${row.id} at ${row.getBoundingClientRect().top}`; });

// 500 records a second; with `live=1` the region may be asked for again, but not while it is pointed at.
async function nothingMovesUnderThePointer(page, server, query) {
  await page.goto(`http://${server.ui}/logs${query}`);
  await rows(page).nth(2).hover();
  const before = await top(page);
  for (let batch = 0; batch < (isWhole ? 10 : 6); batch++) {
    const began = Date.now();
    await sendRecords(server, 250);
    check((await top(page)) === before, `/logs${query}: a row under the pointer moved from ${before} to ${await top(page)}`);
    await page.waitForTimeout(Math.max(0, 500 - (Date.now() - began)));
  }
  await pill(page).waitFor({ state: "visible", timeout: 30_000 });
  check((await top(page)) === before, `/logs${query}: a row under the pointer moved from ${before} to ${await top(page)}`);
  const first = await rows(page).first().getAttribute("id");
  // What was held back comes once the rows are left, without another record.
  if (query) await page.mouse.move(2, 400);
  else await pill(page).click();
  await page.waitForFunction((known) => document.querySelector("#list [data-row]")?.id !== known, first, { timeout: 30_000 });
}

// Spans of a trace that still arrives wait behind the pill.
async function aTraceTellsOfSpansThatArrive(page, server) {
  const traceId = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const send = async (number, parent) => {
    const end = BigInt(Date.now()) * 1_000_000n, id = (n) => String(n).padStart(16, "0");
    const span = { traceId, spanId: id(number), ...(parent ? { parentSpanId: id(parent) } : {}), name: `part ${number}`, kind: 1, startTimeUnixNano: String(end - 5_000_000n), endTimeUnixNano: String(end) };
    const resource = { attributes: [{ key: "service.name", value: { stringValue: "busy" } }] };
    const answer = await fetch(`http://${server.http}/v1/traces`, {
      method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ spans: [span] }] }] }),
    });
    check(answer.ok, `a span was answered with ${answer.status}`);
  };
  await send(1);
  await page.goto(`http://${server.ui}/trace/${traceId}`);
  const shown = () => page.locator("tr[data-row]").count();
  check((await shown()) === 1, `the trace has ${await shown()} rows at first`);
  await send(2, 1);
  await pill(page).waitFor({ state: "visible", timeout: 30_000 });
  const said = await pill(page).innerText();
  check(said.replace(/\s/g, " ").startsWith("1 new span"), `the pill of a trace says ${said}`);
  check((await shown()) === 1, "a span came into the trace by itself");
  await Promise.all([page.waitForNavigation(), pill(page).click()]);
  check((await shown()) === 2, `the trace has ${await shown()} rows once they were asked for`);
}

async function goesOnAfterARestart(context, server) {
  const pages = [];
  for (let number = 0; number < 4; number++) {
    const page = await context.newPage();
    await Promise.all([page.waitForResponse((answer) => answer.url().includes("/live")), page.goto(`http://${server.ui}/logs?q=record`)]);
    pages.push(page);
  }
  const took = await stop(server);
  check(took < 10_000, `with open streams stopping took ${took} ms`);
  const page = pages[0];
  await page.bringToFront();
  const lost = page.locator(".news.lost");
  await lost.waitFor({ state: "visible", timeout: 10_000 });
  const told = await lost.innerText();
  check(/^No connection since (\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d UTC · trying again$/.test(told), `without a server the page says "${told}"`);
  check((await pill(page).count()) === 1 && !(await pill(page).isVisible()), "without a server the page tells of news");
  const again = await start(data, { ui: server.ui, http: server.http });
  await lost.waitFor({ state: "hidden", timeout: 60_000 });
  check((await pill(page).innerText()) === "Connected again – show", `once the server is there again the pill says "${await pill(page).innerText()}"`);
  await sendRecords(again, 1);
  await pill(page).filter({ hasText: "1\u{a0}new record" }).waitFor({ state: "visible", timeout: 60_000 });
  await pill(page).click();
  const body = `record ${sent - 1}`;
  await page.getByText(body, { exact: true }).first().waitFor({ timeout: 30_000 });
  const listed = await rows(page).filter({ hasText: new RegExp(`${body}\\b`) }).count();
  check(listed === 1, `after a restart a record is listed ${listed} times`);
  return again;
}

await withBrowser(async (browser) => {
  let server = await start(data);
  try {
    await sendRecords(server, 60);
    const page = await watched(await browser.newContext(), `http://${server.ui}`);
    for (const query of ["", "?live=1"]) await nothingMovesUnderThePointer(page, server, query);
    await aTraceTellsOfSpansThatArrive(page, server);
    await page.close();
    server = await goesOnAfterARestart(await browser.newContext(), server);
    await stop(server);
  } finally {
    server.child.kill("SIGKILL");
    await rm(data, { recursive: true });
  }
});
