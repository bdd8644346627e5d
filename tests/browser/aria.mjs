// What a screen reader is told of each page: roles, names and values, compared with what is kept in aria/. The data is always the same but for
// its day, so a difference is a change of the page. `just aria` keeps what there is now; look at the difference before it is committed.
//
// Usage: aria.mjs BASE_URL CHROMIUM OTLP_HTTP_URL [keep]     Ends with 1 and shows the first line that differs.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";

import { sendRecords, sendSpans, text } from "./sending.mjs";
import { base, check, json, problems, watched, withBrowser } from "./site.mjs";

const keeps = process.argv[5] === "keep";
const folder = new URL("./aria/", import.meta.url);

// Noon, some days ago: not today, whose times are written otherwise.
const day = new Date(Date.now() - 5 * 86_400_000).toISOString().slice(0, 10);
const start = BigInt(Date.parse(`${day}T12:00:00Z`)) * 1_000_000n;
const at = (ms) => String(start + BigInt(ms) * 1_000_000n);
const [one, two] = ["a".repeat(31) + "1", "a".repeat(31) + "2"];
const id = (number) => number.toString(16).padStart(16, "0");
const span = (traceId, number, parent, name, kind, from, to, more = {}) => ({
  traceId, spanId: id(number), ...(parent ? { parentSpanId: id(parent) } : {}), name, kind, startTimeUnixNano: at(from), endTimeUnixNano: at(to), ...more,
});
const failed = (message) => ({ status: { code: 2, message } });

// A library that lends a book: one request that works, one that fails below. Its services have marks that no service of the shop has.
async function send() {
  // A second attempt finds it here.
  if ((await json(`/api/v1/traces/${two}`)).spans) return;
  for (const [trace, from, more] of [[one, 0, {}], [two, 60_000, failed("the shelf is empty")]]) {
    const base = trace === one ? 0x100 : 0x200;
    const counted = Array.from({ length: 5 }, (_, place) => span(trace, base + 10 + place, base + 2, "SELECT copies", 3, from + 40 + 10 * place, from + 48 + 10 * place, {
      attributes: [text("db.system.name", "postgresql"), text("db.query.text", "SELECT count(*) FROM copies WHERE book = ?")],
    }));
    await sendSpans("reading-room", [span(trace, base + 1, 0, "POST /loans", 2, from, from + 240, { attributes: [text("http.route", "/loans")], ...more })]);
    await sendSpans("bookcase", [span(trace, base + 2, base + 1, "find book", 2, from + 20, from + 180, more), ...counted]);
    await sendRecords("bookcase", [{ timeUnixNano: at(from + 150), severityNumber: trace === one ? 9 : 17, body: { stringValue: trace === one ? "book found" : "the shelf is empty" }, traceId: trace, spanId: id(base + 2) }]);
  }
}

const window = `from=${day}T11:50:00Z&to=${day}T12:10:00Z`;
const sql = encodeURIComponent("SELECT name, count(*) AS n FROM spans WHERE service_name = 'bookcase' GROUP BY name ORDER BY name");
const states = {
  "services-of-one": `/services/reading-room?${window}`, dependencies: `/services/reading-room?tab=dependencies&${window}`, operation: `/services/reading-room/ops/${encodeURIComponent("POST /loans")}?${window}`,
  traces: `/traces?q=service%3Areading-room&${window}`, "traces-wrong": `/traces?q=durration%3E1s&${window}`,
  "trace-timeline": `/trace/${two}`, "trace-span": `/trace/${two}?span=${id(0x202)}`, "trace-flame": `/trace/${two}?view=flame`, "trace-services": `/trace/${two}?view=services`, "trace-spans": `/trace/${two}?view=spans`,
  "trace-logs": `/trace/${two}?view=logs`, "trace-map": `/trace/${two}?view=map`, compare: `/compare?a=${one}&b=${two}`, span: `/trace/${two}/span/${id(0x202)}`,
  logs: `/logs?q=service%3Abookcase&${window}`, patterns: `/logs?q=service%3Abookcase&view=patterns&${window}`, map: `/map?focus=reading-room&${window}`, "map-table": `/map?focus=reading-room&view=table&${window}`,
  query: `/query?sql=${sql}&chart=1`, settings: "/settings", language: "/help/query", shortcuts: "/help/shortcuts", nowhere: "/nowhere",
};

// Addresses are compared elsewhere; what says how long ago or how quickly changes with every look.
const steady = (snapshot) => snapshot.split("\n").filter((line) => !/^\s*- \/url:/.test(line)).map((line) => line
  .replace(/\d+ (ns|µs|ms|s|min|h|d)( \d+ (s|min|h))? ago/g, "some time ago")
  .replace(/(\d{4} )?[A-Z][a-z]{2} \d\d(?= \d\d:)|\d{4}-\d\d-\d\d(?=[T ]\d\d:)/g, "a day")
  .replace(/127\.0\.0\.1:\d+/g, "an address")
  .replace(/\d+\.\d+\.\d+ \(\w+ for [\w-]+,/, "a version (a build,")
  .replace(/definition: \/.*$/, "definition: a path")
  .replace(/time: \d\d:\d\d:\d\d.*$/, "time: now")
  .replace(/[\d.,]+\s(ns|µs|ms|s)\s·.*looked at/, "in some time")
  .replace(/(\d rows?) · .*$/, "$1 · in some time")).join("\n");

function compare(name, path, found) {
  const file = new URL(`${name}.yaml`, folder);
  if (keeps) return writeFileSync(file, `${found}\n`);
  if (!existsSync(file)) return check(false, `${path}: nothing is kept in aria/${name}.yaml; \`just aria\` does`);
  const [now, kept] = [found.split("\n"), readFileSync(file, "utf8").trimEnd().split("\n")];
  const place = Array.from({ length: Math.max(now.length, kept.length) }, (_, line) => line).find((line) => now[line] !== kept[line]);
  if (place !== undefined) problems.push(`${path}, line ${place + 1} of aria/${name}.yaml: a screen reader is told\n    ${now[place]}\n  and not\n    ${kept[place]}`);
}

await withBrowser(async (browser) => {
  await send();
  if (keeps) mkdirSync(folder, { recursive: true });
  const page = await watched(await browser.newContext({ viewport: { width: 1440, height: 900 } }));
  // How long others of its kind took is told as soon as it is known.
  await page.goto(base + states.span);
  await page.waitForTimeout(1_000);
  for (const [name, path] of Object.entries(states)) {
    await page.goto(base + path);
    await page.locator("html[data-ready]").waitFor();
    compare(name, path, steady(await page.locator("main").ariaSnapshot()));
  }
  // The frame is the same on every page.
  compare("frame", "/help/shortcuts", steady(await page.locator("body").ariaSnapshot()).split("\n- main")[0]);
});
