// Reads one trace in every way the page offers: folded siblings, search, zoom, a span as root, every reading, the parts of the detail, and
// the comparison; by keyboard where there are keys, and with the same rows without a script.
//
// Usage: trace.mjs BASE_URL CHROMIUM OTLP_HTTP_URL     Ends with 1 and says why when something is not so.

import { base, check, otlp, problems, watched, withBrowser } from "./site.mjs";

const MS = 1_000_000n;
const spanId = (number) => (0x2000000 + number).toString(16).padStart(16, "0");
const text = (key, value) => ({ key, value: { stringValue: value } });

// A basket that asks the database once per item, charges a card on the second attempt and fails to send its mail.
function basket(id, items, slower) {
  const start = BigInt(Date.now() - 300_000) * MS;
  const span = (number, parent, name, kind, from, to, more = {}) => ({
    traceId: id, spanId: spanId(number), ...(parent === null ? {} : { parentSpanId: spanId(parent) }), name, kind,
    startTimeUnixNano: String(start + BigInt(from) * MS), endTimeUnixNano: String(start + BigInt(to) * MS), ...more,
  });
  const failed = (message) => ({ status: { code: 2, message } });
  const exception = { events: [{ timeUnixNano: String(start + 800n * MS), name: "exception", attributes: [
    text("exception.type", "SmtpError"), text("exception.message", "mailbox full"), text("exception.stacktrace", "at send (mail.js:1)\nat main (main.js:2)"),
  ] }] };
  const of = (service, spans) => ({ resource: { attributes: [text("service.name", service)] }, scopeSpans: [{ spans }] });
  const queries = Array.from({ length: items }, (_, i) => span(10 + i, 1, "SELECT item", 3, 20 + 10 * i, 28 + 10 * i + slower, {
    attributes: [text("db.system.name", "postgresql"), text("item.id", `i${i}`)], ...(i === 3 ? failed("deadlock") : {}),
  }));
  // Only what is asked of the same place is another attempt.
  const charged = { attributes: [text("url.full", "https://card.example/charges/1")] };
  const failure = { ...failed("mailbox full"), ...exception, attributes: [text("mail.to", "someone"), text("mail.size", "12")] };
  return [
    of("basket", [span(0, null, "POST /basket", 2, 0, 1_000), span(1, 0, "load items", 1, 10, 500), ...queries]),
    of("card", [span(200, 0, "Charge", 3, 600, 640, { ...failed("busy"), ...charged }), span(201, 0, "Charge", 3, 700, 740, charged)]),
    of("mail", [span(300, 0, "send mail", 3, 780, 820, failure)]),
  ];
}

// More steps than a page of rows has, the last of which asks twenty times.
function steps(id) {
  const start = BigInt(Date.now() - 300_000) * MS;
  const span = (number, parent, name, from, to) => ({
    traceId: id, spanId: spanId(number), ...(parent === null ? {} : { parentSpanId: spanId(parent) }), name, kind: 1,
    startTimeUnixNano: String(start + BigInt(from) * MS), endTimeUnixNano: String(start + BigInt(to) * MS),
  });
  const all = Array.from({ length: 200 }, (_, n) => span(1_000 + n, 999, `step ${n}`, n, n + 1));
  const asked = Array.from({ length: 20 }, (_, n) => span(2_000 + n, 1_199, "ask", 200 + n, 201 + n));
  return [{ resource: { attributes: [text("service.name", "stairs")] }, scopeSpans: [{ spans: [span(999, null, "climb", 0, 300), ...all, ...asked] }] }];
}

// Of this run: a second try finds traces of its own.
const [one, two, three] = ["d1", "d2", "d3"].map((first) => first + crypto.randomUUID().replaceAll("-", "").slice(2));

async function send(resourceSpans) {
  const answer = await fetch(`${otlp}/v1/traces`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ resourceSpans }) });
  check(answer.ok, `the receiver answered ${answer.status}`);
}

async function sendLog(id, span, body) {
  const record = { timeUnixNano: String(BigInt(Date.now() - 299_210) * MS), severityNumber: 13, body: { stringValue: body }, traceId: id, spanId: span };
  const resource = { attributes: [text("service.name", "mail")] };
  await fetch(`${otlp}/v1/logs`, {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ resourceLogs: [{ resource, scopeLogs: [{ logRecords: [record] }] }] }),
  });
}

const rows = (page) => page.locator("tr[data-row]").count();
const press = async (page, key) => { await page.keyboard.press(key); await page.waitForTimeout(60); };
const go = async (page, key) => { await Promise.all([page.waitForNavigation({ waitUntil: "load" }), page.keyboard.press(key)]); await page.waitForTimeout(120); };

async function fold(page) {
  await page.goto(`${base}/traces`);
  await page.goto(`${base}/trace/${one}`);
  const group = page.locator("tr.many");
  check((await group.innerText()).includes("×40"), `the loop is not one row: ${await rows(page)} rows`);
  check((await rows(page)) === 6, `six rows are expected with the loop folded, there are ${await rows(page)}`);
  for (let i = 0; i < 3; i++) await press(page, "j");
  await go(page, "ArrowRight");
  check((await rows(page)) === 46, `46 rows are expected with the loop unfolded, there are ${await rows(page)}`);
  check(await page.evaluate(() => document.activeElement.closest("tr")?.classList.contains("many")), "the focus is not where it was after unfolding");
  await go(page, "ArrowLeft");
  check((await rows(page)) === 6, "the loop does not fold again");
  await go(page, "w");
  await page.goBack();
  check(page.url() === `${base}/traces`, `Back after folding and zooming leads to ${page.url()}, not to the page before the trace`);
}

async function findAndZoom(page) {
  await page.goto(`${base}/trace/${one}`);
  await press(page, "f");
  await page.keyboard.type("item.id:i17");
  await go(page, "Enter");
  check((await page.locator("[data-found]").innerText()) === "1 of 1", "an attribute of a folded span is not found");
  check(new URL(page.url()).searchParams.get("span") === spanId(27), `a search led to ${page.url()}`);
  const focused = await page.evaluate(() => document.activeElement.closest("tr")?.id);
  check(focused === `s${spanId(27)}`, `after a search the focus is at ${focused}`);
  await go(page, "n");
  check(new URL(page.url()).searchParams.get("span") === spanId(27), `"n" led to ${page.url()}`);
  check((await page.locator("#panel h2").innerText()).includes("SELECT item"), "the detail of the match is not open");
  await go(page, "F");
  check((await page.locator(".zoom [name=t0]").inputValue()).startsWith("190"), `"F" does not show the chosen span: ${page.url()}`);
  await go(page, "0");
  check(!new URL(page.url()).searchParams.get("t0"), `"0" does not show all: ${page.url()}`);
  await go(page, "z");
  check((await rows(page)) === 1, "a leaf as root is not alone");
  await go(page, "Z");
  await page.goto(`${base}/trace/${one}`);
  const map = await page.locator("svg[data-brush]").boundingBox();
  await page.mouse.move(map.x + map.width * 0.5, map.y + 20);
  await page.mouse.down();
  await page.mouse.move(map.x + map.width * 0.75, map.y + 20, { steps: 5 });
  await Promise.all([page.waitForNavigation(), page.mouse.up()]);
  const ends = await Promise.all(["t0", "t1"].map((name) => page.locator(`.zoom [name=${name}]`).inputValue()));
  check(/^(49|50)/.test(ends[0]) && /^7[45]/.test(ends[1]), `dragging over the minimap shows ${ends.join(" to ")}`);
  check(/^\d+$/.test(new URL(page.url()).searchParams.get("t0")), `dragging over the minimap leads to ${page.url()}`);
}

// Hides a service by keyboard, reaches what failed in it, and shows one alone.
async function hide(page) {
  await page.goto(`${base}/trace/${one}`);
  const eye = (service) => page.getByRole("button", { name: `Hide ${service}`, exact: true });
  await eye("card").focus();
  await go(page, "Space");
  check((await rows(page)) === 4, `four rows are expected without those of card, there are ${await rows(page)}`);
  check((await eye("card").getAttribute("aria-pressed")) === "true", "the button of a hidden service is not pressed");
  check(await eye("card").evaluate((button) => button === document.activeElement), "the button that hid a service lost the focus");
  const told = page.locator(".hidden-spans");
  check((await told.innerText()).replace(/\s/g, " ") === "2 spans of card are hidden, 1 of them failed. Show all", `hidden spans are told as: ${await told.innerText()}`);
  await told.locator("a", { hasText: "failed" }).click();
  await page.waitForLoadState();
  check((await page.locator("tr[aria-selected=true] .name").innerText()) === "Charge" && (await rows(page)) === 5, "what failed in a hidden service is not reached");
  await page.goto(`${base}/trace/${one}?hide=card`);
  await told.locator("a", { hasText: "Show all" }).click();
  await page.waitForLoadState();
  check((await rows(page)) === 6 && !page.url().includes("hide="), `all spans are not shown again: ${page.url()}`);
  await Promise.all([page.waitForURL(/show=mail/), eye("mail").click({ modifiers: ["Alt"] })]);
  check((await rows(page)) === 1, `one row is expected with mail alone, there are ${await rows(page)}`);
}

async function columns(page) {
  await page.goto(`${base}/trace/${one}?groups=${spanId(10)}`);
  await page.locator(".columns-menu summary").click();
  await page.getByLabel("Own time").check();
  await page.getByLabel("Attribute").fill("item.id");
  await Promise.all([page.waitForURL(/col/), page.locator(".columns-menu button").click()]);
  const headings = await page.locator("th.added").allInnerTexts();
  check(headings.join(", ") === "Own, item.id", `the waterfall has the columns ${headings.join(", ")}`);
  const cells = await page.locator("tr[data-row]").nth(3).locator("td.added").allInnerTexts();
  check(cells[1] === "i0" && /ms/.test(cells[0]), `a row has ${cells.join(", ")} in its columns`);
  await page.locator(".columns-menu summary").click();
  await page.getByLabel("Own time").uncheck();
  await Promise.all([page.waitForNavigation(), page.locator(".columns-menu button").click()]);
  check((await page.locator("th.added").count()) === 1, "a column is not taken away");
}

// Whoever folds, unfolds or groups goes on from the row that it was, or from what it is folded into.
async function place(page) {
  await page.goto(`${base}/trace/${three}`);
  const at = () => page.evaluate(() => {
    const row = document.activeElement.closest("tr"), box = row?.getBoundingClientRect();
    return row && box.top >= 0 && box.bottom <= innerHeight ? `${row.classList.contains("many") ? "many " : ""}${row.id.slice(-3)} ${row.getAttribute("aria-expanded") ?? ""}`.trim() : "";
  });
  const group = `many ${spanId(2_000).slice(-3)}`, member = spanId(2_002).slice(-3), parent = spanId(1_199).slice(-3);
  const is = async (wanted, what) => { const found = await at(); check(found === wanted, `${what}, the focus is at "${found}" and not at "${wanted}"`); };
  await press(page, "j");
  await page.keyboard.press("End");
  await page.waitForFunction(() => document.activeElement.closest("tr.many") !== null, null, { timeout: 5_000 }).catch(() => problems.push("End does not lead to the last row"));
  await go(page, "ArrowRight");
  await is(`${group} true`, "after unfolding");
  for (let i = 0; i < 3; i++) await press(page, "j");
  await is(member, "after three steps");
  await go(page, "*");
  await is(member, "after ungrouping");
  await go(page, "*");
  await is(member, "after grouping what is unfolded");
  await press(page, "ArrowLeft");
  await is(`${group} true`, "one level up from a member");
  await go(page, "ArrowLeft");
  await is(`${group} false`, "after folding");
  await go(page, "*");
  for (let i = 0; i < 2; i++) await press(page, "j");
  await go(page, "*");
  await is(`${group} false`, "after grouping");
  await press(page, "ArrowLeft");
  await is(`${parent} true`, "one level up");
  await go(page, "ArrowLeft");
  await is(`${parent} false`, "after folding the row above");
  await page.keyboard.press("ArrowLeft");
  await page.waitForFunction(() => document.activeElement.closest("tr")?.dataset.row === "1", null, { timeout: 5_000 })
    .catch(() => problems.push("the row above is not reached where it is not loaded"));
  check(!page.url().includes("near="), `the address keeps what was of one step: ${page.url()}`);
}

async function readings(page) {
  await page.goto(`${base}/trace/${one}`);
  const expected = { 2: ".flame a", 3: "text=Own time", 4: ".spans tr[data-row]", 5: "text=no room left", 6: ".map .node", 7: "pre.raw", 1: "[role=treegrid]" };
  for (const [key, css] of Object.entries(expected)) {
    await go(page, key);
    check((await page.locator(css).count()) > 0, `"${key}" leads to ${page.url()} without ${css}`);
  }
  const notes = await page.locator(".findings").innerText();
  for (const said of ["mailbox full", "ran 40 times", "tried 2 times"]) check(notes.includes(said), `the findings do not say "${said}": ${notes}`);
  await page.goto(`${base}/trace/${one}?view=logs`);
  await page.locator("[data-row] .go a").last().click();
  await page.waitForLoadState();
  check(page.url().includes(`span=${spanId(300)}`) && (await page.locator("#panel h2").count()) === 1, `a log record does not lead to its span: ${page.url()}`);
}

async function detail(page) {
  await page.goto(`${base}/trace/${one}?span=${spanId(300)}`);
  check((await page.locator("#panel").innerText()).includes("at send (mail.js:1)"), "the exception of a failed span is not shown first");
  for (const [tab, said] of [["Attributes", "mail.to"], ["Logs", "no room left"], ["Timing", "after the start of the trace"], ["Raw", "\"span_id\""], ["Resource", "service.name"]]) {
    await page.locator("#panel nav a", { hasText: tab }).click();
    // The part before may say the same.
    const isShown = ([name, wanted]) => document.querySelector("#panel nav a[aria-current]")?.innerText.includes(name) && document.querySelector("#panel").innerText.includes(wanted);
    await page.waitForFunction(isShown, [tab, said], { timeout: 5_000 })
      .catch(() => problems.push(`the part ${tab} of the detail does not say ${said}`));
  }
  await page.goBack();
  await page.waitForFunction(() => document.querySelector("#panel")?.innerText.includes("\"span_id\""), null, { timeout: 10_000 })
    .catch(() => problems.push("Back does not lead to the part before"));
  await page.goto(`${base}/trace/${one}?span=${spanId(0)}`);
  await page.locator("tr[aria-selected=true] a[data-open]").focus();
  await page.keyboard.press("j");
  await page.waitForFunction(() => document.querySelector("#panel h2")?.innerText.includes("load items"), null, { timeout: 5_000 })
    .catch(() => problems.push("the open detail does not follow the row"));
}

// A detail that was opened in place stays while rows are folded, unless its own is.
async function kept(page) {
  const row = (number) => page.locator(`#s${spanId(number)}`), chosen = () => new URL(page.url()).searchParams.get("span");
  const open = async (number) => {
    await row(number).locator("a[data-open]").press("Enter");
    await page.waitForURL((url) => url.searchParams.get("span") === spanId(number));
    await page.waitForLoadState("networkidle");
  };
  const foldRow = async (number) => {
    const isFolded = page.waitForURL(/closed=/).catch(() => problems.push(`a row with an open detail elsewhere does not fold: ${page.url()}`));
    await row(number).locator("a.caret").click();
    await isFolded;
    await page.locator("html[data-ready]").waitFor();
  };
  for (const before of ["", `?span=${spanId(200)}`]) {
    await page.goto(`${base}/trace/${one}${before}`);
    await open(300);
    await foldRow(1);
    check(chosen() === spanId(300) && (await page.locator("#panel h2").count()) === 1, `folding a row from ${before || "no span"} leads to ${page.url()}`);
  }
  await page.goto(`${base}/trace/${one}?span=${spanId(0)}`);
  await open(300);
  await foldRow(0);
  check(chosen() === null && (await rows(page)) === 1, `folding the row above the chosen one leads to ${page.url()} with ${await rows(page)} rows`);
}

// Nothing lies over the value that is pointed at, and what can be done with it is in a menu beside it.
async function values(page) {
  await page.goto(`${base}/trace/${one}?span=${spanId(300)}&tab=attributes`);
  const value = page.locator("#panel [data-value]").first();
  await value.hover();
  const isSeen = await value.evaluate((element) => {
    const box = element.getBoundingClientRect();
    return [0.1, 0.5, 0.9].every((part) => element.contains(document.elementFromPoint(box.left + box.width * part, box.top + box.height / 2)));
  });
  check(isSeen, "something lies over the value of an attribute that is pointed at");
  await page.locator("#panel .ways > summary").first().click();
  const ways = await page.locator("#panel .ways").first().locator("a, button").allInnerTexts();
  check(ways.join(", ") === "Copy value, Traces with it, Traces without it, Find in this trace, Show as column", `the menu of a value has ${ways.join(", ")}`);
}

async function compare(page) {
  await page.goto(`${base}/compare?a=${one}&b=${two}`);
  const all = await page.locator("main").innerText();
  check(all.includes("slower") && all.includes("SELECT item"), "the comparison does not say what is slower");
  await press(page, "j");
  check(await page.evaluate(() => document.activeElement.closest("tr") !== null), "\"j\" leads to no row of the comparison");
  await page.goto(`${base}/compare?a=typical&b=${one}`);
  check((await page.locator("main").innerText()).includes("none is typical"), "a trace that failed was taken for a typical one");
}

async function withoutScript(browser) {
  const paths = ["", "?depth=1", `?groups=${spanId(10)}`, "?find=item.id%3Ai17&only=matches", "?only=errors", "?t0=25%25&t1=50%25", `?root=${spanId(1)}`, "?logs=rows", "?view=spans&sort=self", "?view=spans&t0=60%25&t1=80%25", "?hide=card", "?show=mail,card", `?cols=own,share,attr.item.id&groups=${spanId(10)}`, "?view=flame", "?skew=adjust"];
  for (const path of paths) {
    const texts = [];
    for (const javaScriptEnabled of [true, false]) {
      const context = await browser.newContext({ javaScriptEnabled });
      const page = await context.newPage();
      await page.goto(`${base}/trace/${one}${path}`);
      texts.push((await page.locator("[data-row]").allInnerTexts()).join("|").replace(/\s+/g, " "));
      await context.close();
    }
    check(texts[0] === texts[1] && texts[0] !== "", `/trace/…${path} has other rows without a script`);
  }
}

await withBrowser(async (browser) => {
  await send(basket(one, 40, 1));
  await send(basket(two, 40, 2));
  await send(steps(three));
  await sendLog(one, spanId(300), "no room left");
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await watched(context);
  for (const look of [fold, place, hide, columns, findAndZoom, readings, detail, kept, values, compare]) {
    await look(page).catch((error) => problems.push(`${look.name}: ${error.message.split("\n")[0]} at ${page.url()}`));
  }
  const narrow = await browser.newContext({ viewport: { width: 320, height: 700 } });
  const small = await watched(narrow);
  for (const path of [`/trace/${one}`, `/trace/${one}?span=${spanId(300)}`, `/trace/${one}?view=flame`, `/trace/${one}?view=spans`, `/trace/${one}?view=map`, `/trace/${one}?view=json`, `/compare?a=${one}&b=${two}`]) {
    await small.goto(base + path);
    const over = await small.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    check(over <= 0, `${path} is ${over} px wider than a window of 320 px`);
  }
  await withoutScript(browser);
});
