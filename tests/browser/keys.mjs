// Keys and pointers where they meet: after a box that was ticked, with Meta, when a touch becomes a scroll, and on charts.
//
// Usage: keys.mjs BASE_URL CHROMIUM     Ends with 1 and says why when something is not so.

import { base, check, failingCheckout, heatOf, watched, withBrowser } from "./site.mjs";

// A box that was ticked by the pointer is no field that is typed into.
async function goesOnAfterABox(context) {
  const page = await watched(context);
  await page.goto(`${base}/traces?from=now-1h&to=now-5s`);
  for (const place of [0, 1]) await page.locator("[name=mark]").nth(place).check();
  check(await page.evaluate(() => document.activeElement.matches("[name=mark]")), "a box that was ticked does not have the focus");
  const [first, second] = await page.locator("[name=mark]:checked").evaluateAll((boxes) => boxes.map((box) => box.value));
  await page.keyboard.press("j");
  check(await page.evaluate(() => !document.activeElement.matches("[name=mark]")), "j does nothing after a box was ticked");
  await page.locator("[name=mark]").nth(1).focus();
  await Promise.all([page.waitForURL(/compare\?a=/), page.keyboard.press("X")]).catch(() => check(false, "X does nothing after two boxes were ticked"));
  const sides = ["a", "b"].map((side) => new URL(page.url()).searchParams.get(side)).sort();
  check(String(sides) === String([first, second].sort()), `${first} and ${second} were ticked, ${sides} are compared`);
  await page.close();
}

// On a Mac, Cmd is Ctrl; what else is pressed with it is the browser's.
async function runsWithMeta(context) {
  const page = await watched(context);
  await page.goto(`${base}/query?sql=SELECT%201%20AS%20one`);
  await page.locator("#sql").fill("SELECT 2 AS two");
  await Promise.all([page.waitForURL(/two/, { timeout: 10_000 }), page.keyboard.press("Meta+Enter")]).catch(() => check(false, "Cmd+Enter does not run the statement"));
  check(await page.locator("table.sql", { hasText: "two" }).isVisible(), "the statement that Cmd+Enter runs is not answered");
  await page.goto(`${base}/traces`);
  await page.locator("html[data-ready]").waitFor();
  await page.keyboard.press("Meta+j");
  check(await page.evaluate(() => document.activeElement === document.body), "Cmd+J moves over the rows");
  await page.close();
}

// Brackets need Option on a German Mac, and AltGr, which is Ctrl with Alt there, on Windows. Alt with letters, digits and arrows is the browser's.
async function typesWithOption(context) {
  const page = await watched(context), { id } = await failingCheckout();
  const press = (key, more) => page.evaluate(([key, more]) => !document.body.dispatchEvent(new KeyboardEvent("keydown", { key, altKey: true, bubbles: true, cancelable: true, ...more })), [key, more]);
  for (const [key, more, depth] of [["[", {}, "1"], ["]", { ctrlKey: true }, "all"]]) {
    await page.goto(`${base}/trace/${id}`);
    await page.locator("html[data-ready]").waitFor();
    await Promise.all([page.waitForURL(new RegExp(`depth=${depth}`), { timeout: 10_000 }), press(key, more)]).catch(() => check(false, `${key} that is typed with Alt and ${JSON.stringify(more)} does nothing`));
  }
  await page.goto(`${base}/trace/${id}`);
  await page.locator("html[data-ready]").waitFor();
  const before = page.url();
  for (const [key, more] of [["f", {}], ["d", {}], ["1", {}], ["2", {}], ["ArrowLeft", {}], ["[", { metaKey: true }]]) check(!(await press(key, more)), `Alt and ${key} are taken from the browser`);
  await page.waitForTimeout(500);
  check(page.url() === before && (await page.evaluate(() => document.activeElement === document.body)), `keys of the browser lead to ${page.url()}`);
  await page.close();
}

// Readings without a box for the search lead to it.
async function findsFromEveryReading(context) {
  const page = await watched(context), { id } = await failingCheckout();
  for (const view of ["timeline", "flame", "services", "spans", "logs", "map", "json"]) {
    await page.goto(`${base}/trace/${id}?view=${view}`);
    await page.locator("html[data-ready]").waitFor();
    await page.keyboard.press("f");
    await page.waitForFunction(() => document.activeElement?.id === "find", null, { timeout: 10_000 }).catch(() => check(false, `f does not lead from ${view} to the search`));
  }
  await page.close();
}

// What is asked for over a slow line comes while its reader types the next thing, and takes neither the words nor the place for them.
async function typesOnWhileAnswersCome(context) {
  const page = await watched(context);
  // With a search already there, other forms of the page hold it too.
  await page.goto(`${base}/trace/${(await failingCheckout()).id}?find=status%3Aerror`);
  await page.locator("html[data-ready]").waitFor();
  await page.route(/\/trace\//, async (route) => { await new Promise((done) => setTimeout(done, 400)); await route.continue(); });
  const answered = page.waitForResponse(/\/trace\/.*span=/, { timeout: 10_000 });
  await page.keyboard.press("e");
  await page.keyboard.press("f");
  await page.locator("#find").selectText();
  await page.keyboard.type("kind:cl");
  await answered;
  await page.locator("#panel h2").waitFor({ timeout: 10_000 });
  await page.keyboard.type("ient 4");
  const [value, has] = await page.evaluate(() => [document.querySelector("#find")?.value, document.activeElement?.id]);
  check(value === "kind:client 4" && has === "find", `what was typed while an answer came is "${value}", and "${has}" has the focus at ${page.url()}`);
  await page.close();
}

// A touch of the minimap that the browser takes for a scroll is over for the page: what is dragged afterwards zooms nothing.
async function letsGoOfTheMinimap(context) {
  const page = await watched(context);
  await page.goto(`${base}/trace/${(await failingCheckout()).id}`);
  await page.locator("html[data-ready]").waitFor();
  const before = page.url();
  const drawn = await page.evaluate(() => {
    const picture = document.querySelector("svg[data-brush]"), box = picture.getBoundingClientRect();
    const send = (name, share) => picture.dispatchEvent(new PointerEvent(name, { bubbles: true, cancelable: true, pointerType: "touch", clientX: box.left + box.width * share, clientY: box.top + 10 }));
    const drawn = [];
    for (const [name, share] of [["pointerdown", 0.3], ["pointermove", 0.5], ["pointercancel", 0.5], ["pointermove", 0.7], ["pointerup", 0.7]]) {
      send(name, share);
      drawn.push(picture.querySelectorAll(".brush").length);
    }
    return drawn.join(" ");
  });
  check(drawn === "0 1 0 0 0", `a touch of the minimap that is cancelled draws ${drawn}`);
  await page.waitForTimeout(500);
  check(page.url() === before, `a touch of the minimap that was cancelled leads to ${page.url()}`);
  await page.close();
}

// A chart is reached by Tab once, arrow keys move over its parts, and each says what it holds; the pointer shows the same.
async function chartsSayTheirParts(context) {
  const page = await watched(context);
  await page.goto(`${base}/services/orders?from=now-5m`);
  await page.locator("html[data-ready]").waitFor();
  const charts = page.locator(".histogram .drawn"), tip = page.locator("p.flash");
  for (const [chart, parts] of [[charts.first(), "a"], [page.locator(".histogram .drawn:has(.told)").first(), ".told"]]) {
    const all = chart.locator(`:scope > ${parts}`);
    check((await chart.locator("[tabindex='0']").count()) === 1, `${await chart.locator("[tabindex='0']").count()} parts of a chart are reached by Tab`);
    await all.first().focus();
    const labels = await all.evaluateAll((parts) => parts.map((part) => part.getAttribute("aria-label")));
    check(labels.length > 1 && (await tip.innerText()) === labels[0], `the first of ${labels.length} parts says "${await tip.innerText()}"`);
    await page.keyboard.press("ArrowRight");
    check((await tip.innerText()) === labels[1], `after → a chart says "${await tip.innerText()}" instead of "${labels[1]}"`);
    check(await all.nth(1).evaluate((part) => part === document.activeElement && part.tabIndex === 0), "→ does not move over the parts of a chart");
    await page.keyboard.press("Escape");
    check((await tip.count()) === 0, "Escape does not take away what a chart says");
    await page.keyboard.press("ArrowLeft");
    check((await tip.innerText()) === labels[0], "← does not lead back");
    await page.locator("h1").first().click();
    await all.nth(1).locator(".hit").hover({ force: true });
    check((await tip.innerText()) === labels[1], `under the pointer a chart says "${await tip.innerText()}"`);
    const [said, part] = [await tip.boundingBox(), await all.nth(1).boundingBox()];
    check(said.x >= 0 && said.x + said.width <= 1440 && Math.abs(said.y + said.height - part.y) < 3, `what a part says lies at ${JSON.stringify(said)}, the part at ${JSON.stringify(part)}`);
    await page.mouse.move(said.x + said.width / 2, said.y + said.height / 2);
    check((await tip.count()) === 1, "what a chart says goes away under the pointer");
    await page.mouse.move(2, 600);
    await tip.waitFor({ state: "detached", timeout: 2_000 }).catch(() => check(false, "what a chart says stays when the pointer is elsewhere"));
  }
  await page.close();
}

// What a cell of the heat map holds, or a point, is told at the pointer and under the arrow keys, to who sees and to who hears.
async function cellsSayWhatTheyHold(context) {
  const page = await watched(context);
  await page.goto(`${base}/traces?from=now-5m`);
  await page.locator("html[data-ready]").waitFor();
  const { cells, at } = await heatOf(page), tip = page.locator("p.flash");
  await page.mouse.move(...at(cells[0]));
  await tip.waitFor({ timeout: 5_000 }).catch(() => check(false, "a cell says nothing under the pointer"));
  await page.mouse.move(2, 600);
  await tip.waitFor({ state: "detached", timeout: 2_000 }).catch(() => check(false, "what a cell says stays when the pointer is elsewhere"));
  await page.locator("svg[data-heat]").focus();
  await page.keyboard.press("ArrowRight");
  const [seen, heard] = [await tip.innerText(), await page.locator("#say").textContent()];
  check(seen === heard && /\d spans?, \d+ failed$|^Nothing here$/.test(seen), `under the arrow keys a cell says "${seen}", and "${heard}" to screen readers`);
  await page.keyboard.press("Escape");
  check((await tip.count()) === 0, "Escape does not take away what a cell says");
  await page.close();
}

await withBrowser(async (browser) => {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  for (const act of [goesOnAfterABox, runsWithMeta, typesWithOption, findsFromEveryReading, typesOnWhileAnswersCome, letsGoOfTheMinimap, chartsSayTheirParts, cellsSayWhatTheyHold]) await act(context);
});
