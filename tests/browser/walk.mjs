// Walks through every page in headless Chromium on the shop's data and finds the failing checkout from Home by keyboard.
//
// Usage: walk.mjs BASE_URL CHROMIUM     Ends with 1 and says why when a page fails, logs an error or violates its CSP.

import { chromium } from "playwright-core";

const [base, executablePath] = process.argv.slice(2);
const flags = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];
const problems = [];

async function watched(context) {
  const page = await context.newPage();
  await page.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) => console.error(`CSP violation: ${event.violatedDirective} ${event.blockedURI}`));
  });
  page.on("console", (message) => message.type() === "error" && problems.push(`${page.url()}: console: ${message.text()}`));
  page.on("pageerror", (error) => problems.push(`${page.url()}: script: ${error.message}`));
  page.on("request", (request) => new URL(request.url()).origin === base || problems.push(`${page.url()}: foreign request ${request.url()}`));
  return page;
}

async function open(page, path) {
  const response = await page.goto(base + path, { waitUntil: "load" });
  if (!response.ok()) problems.push(`${path}: status ${response.status()}`);
  if (!response.headers()["content-security-policy"]) problems.push(`${path}: no CSP`);
  if ((await page.locator("h1").count()) !== 1) problems.push(`${path}: not exactly one h1`);
  if (!(await page.title())) problems.push(`${path}: no title`);
}

const json = async (path) => (await fetch(base + path)).json();

// A failing checkout and where its pages are.
const failing = (await json("/api/v1/traces?q=service%3Apayment%20status%3Aerror&limit=1")).traces[0];
const id = failing.trace_id;
const span = (await json(`/api/v1/traces/${id}`)).spans.find((s) => s.status.code === "error");
const pages = [
  "/", "/services", "/services/payment", "/traces", "/traces?q=status%3Aerror", `/trace/${id}`, `/trace/${id}?span=${span.span_id}`,
  `/trace/${id}/span/${span.span_id}`, "/logs", "/logs?q=severity%3E%3Dwarn", "/map", "/map?focus=orders", "/query",
  "/query?sql=SELECT%20service_name%2C%20count(*)%20FROM%20spans%20GROUP%20BY%20service_name", "/status", "/help/query", "/help/shortcuts",
];

// Presses Tab until the focused element satisfies the test, and then Enter. No mouse.
async function tabTo(page, what, test, limit = 120) {
  for (let step = 0; step < limit; step++) {
    await page.keyboard.press("Tab");
    if (await page.evaluate(test)) {
      await Promise.all([page.waitForLoadState("load"), page.keyboard.press("Enter")]);
      await page.waitForTimeout(400);
      return;
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
  await page.waitForTimeout(600);
  if (!/span=[0-9a-f]{16}/.test(page.url())) throw new Error(`"e" did not select the failing span: ${page.url()}`);
  const text = await page.locator("main").innerText();
  if (!/error/i.test(text)) throw new Error("the page of the failing trace does not say error");
  await page.close();
}

const browser = await chromium.launch({ executablePath, args: flags });
try {
  for (const javaScriptEnabled of [true, false]) {
    for (const colorScheme of ["light", "dark"]) {
      const context = await browser.newContext({ javaScriptEnabled, colorScheme });
      const page = await watched(context);
      for (const path of pages) await open(page, path);
      await context.close();
    }
  }
  await findTheFailingCheckout(await browser.newContext());
} catch (error) {
  problems.push(String(error));
} finally {
  await browser.close();
}
for (const problem of problems) console.log(problem);
process.exit(problems.length ? 1 : 0);
