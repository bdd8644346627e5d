// What the scripts here share: how Chromium is started, which pages there are, and what no page may do.

import { readFileSync } from "node:fs";

import { chromium } from "playwright-core";

export const [base, executablePath, otlp] = process.argv.slice(2);
export const problems = [];
export const check = (holds, what) => holds || problems.push(what);
export const json = async (path) => (await fetch(base + path)).json();

// All of it, or what an ordinary test run has time for.
export const isWhole = process.env.UI_TESTS === "all";

export const flags = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

// Runs `work` with a browser and ends the process.
export async function withBrowser(work) {
  const browser = await chromium.launch({ executablePath, args: flags });
  // What waits in the browser has no deadline of its own.
  const minutes = isWhole ? 40 : 10;
  setTimeout(() => { problems.push(`it was not done after ${minutes} minutes`); finish(); }, minutes * 60_000).unref();
  try {
    await work(browser);
  } catch (error) {
    problems.push(String(error?.stack ?? error));
  } finally {
    await browser.close();
  }
  finish();
}

// Ends the process: with 1 and a list of problems when there are any.
export function finish() {
  for (const problem of problems) console.log(problem);
  process.exit(problems.length ? 1 : 0);
}

// With ASSETS=ui/assets stylesheet and script are taken from there, to see a change without building.
export async function withAssets(page) {
  if (!process.env.ASSETS) return;
  await page.route(/\/a\/[^/]+\/app\.(css|js)$/, (route) => {
    const name = new URL(route.request().url()).pathname.split("/").pop();
    return route.fulfill({ body: readFileSync(`${process.env.ASSETS}/${name}`), contentType: name.endsWith("css") ? "text/css" : "text/javascript" });
  });
}

// A page whose console errors, script errors, foreign requests and CSP violations are problems.
export async function watched(context, origin = base) {
  const page = await context.newPage();
  await withAssets(page);
  await page.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) => console.error(`CSP violation: ${event.violatedDirective} ${event.blockedURI}`));
  });
  // A page that says "not found" or "not understood" is answered with that status, which Chromium logs.
  const isStatus = (text) => /the server responded with a status of 4\d\d/.test(text);
  page.on("console", (message) => message.type() === "error" && !isStatus(message.text()) && problems.push(`${page.url()}: console: ${message.text()}`));
  page.on("pageerror", (error) => problems.push(`${page.url()}: script: ${error.message}`));
  page.on("request", (request) => new URL(request.url()).origin === origin || problems.push(`${page.url()}: foreign request ${request.url()}`));
  return page;
}

// A trace of a failing checkout, its failed span, and the one with an exception.
export async function failingCheckout() {
  const query = "/api/v1/traces?q=service%3Apayment%20status%3Aerror&limit=1";
  const found = (await json(`${query}&from=now-1h&to=now-20s`)).traces[0] ?? (await json(query)).traces[0];
  const { spans } = await json(`/api/v1/traces/${found.trace_id}`);
  const span = spans.find((s) => s.status.code === "error"), thrown = spans.find((s) => s.events.some((event) => event.name === "exception")) ?? span;
  return { id: found.trace_id, span: span.span_id, thrown: thrown.span_id };
}

// The heat map's cells as column and row, the rows it has, and where on the page a cell lies.
export async function heatOf(page) {
  const heat = page.locator("svg[data-heat]"), box = await heat.boundingBox();
  const { cells, low, high, columns } = await heat.evaluate((map) => ({ ...map.dataset }));
  const [bottom, top] = [Number(low), Number(high)];
  const at = ([column, row]) => [box.x + ((column + 0.5) / Number(columns)) * box.width, box.y + ((top - row + 0.5) / (top - bottom + 1)) * box.height];
  const known = cells.split("|").flatMap((column, place) => column.split(" ").filter(Boolean).map((cell) => [place, parseInt(cell, 10)]));
  return { cells: known, low: bottom, high: top, at };
}

// Key states: name, address, and what to do before looking.
export async function states() {
  const { id, span, thrown } = await failingCheckout();
  const sql = encodeURIComponent("SELECT service_name, count(*) AS n FROM spans GROUP BY service_name ORDER BY n DESC");
  const record = (await json("/api/v1/logs?q=severity%3E%3Dwarn&limit=1")).logs[0]?.record_id;
  const declined = (await json("/api/v1/logs?q=attr.exception.type%3Dcom.shop.payment.CardDeclinedException&limit=1")).logs[0]?.record_id ?? record;
  const operation = (await json("/api/v1/services/payment/operations")).operations.find((one) => one.kind === "server")?.name ?? "none";
  const [from, to] = [BigInt(Date.now() - 600_000) * 1_000_000n, BigInt(Date.now()) * 1_000_000n];
  const { deletes } = await json("/api/v1/deletes");
  if (deletes.length === 0) {
    const nothing = JSON.stringify({ signal: "logs", query: "service:nobody", from: "now-1h", to: "now" });
    await fetch(`${base}/api/v1/deletes`, { method: "POST", headers: { "content-type": "application/json" }, body: nothing });
  }
  const open = (selector) => async (page) => {
    await page.locator(selector).first().click();
    await page.waitForTimeout(150);
  };
  const complete = async (page) => {
    await page.locator("#q").focus();
    await page.keyboard.type("status:error ser");
    await page.locator(".completion li").first().waitFor({ timeout: 3_000 });
  };
  const inBox = async (page) => {
    await page.locator("#omni").focus();
    await page.keyboard.type("se");
    await page.locator(".omni .completion li").first().waitFor({ timeout: 3_000 });
  };
  return [
    ["home", "/"], ["start", "/start"], ["services", "/services"],
    ["service-operations", "/services/orders"], ["service-dependencies", "/services/orders?tab=dependencies"],
    ["service-errors", "/services/payment?tab=errors"], ["service-instances", "/services/orders?tab=instances"], ["service-logs", "/services/orders?tab=logs"],
    ["operation", `/services/payment/ops/${encodeURIComponent(operation)}`],
    ["operation-unknown", "/services/payment/ops/unknown"], ["service-errors-ever", "/services/payment?tab=errors&ever=1"],
    ["traces", "/traces"], ["traces-points", "/traces?q=service%3Apayment%20status%3Aerror"], ["traces-narrowed", "/traces?q=status%3Aerror"], ["traces-selected", `/traces?from=${from}&to=${to}&sel=50-59,20-40`],
    ["traces-wrong", "/traces?q=durration%3E1s"], ["traces-empty", "/traces?q=service%3Anobody"], ["traces-completion", "/traces?q=x", complete],
    ["traces-slowest", "/traces?q=service%3Apayment&sort=slowest"], ["traces-errors", "/traces?sort=errors"],
    ["traces-alternatives", "/traces?q=service%3Apayment,orders"], ["box-completion", "/status", inBox],
    ["contrast", "/traces/compare-groups?q=root%3Atrue&with=status%3Aerror"],
    ["trace", `/trace/${id}`], ["trace-span", `/trace/${id}?span=${span}`], ["trace-services", `/trace/${id}?view=services`],
    ["trace-span-events", `/trace/${id}?span=${thrown}&tab=events`], ["trace-span-raw", `/trace/${id}?span=${span}&tab=raw`], ["trace-json", `/trace/${id}?view=json`],
    ["trace-hidden", `/trace/${id}?hide=payment&cols=own,share,attr.http.response.status_code`],
    ["trace-flame", `/trace/${id}?view=flame`], ["trace-map", `/trace/${id}?view=map`], ["trace-spans", `/trace/${id}?view=spans`], ["compare", `/compare?a=typical&b=${id}`],
    ["trace-logs", `/trace/${id}?view=logs`], ["trace-listed", `/trace/${id}?find=service%3Apayment&mode=dim&list=q%3Dservice%253Apayment%2520status%253Aerror%26seen%3D${to}`], ["span", `/trace/${id}/span/${span}`],
    ["logs", "/logs"], ["logs-warnings", "/logs?q=severity%3E%3Dwarn&wrap=1"], ["logs-patterns", "/logs?view=patterns"], ["logs-fields", "/logs?view=fields"],
    ["logs-columns", "/logs?cols=http.route,order.id"], ["logs-open", `/logs?q=severity%3E%3Dwarn&row=${record}&ctx=5&by=service`],
    ["logs-exception", `/logs?q=severity%3E%3Dwarn&row=${declined}`], ["trace-logs-open", `/trace/${id}?view=logs&row=${declined}`],
    ["map", "/map"], ["map-focus", "/map?focus=orders"], ["map-edge", "/map?caller=orders&callee=payment"], ["map-change", "/map?change=1&from=now-1m"],
    ["map-table", "/map?view=table&peers=off&sort=failed"], ["map-groups", "/map?group=namespace"],
    ["query", "/query"], ["query-chart", `/query?sql=${sql}&chart=1&past=SHOW%20TABLES`], ["query-explain", `/query?sql=EXPLAIN%20${sql}`], ["query-wrong", "/query?sql=SELECT%20nothing"],
    ["saved", "/saved"], ["status", "/status"], ["deletes", "/status/deletes"], ["settings", "/settings"], ["help", "/help"], ["help-query", "/help/query"], ["shortcuts", "/help/shortcuts"],
    ["nowhere", "/nowhere"], ["menu-time", "/traces", open(".tools .menu >> nth=0")], ["menu-share", "/traces", open(".tools .menu summary[title=Share]")],
  ];
}

// One state of each template, the fullest, for a run that must be short.
const fullest = new Set([
  "home", "start", "services", "service-operations", "service-errors", "service-dependencies", "operation", "traces-points", "traces-selected", "traces-wrong", "contrast", "trace-span", "trace-span-events", "trace-span-raw", "trace-flame", "trace-map", "compare", "span",
  "logs-open", "logs-exception", "logs-patterns", "map-edge", "query-chart", "saved", "status", "deletes", "settings", "help", "help-query", "map-groups", "nowhere",
]);

// Addresses of states, each once: of all, or of one per template.
export async function pages(all = isWhole) {
  const chosen = (await states()).filter(([name, , act]) => !act && (all || fullest.has(name)));
  return [...new Set(chosen.map(([, path]) => path))];
}

// Whether a page says that something is wrong, and is answered so.
export const isRefused = (path) => /durration|nowhere|ops\/unknown|SELECT%20nothing/.test(path);
