// Pages where less is to be had: colours chosen by the reader's system, paper, more contrast, no motion.
//
// Usage: media.mjs BASE_URL CHROMIUM     Ends with 1 and says which page loses what.

import { base, check, pages, watched, withBrowser } from "./site.mjs";

// Runs in the page: charts of which nothing stands out from the ground, when the system chooses the colours.
function invisibleCharts() {
  const ground = getComputedStyle(document.body).backgroundColor;
  const shows = (mark) => {
    const { fill, stroke, opacity, visibility, fillOpacity } = getComputedStyle(mark);
    const painted = [[fill, fillOpacity], [stroke, 1]].some(([paint, part]) => !["none", ground, "rgba(0, 0, 0, 0)"].includes(paint) && Number(part) > 0);
    const box = mark.getBoundingClientRect();
    return painted && Number(opacity) > 0 && visibility === "visible" && (box.width > 0 || box.height > 0);
  };
  const charts = [...document.querySelectorAll("main svg[role]")].filter((chart) => chart.checkVisibility() && chart.querySelector("rect, path, circle, polygon"));
  return charts.filter((chart) => ![...chart.querySelectorAll("rect, path, circle, polygon")].some(shows)).map((chart) => chart.getAttribute("aria-label") ?? chart.outerHTML.slice(0, 100));
}

// Runs in the page: whether what has the focus and what is the current page can be told without colours.
function unmarked() {
  const found = [];
  const current = document.querySelector("nav [aria-current]");
  const { outlineStyle, borderStyle, fontWeight } = current ? getComputedStyle(current) : { outlineStyle: "solid" };
  if (outlineStyle === "none" && borderStyle === "none" && Number(fontWeight) < 600) found.push("the current page");
  const link = [...document.querySelectorAll("main a[href]")].find((one) => one.checkVisibility() && one.tabIndex >= 0);
  if (link) {
    link.focus({ focusVisible: true });
    const { outlineStyle: outline, outlineWidth } = getComputedStyle(link);
    if (outline === "none" || parseFloat(outlineWidth) < 1) found.push(`the focus on ${link.outerHTML.slice(0, 80)}`);
  }
  return found;
}

async function inChosenColours(browser, all) {
  for (const colorScheme of ["light", "dark"]) {
    const page = await watched(await browser.newContext({ forcedColors: "active", colorScheme }));
    for (const path of all) {
      await page.goto(base + path);
      for (const chart of await page.evaluate(invisibleCharts)) check(false, `${path}, forced colours (${colorScheme}): nothing is seen of ${chart}`);
      for (const what of await page.evaluate(unmarked)) check(false, `${path}, forced colours (${colorScheme}): ${what} is not marked`);
    }
  }
}

// Runs in the page as it is printed on A4 with margins of a centimetre.
function misprinted() {
  const found = [];
  for (const part of document.querySelectorAll("nav.rail, nav[aria-label=Pages], header [role=search], header details, .skip, main .tabs a:not([aria-current]), main .live, main .narrow-only, main button:not(.cells *)")) if (part.checkVisibility()) found.push(`${part.localName} is printed`);
  const main = document.querySelector("main");
  if (!document.querySelector("h1") || main.getBoundingClientRect().width < innerWidth * 0.85) found.push("the page does not take the paper");
  const [r, g, b] = getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number);
  if (Math.min(r, g, b) < 240) found.push("the ground is printed dark");
  // One or two are borders.
  if (document.documentElement.scrollWidth > innerWidth + 2) found.push(`it is ${document.documentElement.scrollWidth - innerWidth} px wider than the paper`);
  const beyond = [...document.querySelectorAll("main :is(td, th, p, li)")].filter((one) => one.checkVisibility() && one.getBoundingClientRect().right > innerWidth + 2);
  if (beyond.length > 0) found.push(`${beyond.length} cells and paragraphs leave the paper, such as "${beyond[0].textContent.trim().slice(0, 40)}"`);
  return found;
}

async function onPaper(browser, all) {
  const context = await browser.newContext({ viewport: { width: 718, height: 1047 }, colorScheme: "dark" });
  const page = await watched(context);
  for (const path of all) {
    await page.goto(base + path);
    await page.emulateMedia({ media: "print" });
    for (const what of await page.evaluate(misprinted)) check(false, `${path} on paper: ${what}`);
    await page.emulateMedia({ media: "screen" });
  }
  await page.goto(base + all[0]);
  check((await page.pdf({ format: "A4" })).subarray(0, 5).toString() === "%PDF-", "no PDF was made");
}

async function without(browser, all) {
  const page = await watched(await browser.newContext({ reducedMotion: "reduce" }));
  await page.emulateMedia({ contrast: "more", reducedMotion: "reduce" });
  for (const path of all) {
    await page.goto(base + path);
    const moving = await page.evaluate(() => [...document.querySelectorAll("*")].filter((one) => {
      const { transitionDuration, animationDuration } = getComputedStyle(one);
      return [transitionDuration, animationDuration].some((text) => text.split(",").some((part) => parseFloat(part) > 0));
    }).length);
    check(moving === 0 && (await page.evaluate(() => document.getAnimations().length)) === 0, `${path} moves ${moving} elements for whoever asked for none`);
    const [muted, plain] = await page.evaluate(() => ["--muted", "--text"].map((name) => getComputedStyle(document.documentElement).getPropertyValue(name)));
    check(muted === plain, `${path} has no more contrast for whoever asked for it`);
  }
}

await withBrowser(async (browser) => {
  const all = await pages();
  await inChosenColours(browser, all);
  await onPaper(browser, all);
  await without(browser, all);
});
