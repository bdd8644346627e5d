// Does what readers do: completes a query, selects in the heat map, saves a view, watches news arrive, switches keys off; every state is
// in the address, and hostile texts stay texts.
//
// Usage: act.mjs BASE_URL CHROMIUM OTLP_HTTP_URL     Ends with 1 and says why when something is not so.

import { base, check, json, otlp, problems, watched, withBrowser } from "./site.mjs";

const main = async (page) => (await page.locator("main").innerText()).replace(/\s+/g, " ").replace(/\d+ \S+ ago|just now/g, "").replace(/[\d.]+ \S?s · [\d,.]+ \S? ?rows? looked at/, "");

async function send(service, name, more = {}) {
  const end = BigInt(Date.now()) * 1_000_000n;
  const hex = (length) => [...crypto.getRandomValues(new Uint8Array(length))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const resource = { attributes: [{ key: "service.name", value: { stringValue: service } }, ...(more.resource ?? [])] };
  const span = {
    traceId: hex(16), spanId: hex(8), name, kind: 2, startTimeUnixNano: String(end - 5_000_000n), endTimeUnixNano: String(end), ...more.span,
  };
  const post = (path, body) => fetch(`${otlp}${path}`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  const spans = await post("/v1/traces", { resourceSpans: [{ resource, scopeSpans: [{ scope: { name: more.scope ?? "x" }, spans: [span] }] }] });
  const record = { timeUnixNano: String(end), severityNumber: 17, body: { stringValue: more.body ?? name }, attributes: more.attributes ?? [], traceId: span.traceId, spanId: span.spanId };
  const logs = await post("/v1/logs", { resourceLogs: [{ resource, scopeLogs: [{ logRecords: [record] }] }] });
  check(spans.ok && logs.ok, `a span or record of ${service} was answered with ${spans.status} and ${logs.status}`);
  return span.traceId;
}

async function completes(context) {
  const page = await watched(context);
  await page.goto(`${base}/traces`);
  await page.locator("#q").focus();
  await page.keyboard.type("ser");
  await page.locator(".completion li").first().waitFor({ timeout: 5_000 });
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  check((await page.locator("#q").inputValue()) === "service:", "the completion of a field was not taken");
  await page.keyboard.type("paym");
  await page.locator(".completion li:first-child", { hasText: "payment" }).waitFor({ timeout: 5_000 });
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Tab");
  check((await page.locator("#q").inputValue()) === "service:payment ", "the completion of a value was not taken");
  await Promise.all([page.waitForURL(/q=service/), page.keyboard.press("Enter")]);
  await page.close();
}

async function selects(context) {
  const page = await watched(context);
  // A window that is over: what is still on its way would make two looks differ.
  const [from, to] = [Date.now() - 600_000, Date.now() - 30_000].map((ms) => BigInt(ms) * 1_000_000n);
  await page.goto(`${base}/traces?from=${from}&to=${to}`);
  const cells = page.locator("svg[data-heat] a[data-cell]");
  const [first, last] = [await cells.first().boundingBox(), await cells.last().boundingBox()];
  await page.mouse.move(first.x + first.width / 2, first.y + first.height / 2);
  await page.mouse.down();
  await page.mouse.move(last.x + last.width / 2, last.y + last.height / 2, { steps: 4 });
  await Promise.all([page.waitForURL(/sel=/), page.mouse.up()]);
  check(await page.locator(".selection").isVisible(), "a selection is not shown");
  const [url, shown] = [page.url(), await main(page)];
  const fresh = await watched(await context.browser().newContext({ javaScriptEnabled: false }));
  await fresh.goto(url);
  check((await main(fresh)) === shown, `${url} shows something else without a script`);
  await Promise.all([page.waitForURL(/compare-groups/), page.locator(".selection a", { hasText: "Compare" }).click()]);
  check(await page.locator("main h1", { hasText: "Selection against the rest" }).isVisible(), "the selection is not compared");
  await page.goBack();
  check((await main(page)) === shown, "Back does not show the selection again");
  await page.close();
}

async function saves(context) {
  const page = await watched(context);
  await page.goto(`${base}/logs?q=severity%3E%3Dwarn`);
  await page.locator("summary[title=Share]").click();
  await page.locator("input[name=name]").fill("Warnings <b>");
  await Promise.all([page.waitForURL(/\/saved#/), page.locator(".menu button", { hasText: "Save" }).click()]);
  await page.locator("main a", { hasText: "Warnings <b>" }).click();
  await page.waitForURL(/\/logs\?.*from=\d+/);
  await page.goto(`${base}/saved`);
  await Promise.all([page.waitForLoadState("load"), page.locator("button", { hasText: "Remove" }).first().click()]);
  check(!(await main(page)).includes("Warnings <b>"), "a removed view is still listed");
  await page.close();
}

async function hearsNews(context) {
  const page = await watched(context);
  await page.goto(`${base}/logs?q=service%3Anewcomer`);
  await page.locator(".facets > summary").hover();
  await send("newcomer", "hello");
  const pill = page.locator(".news");
  await pill.waitFor({ state: "visible", timeout: 10_000 });
  check((await page.locator("#list [data-row]").count()) === 0, "news moved rows by themselves");
  await pill.click();
  await page.locator("#list [data-row]").first().waitFor({ timeout: 5_000 });
  await page.close();
}

async function keysAreSwitchedOff(browser) {
  const context = await browser.newContext();
  const page = await watched(context);
  await page.goto(`${base}/settings`);
  await page.locator("ul[aria-label='Single-key shortcuts'] a", { hasText: "Off" }).click();
  await page.keyboard.press("?");
  await page.waitForTimeout(200);
  check(page.url().endsWith("/settings"), "a single key did something although keys are off");
  await context.close();
}

// Every text position of a span and a record holds what would break out of text, where it can.
async function hostileTextsStayTexts(browser) {
  const bad = "\"><img src=x onerror=alert(1)><script>alert(2)</script>'{{7*7}}\u202e";
  const pair = { key: `a${bad}`, value: { stringValue: bad } };
  const id = await send(`bad${bad}`, bad, {
    scope: bad, body: bad, attributes: [pair], resource: [pair, { key: "service.version", value: { stringValue: bad } }, { key: "service.instance.id", value: { stringValue: bad } }],
    span: {
      attributes: [pair, { key: "url.full", value: { stringValue: "javascript:alert(3)" } }], status: { code: 2, message: bad }, traceState: "a=b",
      events: [{ timeUnixNano: "1", name: bad, attributes: [pair] }, { timeUnixNano: "1", name: "exception", attributes: [{ key: "exception.type", value: { stringValue: bad } }, { key: "exception.message", value: { stringValue: bad } }, { key: "exception.stacktrace", value: { stringValue: bad } }] }],
      links: [{ traceId: "0".repeat(31) + "1", spanId: "0".repeat(15) + "1", attributes: [pair] }],
    },
  });
  const service = encodeURIComponent(`bad${bad}`), query = encodeURIComponent(`"${bad.replaceAll("\"", "\\\"")}"`);
  const page = await watched(await browser.newContext());
  page.on("dialog", (dialog) => { problems.push(`${page.url()}: a script of a sender ran`); dialog.dismiss(); });
  const tabs = ["operations", "dependencies", "errors", "instances", "logs"].map((tab) => `/services/${service}?tab=${tab}`);
  for (const path of [
    "/", "/services", ...tabs, `/services/${service}/ops/${encodeURIComponent(bad)}`, "/traces", `/traces?q=${query}`, `/traces/compare-groups?q=${query}`, `/trace/${id}`,
    `/trace/${id}?view=logs`, `/trace/${id}?view=services`, "/logs", `/logs?q=${query}&cols=${encodeURIComponent(`a${bad}`)}`, "/logs?view=patterns", `/map?focus=${service}`, "/map?view=table", "/start",
    `/complete?for=traces&before=service%3Abad`, `/query?sql=${encodeURIComponent("SELECT service_name, name, attributes FROM spans ORDER BY start_time DESC LIMIT 5")}`,
  ]) {
    await page.goto(base + path);
    const found = await page.evaluate(() => document.querySelectorAll("main img, main script, [onerror], a[href^='javascript']").length);
    check(found === 0, `${path} holds ${found} elements that a sender wrote`);
  }
}

await withBrowser(async (browser) => {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: base }).catch(() => {});
  await json("/api/v1/status");
  for (const act of [completes, selects, saves, hearsNews]) await act(context);
  await keysAreSwitchedOff(browser);
  await hostileTextsStayTexts(browser);
});
