// Does what readers do: completes a query, selects in the heat map, saves a view, watches news arrive, switches keys off; every state is
// in the address.
//
// Usage: act.mjs BASE_URL CHROMIUM OTLP_HTTP_URL     Ends with 1 and says why when something is not so.

import { base, check, failingCheckout, heatOf, json, watched, withBrowser } from "./site.mjs";
import { request } from "./sending.mjs";

const main = async (page) => (await page.locator("main").innerText()).replace(/\s+/g, " ").replace(/\d+ \S+ ago|just now/g, "").replace(/[\d.]+ \S?s · [\d,.]+ \S? ?rows? looked at/, "");

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

// The box at the top: a query, a service and a command.
async function completesInTheBox(context) {
  const page = await watched(context);
  await page.goto(`${base}/status`);
  await page.keyboard.press("/");
  for (const [typed, taken] of [["stat", "status:"], ["err", "status:error "]]) {
    await page.keyboard.type(typed);
    await page.locator(".omni .completion li:first-child", { hasText: taken.trim().split(":").findLast(Boolean) }).waitFor({ timeout: 5_000 });
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Tab");
    const written = await page.locator("#omni").inputValue();
    check(written === taken, `the box has "${written}" instead of "${taken}"`);
  }
  check(/\d/.test(await page.locator(".omni .completion").evaluate((list) => list.textContent)), "values in the box have no counts");
  await Promise.all([page.waitForURL(/\/traces\?q=status%3Aerror/), page.keyboard.press("Enter")]);
  for (const [typed, option, url] of [["paym", "payment", /\/services\/payment/], [">ser", ">services", /\/services$/]]) {
    await page.goto(`${base}/status`);
    await page.keyboard.press("/");
    await page.keyboard.type(typed);
    await page.locator(".omni .completion li", { hasText: option }).first().waitFor({ timeout: 5_000 });
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    check((await page.locator("#omni").inputValue()) === option, `${typed} in the box is not completed to ${option}`);
    await Promise.all([page.waitForURL(url), page.keyboard.press("Enter")]);
  }
  await page.goto(`${base}/status`);
  await page.keyboard.press("/");
  await page.keyboard.type("stat");
  await page.locator(".omni .completion li").first().waitFor({ timeout: 5_000 });
  await page.keyboard.press("Escape");
  check(await page.locator(".omni .completion").isHidden() && (await page.locator("#omni").inputValue()) === "stat", "Escape does not close what the box offers");
  await page.close();
}

// A second value is added to the first, and the first released, with a script and without.
async function addsAlternatives(context) {
  const plain = await context.browser().newContext({ javaScriptEnabled: false });
  for (const page of [await watched(context), await watched(plain)]) {
    await page.goto(`${base}/traces?q=service%3Apayment`);
    const values = page.locator(".facets section", { has: page.locator("h2", { hasText: /^Service(, most frequent)?$/ }) }).locator("a.value");
    const isChosen = async (name) => (await values.filter({ has: page.getByText(name, { exact: true }).or(page.getByText(`✓ ${name}`, { exact: true })) }).getAttribute("aria-current")) === "true";
    check(await isChosen("payment"), "the chosen value is not marked");
    // Which others are frequent depends on what else was sent.
    const second = page.locator(".facets a.value[title='Or this one']").first();
    const name = await second.locator(".text").innerText();
    await Promise.all([page.waitForURL(/q=service%3Apayment%2C/), second.click()]);
    check((await isChosen("payment")) && (await isChosen(name)), `payment and ${name} are not both marked`);
    await Promise.all([page.waitForURL((url) => url.searchParams.get("q") === `service:${name}`), page.locator(".facets a.value[title=Release]", { hasText: "payment" }).click()]);
    check((await isChosen(name)) && !page.url().includes("payment"), "a value is not released by itself");
    await page.close();
  }
  await plain.close();
}

// A click on a cell selects it and nothing else; without a script five columns and the cells of the table do.
async function selectsOneCell(page, url) {
  await page.goto(url);
  const { cells, at, low, high } = await heatOf(page);
  const [column, row] = cells[0];
  await Promise.all([page.waitForURL(/sel=/), page.mouse.click(...at(cells[0]))]);
  const selected = () => new URL(page.url()).searchParams.get("sel");
  check(selected() === `${column}-${column},${row}-${row}`, `a click on cell ${cells[0]} selects ${selected()}`);
  const plain = await watched(await page.context().browser().newContext({ javaScriptEnabled: false }));
  await plain.goto(url);
  await Promise.all([plain.waitForURL(/sel=/), plain.mouse.click(...at(cells[0]))]);
  const strip = Math.floor(column / 5) * 5;
  check(new URL(plain.url()).searchParams.get("sel") === `${strip}-${strip + 4},${low}-${high}`, `without a script a click selects ${plain.url()}`);
  await plain.goto(url);
  await plain.locator(".as-table > summary").click();
  await Promise.all([plain.waitForURL(/sel=/), plain.locator(".cells button").first().click()]);
  check(await plain.locator(".selection").isVisible(), "without a script a cell of the table selects nothing");
  await plain.close();
}

async function selects(context) {
  const page = await watched(context);
  // A window that is over: what is still on its way would make two looks differ.
  const [from, to] = [Date.now() - 600_000, Date.now() - 30_000].map((ms) => BigInt(ms) * 1_000_000n);
  // All spans: those are too many to be points.
  const all = `${base}/traces?q=duration%3E1ns&from=${from}&to=${to}`;
  await page.goto(all);
  const { cells, at } = await heatOf(page);
  await page.mouse.move(...at(cells[0]));
  await page.mouse.down();
  await page.mouse.move(...at(cells.at(-1)), { steps: 4 });
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
  await selectsOneCell(page, all);
  await selectsWhereNothingIs(page, all);
  await page.close();
}

// A drag that begins in an empty corner, and the same by arrow keys.
async function selectsWhereNothingIs(page, url) {
  await page.goto(url);
  const { cells, low, high, at } = await heatOf(page);
  const taken = cells.map(String);
  const rows = Array.from({ length: high - low + 1 }, (_, at) => low + at);
  const empty = rows.flatMap((row) => Array.from({ length: 60 }, (_, column) => [column, row])).find(([column, row]) => !taken.includes(`${column},${row}`));
  check(empty !== undefined, "no cell of the heat map is empty");
  const end = [Math.min(empty[0] + 3, 59), Math.min(empty[1] + 1, high)];
  await page.mouse.move(...at(empty));
  await page.mouse.down();
  await page.mouse.move(...at(end), { steps: 3 });
  await Promise.all([page.waitForURL(/sel=/), page.mouse.up()]);
  const selected = new URL(page.url()).searchParams.get("sel");
  check(selected === `${empty[0]}-${end[0]},${empty[1]}-${end[1]}`, `a drag from ${empty} to ${end} selects ${selected}`);
  await page.goto(url);
  await page.keyboard.press("h");
  for (const key of ["ArrowRight", "ArrowLeft", "Shift+ArrowRight", "Shift+ArrowRight", "Shift+ArrowUp"]) await page.keyboard.press(key);
  await Promise.all([page.waitForURL(/sel=/), page.keyboard.press("Enter")]);
  const [columns] = new URL(page.url()).searchParams.get("sel").split(",").map((part) => part.split("-").map(Number));
  check(columns[1] - columns[0] === 2 || columns[1] === 59, `arrow keys select ${page.url()}`);
}

async function walksAlongTheList(context) {
  const page = await watched(context);
  const [from, to] = [Date.now() - 600_000, Date.now() - 30_000].map((ms) => BigInt(ms) * 1_000_000n);
  await page.goto(`${base}/traces?q=service%3Apayment&sort=slowest&from=${from}&to=${to}`);
  const numbers = await page.locator("#list tbody td:nth-child(3) > [title]").evaluateAll((cells) => cells.map((cell) => Number(cell.title.replace(/\D/g, ""))));
  check(numbers.every((number, at) => at === 0 || number <= numbers[at - 1]), `a list of the slowest does not show what it is sorted by: ${numbers.slice(0, 5)}`);
  const list = await page.locator("#list a[data-open]").evaluateAll((links) => links.map((link) => new URL(link.href).pathname));
  await page.keyboard.press("j");
  await Promise.all([page.waitForURL((url) => url.pathname === list[0]), page.keyboard.press("Enter")]);
  check((await page.locator("nav.back").innerText()).includes("1 of "), "the page of a trace does not say where it stands in its list");
  for (const [key, at] of [[">", 1], [">", 2], ["<", 1]]) {
    await page.locator(`nav.back a[data-key="${key}"]`).waitFor({ timeout: 5_000 });
    await Promise.all([page.waitForURL((url) => url.pathname === list[at]), page.keyboard.press(key)]);
  }
  await Promise.all([page.waitForURL(/\/traces\?.*sort=slowest/), page.locator("nav.back > a").click()]);
  await page.close();
}

async function keepsStatements(context) {
  const page = await watched(context);
  await page.goto(`${base}/query?sql=SELECT%201%20AS%20one`);
  await page.locator("#sql").fill("SELECT 2 AS two");
  await Promise.all([page.waitForURL(/two/), page.keyboard.press("Control+Enter")]);
  await page.locator(".earlier summary").click();
  await Promise.all([page.waitForURL(/sql=SELECT%201/), page.locator(".earlier a", { hasText: "SELECT 1 AS one" }).click()]);
  check((await page.locator("#sql").inputValue()) === "SELECT 1 AS one", "an earlier statement is not shown again");
  await page.close();
}

async function saves(context) {
  const page = await watched(context);
  await page.goto(`${base}/logs?q=severity%3E%3Dwarn`);
  await page.locator("summary[title=Share]").click();
  await page.locator("input[name=name]").fill("Warnings <b>");
  await Promise.all([page.waitForURL(/\/saved#/), page.locator(".menu button", { hasText: "Save" }).click()]);
  await page.locator("main a", { hasText: "Warnings <b>" }).click();
  await page.waitForURL(/\/logs\?.*from=now-1h/);
  await page.goto(`${base}/saved`);
  await Promise.all([page.waitForLoadState("load"), page.locator(".confirm summary").first().click().then(() => page.locator(".confirm button").first().click())]);
  check(!(await main(page)).includes("Warnings <b>"), "a removed view is still listed");
  await page.close();
}

async function hearsNews(context) {
  const page = await watched(context);
  await page.goto(`${base}/logs?q=service%3Anewcomer`);
  await page.locator("#list .listbar").hover();
  await request("newcomer", "hello");
  const pill = page.locator("button.news");
  await pill.waitFor({ state: "visible", timeout: 10_000 });
  check((await page.locator("#list [data-row]").count()) === 0, "news moved rows by themselves");
  const [told, bar] = [await pill.boundingBox(), await page.locator("header.bar").boundingBox()];
  check(told.y >= bar.y && told.y + told.height <= bar.y + bar.height, "news lie over the page and not in its bar");
  await pill.click();
  await page.locator("#list [data-row]").first().waitFor({ timeout: 5_000 });
  await page.close();
}

// Keys go on from the row that was opened: beside its detail, and back in the list.
async function goesOnFromTheRow(context) {
  const page = await watched(context);
  const row = () => page.evaluate(() => document.activeElement.closest("[data-row]")?.querySelector("[data-open]").pathname + document.activeElement.closest("[data-row]")?.id);
  const isOn = (wanted) => page.waitForFunction((id) => document.activeElement.closest("[data-row]")?.id === id, wanted, { timeout: 5_000 });
  await page.goto(`${base}/logs`);
  await page.locator("html[data-ready]").waitFor();
  for (let i = 0; i < 3; i++) await page.keyboard.press("j");
  await Promise.all([page.waitForURL(/row=/), page.keyboard.press("Enter")]);
  await isOn("open").catch(() => check(false, "opening a record takes the focus from its row"));
  // A list that is over: on a slow machine more traces come meanwhile than a page of the newest has rows.
  const [from, to] = [600_000, 10_000].map((ago) => BigInt(Date.now() - ago) * 1_000_000n);
  await page.goto(`${base}/traces?from=${from}&to=${to}`);
  await page.locator("html[data-ready]").waitFor();
  for (let i = 0; i < 2; i++) await page.keyboard.press("j");
  const before = await row();
  await Promise.all([page.waitForURL(/trace\//), page.keyboard.press("Enter")]);
  await page.goBack();
  await page.locator("html[data-ready]").waitFor();
  await page.waitForFunction(() => document.activeElement.closest("[data-row]"), null, { timeout: 5_000 }).catch(() => {});
  check((await row()) === before, "Back leads to another row than the one that was opened");
  await page.close();
}

// Two rows are marked by keys and compared; without a script by boxes and a button. The other is changed by a click.
async function comparesMarked(context) {
  const page = await watched(context);
  await page.goto(`${base}/traces?from=now-1h&to=now-20s`);
  for (const key of ["j", "x", "j", "x"]) await page.keyboard.press(key);
  const marked = await page.locator("[name=mark]:checked").evaluateAll((boxes) => boxes.map((box) => box.value));
  check(marked.length === 2, `x marked ${marked.length} traces instead of two`);
  await Promise.all([page.waitForURL(/compare\?a=/), page.keyboard.press("X")]);
  const sides = () => ["b", "a"].map((side) => new URL(page.url()).searchParams.get(side));
  check(String(sides()) === String(marked), `${marked} were marked, ${sides()} are compared`);
  await page.locator(".more-counters summary").click();
  await Promise.all([page.waitForURL((url) => url.searchParams.get("a") !== marked[1]), page.locator(".more-counters [data-row] a").first().click()]);
  check((await page.locator(".sides li").count()) === 2, "the trace that was chosen is not compared");
  await page.goto(`${base}/compare?a=${marked[1]}&b=${marked[0]}&by=own&min=1us`);
  await page.keyboard.press("j");
  check(await page.evaluate(() => document.activeElement.matches(".compare a[data-open], .log-lines a")), "j does not walk through what is compared");
  const plain = await watched(await context.browser().newContext({ javaScriptEnabled: false }));
  await plain.goto(`${base}/traces`);
  for (const place of [0, 1]) await plain.locator("[name=mark]").nth(place).check();
  await Promise.all([plain.waitForURL(/compare\?a=/), plain.locator("#marks button").click()]);
  check((await plain.locator(".sides li").count()) === 2, "without a script two marked traces are not compared");
  await plain.context().close();
  await page.close();
}

// What the keyboard presses above a list has the focus again when the page is there.
async function keepsTheFocus(context) {
  const page = await watched(context);
  await page.goto(`${base}/logs`);
  for (const wrapped of [true, false]) {
    await page.locator("#wrap").focus();
    await Promise.all([page.waitForURL((url) => (url.searchParams.get("wrap") === "1") === wrapped), page.keyboard.press("Enter")]);
    await page.locator("html[data-ready]").waitFor();
    await page.waitForFunction(() => document.activeElement.id === "wrap", null, { timeout: 5_000 })
      .catch(() => problems.push(`after "Wrap" (${wrapped}) the focus is not on it`));
  }
  await page.close();
}

// Columns of logs are moved; a statement is completed in the middle of a text; a command changes the theme and leads back.
async function arranges(context) {
  const page = await watched(context);
  await page.goto(`${base}/logs?cols=http.route,order.id`);
  await page.locator(".listbar .menu summary", { hasText: "Columns" }).click();
  await Promise.all([page.waitForURL(/cols=order.id%2Chttp.route/), page.locator("a[title='To the right']").first().click()]);
  await page.goto(`${base}/query?sql=${encodeURIComponent("SELECT x FROM spans")}&past=`);
  await page.locator("#sql").evaluate((box) => { box.focus(); box.value = "SELECT attributes['http.resp FROM spans"; box.setSelectionRange(28, 28); box.dispatchEvent(new Event("input")); });
  await page.locator(".completion li").first().waitFor({ timeout: 5_000 });
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Tab");
  const written = await page.locator("#sql").inputValue();
  check(written === "SELECT attributes['http.response.status_code'] FROM spans", `the key of an attribute was completed to ${written}`);
  await page.goto(`${base}/logs?q=severity%3Ewarn`);
  await page.keyboard.press("/");
  await page.keyboard.type(">theme dark");
  await Promise.all([page.waitForURL(/logs\?q=/), page.keyboard.press("Enter")]);
  await page.locator("html[data-theme=dark]").waitFor({ timeout: 5_000 });
  await page.close();
}

async function keysAreSwitchedOff(browser) {
  const context = await browser.newContext();
  const page = await watched(context);
  await page.goto(`${base}/settings`);
  await page.locator("ul[aria-label='Single-key shortcuts'] a", { hasText: "Off" }).click();
  await page.keyboard.press("?");
  await page.waitForTimeout(200);
  check(page.url().endsWith("/settings") && (await page.locator("dialog").count()) === 0, "a single key did something although keys are off");
  await context.close();
}

// The list of keys lies over the page, which stays where it was; keys of the chosen span take the row that has the focus.
async function keepsItsPlace(context) {
  const page = await watched(context), { id } = await failingCheckout();
  await page.goto(`${base}/trace/${id}`);
  const url = page.url();
  await page.keyboard.press("?");
  await page.locator("dialog[open]", { hasText: "go to the search box" }).waitFor({ timeout: 3_000 });
  await page.keyboard.press("j");
  check(!(await page.locator("[data-row] :focus").count()), "a key reaches the page below the list of keys");
  await page.keyboard.press("Escape");
  check((await page.locator("dialog").count()) === 0 && page.url() === url, `the list of keys was left for ${page.url()}`);
  for (let i = 0; i < 2; i++) await page.keyboard.press("j");
  const row = await page.evaluate(() => document.activeElement.closest("[data-row]").id.slice(1));
  await Promise.all([page.waitForURL((address) => address.searchParams.get("root") === row), page.keyboard.press("z")]);
  await page.close();
}

// What is drawn can be read: the map is scrolled, not shrunk, beside or without its panel; rows of tables fit a phone; charts say their values.
async function isLegible(browser) {
  for (const width of [1440, 390]) {
    const page = await watched(await browser.newContext({ viewport: { width, height: 900 } }));
    for (const path of ["/map", "/map?caller=orders&callee=payment", "/map?group=namespace"]) {
      await page.goto(base + path);
      const scale = await page.evaluate(() => { const svg = document.querySelector(".map svg[viewBox]"); return svg.getBoundingClientRect().width / svg.viewBox.baseVal.width; });
      const chosen = page.locator(".map a.chosen");
      const lies = (await chosen.count()) ? await chosen.first().evaluate((one) => { const box = one.getBoundingClientRect(), map = one.closest(".map").getBoundingClientRect(); return box.left >= map.left - 1 && box.right <= map.right + 1; }) : true;
      check(lies, `${path}: the chosen dependency is outside of what is seen of the map at ${width} px`);
      check(scale > 0.75 && scale < 1.02, `${path} is drawn at ${scale.toFixed(2)} of its size at ${width} px`);
    }
    check((await page.locator(".map a.node.group").count()) > 0, "no namespace is one node of the map");
    for (const path of ["/", "/services", "/services/orders", "/services/orders?tab=dependencies", "/map", "/status"]) {
      await page.goto(base + path);
      const cut = await page.evaluate(() => [...document.querySelectorAll("table.fold")].filter((table) => table.scrollWidth > table.parentElement.clientWidth + 1).length);
      check(cut === 0 || width > 720, `${path} has ${cut} tables that are cut off at ${width} px`);
    }
    await page.goto(`${base}/services/orders`);
    for (const label of [".scale text", ".axis-labels text"]) check((await page.locator(`.histogram ${label}`).count()) > 2, `a chart has no ${label}`);
    await page.close();
  }
}

// One cause is one line: the service in which the failing checkout starts is named once.
async function namesACauseOnce(browser) {
  const page = await watched(await browser.newContext());
  await page.goto(base);
  const lines = await page.locator(".attention > li").evaluateAll((all) => all.map((line) => line.querySelector(".chip-name").textContent));
  check(lines.filter((name) => name === "payment").length === 1, `payment is told of in ${lines.filter((name) => name === "payment").length} lines: ${lines.join(", ")}`);
  check(!lines.includes("orders"), "orders fails because of payment, and is a line of its own");
  await page.close();
}

await withBrowser(async (browser) => {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: base }).catch(() => {});
  await json("/api/v1/status");
  for (const act of [completes, completesInTheBox, addsAlternatives, selects, walksAlongTheList, goesOnFromTheRow, comparesMarked, arranges, keepsTheFocus, keepsStatements, saves, hearsNews, keepsItsPlace]) await act(context);
  await keysAreSwitchedOff(browser);
  await isLegible(browser);
  await namesACauseOnce(browser);
});
