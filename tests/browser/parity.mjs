// What a page shows is in its address: a state that was reached by clicking opens the same in another browser, Back leads to what was there
// before, and without a script there are the same rows and words.
//
// Usage: parity.mjs BASE_URL CHROMIUM     Ends with 1 and says which address shows something else, and what.

import { base, check, isWhole, pages, problems, watched, withBrowser } from "./site.mjs";

// A window that is over: what is still on its way would make two looks differ.
const now = Date.now();
const ends = { from: String(BigInt(now - 600_000) * 1_000_000n), to: String(BigInt(now - 30_000) * 1_000_000n) };

// What stands in a page: its words, where its links lead, its rows. How long ago something was changes while one looks.
function shown() {
  const plain = (text) => text.replace(/\s+/g, " ")
    .replace(/\d+ (ns|µs|ms|s|min|h|d)( \d+ (s|min|h))? ago|just now/g, "").replace(/[\d.,]+ ?(ns|µs|ms|s) ?· ?[\d.,]+ ?[kMG]? ?rows? looked at/g, "")
    .replace(/\d+ rows? · [\d.,]+ ?(ns|µs|ms|s)|Now it is [\d:.]+/g, "")
    // How a trace compares with those of a day, to which the shop adds.
    .replace(/(Slower than \d+ %|As slow as the slowest) of the [\d,]+( spans of .+? within a day; their median is )[\d.,]+ (ns|µs|ms|s|min|h)( [\d.]+ (s|min))?/g, "$2").trim();
  const main = document.querySelector("main").cloneNode(true);
  // What the shop sends meanwhile is in answers of statements for all of time, and among the newest traces to compare with.
  const isForAllTime = !/start_time < \d{19}/.test(document.querySelector("#sql")?.value ?? "");
  for (const newer of main.querySelectorAll(isForAllTime ? ".sql tbody, .sql-chart, .more-counters .trace-lines" : ".more-counters .trace-lines")) newer.remove();
  // What the script adds for itself: buttons that copy, lists of suggestions, and what cancels a statement, which is hidden until one runs for a
  // second. What paper says of the present second.
  for (const extra of main.querySelectorAll("button.copy, .ways button, .completion, [data-tools], .console [hidden], .paper")) extra.remove();
  // The order of parameters says nothing, when a list was seen is another moment at each look, and so is now.
  const isOver = ["from", "to"].every((end) => /^\d{19}$/.test(new URL(location.href).searchParams.get(end) ?? ""));
  const place = (link) => {
    const url = new URL(link.href.baseVal ?? link.href, location.href);
    url.searchParams.sort();
    const said = (url.pathname + url.search).replace(/(seen(?:=|%3D))\d+/g, "$1now");
    return isOver || location.pathname.includes("/trace/") ? said : said.replace(/\b\d{19}\b/g, "a moment");
  };
  return {
    words: plain(main.textContent).replace(/\bCop(y|ied)\b/g, ""),
    links: [...main.querySelectorAll("a[href]")].filter((link) => !link.matches("[data-load]")).map(place).join("\n"),
    shared: [...document.querySelectorAll("#share a")].map(place).join("\n"),
    rows: [...main.querySelectorAll("[data-row]")].map((row) => row.id).join(" "),
  };
}

function compare(one, other, what) {
  for (const part of Object.keys(one)) {
    if (one[part] === other[part]) continue;
    const at = [...one[part]].findIndex((sign, place) => sign !== other[part][place]);
    const near = (text) => text.slice(Math.max(0, at - 40), at + 80);
    problems.push(`${what}: other ${part}:\n    ${near(one[part])}\n    ${near(other[part])}`);
    return;
  }
}

// What a page shows once its parts have come; a part that is asked for in place has no load to wait for.
async function settled(page, expected) {
  let seen = await page.evaluate(shown);
  for (let tries = 0; tries < 20 && JSON.stringify(seen) !== JSON.stringify(expected); tries++) {
    await page.waitForTimeout(150);
    seen = await page.evaluate(shown);
  }
  return seen;
}

async function opened(context, url) {
  const page = await watched(context);
  await page.goto(url);
  const seen = await page.evaluate(shown);
  await page.close();
  return seen;
}

// Links that change the state of the page they stand on.
const stateLinks = () => [...document.querySelectorAll("main a[href]")].map((link, place) => [link, place]).filter(([link]) => {
  const url = new URL(link.href.baseVal ?? link.href, location.href);
  return url.pathname === location.pathname && url.search !== location.search && link.checkVisibility();
}).map(([, place]) => place);

async function clicks(context, fresh, path, most) {
  const page = await watched(context);
  await page.goto(path);
  const links = await page.evaluate(stateLinks);
  const chosen = [...new Set(Array.from({ length: Math.min(most, links.length) }, (_, i) => links[Math.floor((i * links.length) / most) % links.length]))];
  for (const place of chosen) {
    const [before, url] = [await page.evaluate(shown), page.url()];
    // By the keyboard, because a link may lie under a header that stays.
    const link = await page.evaluate((at) => { const one = document.querySelectorAll("main a[href]")[at]; one.focus(); return one.outerHTML.slice(0, 200); }, place);
    const step = () => page.evaluate(() => navigation.currentEntry.index);
    const from = await step();
    const left = page.waitForURL((to) => to.href !== url).catch(() => problems.push(`${url}: Enter does not follow ${link}`));
    await page.keyboard.press("Enter");
    await left;
    if (page.url() === url) continue;
    await page.locator("html[data-ready]").waitFor();
    await page.waitForLoadState("networkidle");
    const reached = page.url();
    // What follows a fragment of the address is the same page.
    const there = await opened(fresh, reached);
    compare(await settled(page, there), there, `${reached} opens otherwise than it was reached from ${url}`);
    // What only adjusts the picture took the place of the page.
    if ((await step()) === from) await page.goto(url); else await page.goBack();
    await page.locator("html[data-ready]").waitFor();
    await page.waitForLoadState("networkidle");
    check(page.url() === url, `Back leads to ${page.url()} and not to ${url}`);
    compare(await settled(page, before), before, `${url}: Back from ${reached} shows something else`);
  }
  await page.close();
}

// Fragments that load by themselves are links for those without a script.
function unreachable() {
  const parts = [...document.querySelectorAll("[data-load], [data-panel], [data-link]")];
  return parts.filter((part) => !part.hasAttribute("href") && !part.hasAttribute("action")).map((part) => part.outerHTML.slice(0, 120));
}

await withBrowser(async (browser) => {
  const [context, fresh, plain] = [await browser.newContext(), await browser.newContext(), await browser.newContext({ javaScriptEnabled: false })];
  // Pages that tell of this moment differ from one look to the next.
  const steady = (await pages()).filter((path) => !/^\/(start|status|saved)?$|nowhere|from=now/.test(path));
  const some = steady.filter((path) => isWhole || /^\/(services|traces|logs|map|trace\/[0-9a-f]+)$/.test(path));
  for (const path of some) {
    const url = new URL(path, base);
    // A statement that is over too.
    if (url.searchParams.get("sql")?.includes("FROM spans GROUP")) url.searchParams.set("sql", url.searchParams.get("sql").replace("GROUP", `WHERE start_time < ${ends.to} GROUP`));
    for (const [name, value] of Object.entries(ends)) if (!url.searchParams.has(name) && !path.startsWith("/trace/")) url.searchParams.set(name, value);
    compare(await opened(context, url.href), await opened(plain, url.href), `${url.href} without a script`);
    await clicks(context, fresh, url.href, isWhole ? 5 : 2);
    const page = await plain.newPage();
    await page.goto(url.href);
    for (const part of await page.evaluate(unreachable)) problems.push(`${url.href}: leads nowhere without a script: ${part}`);
    await page.close();
  }
});
