// Judges every page by axe: no violation in either theme, on a wide and on a narrow screen; and no page is wider than its window.
//
// Usage: axe.mjs BASE_URL CHROMIUM     Ends with 1 and names rule and elements when something is not so.

import { createRequire } from "node:module";

import { base, check, isWhole, pages, problems, withAssets, withBrowser } from "./site.mjs";

const axe = createRequire(import.meta.url).resolve("axe-core");
const rules = { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] };

async function judge(page, path, state) {
  await page.goto(base + path, { waitUntil: "load" });
  const isOpened = /^\/(traces|start)$|[?&](row|tab)=|\/span\//.test(path);
  // What a bar that stays covers where the page was scrolled to lies free elsewhere.
  await page.evaluate((opens) => { if (opens) document.querySelectorAll("details:not(.menu)").forEach((part) => { part.open = true; }); scrollTo(0, 0); }, isOpened);
  const found = [await page.evaluate((options) => globalThis.axe.run(document, options), rules)];
  // Menus hold much that is otherwise not looked at; one is open at a time.
  const menus = path === "/traces" ? await page.locator("header details.menu").count() : 0;
  for (let place = 0; place < menus; place++) {
    found.push(await page.evaluate(([options, at]) => {
      const all = [...document.querySelectorAll("header details.menu")];
      all.forEach((menu, other) => { menu.open = other === at; });
      return globalThis.axe.run(all[at], options);
    }, [rules, place]));
  }
  for (const violation of found.flatMap((one) => one.violations)) {
    const where = violation.nodes.slice(0, 3).map((node) => `${node.target.join(" ")}  ${node.html.slice(0, 160)}`).join("\n    ");
    problems.push(`${path} (${state}): ${violation.id}: ${violation.help}\n    ${where}`);
  }
}

await withBrowser(async (browser) => {
  const all = await pages();
  for (const [turn, width] of [1440, 390].entries()) {
    for (const colorScheme of isWhole ? ["light", "dark"] : [width > 600 ? "light" : "dark"]) {
      // The policy of the pages is tested elsewhere; here it would keep the judge out.
      const context = await browser.newContext({ colorScheme, viewport: { width, height: 900 }, bypassCSP: true, reducedMotion: "reduce" });
      await context.addInitScript({ path: axe });
      const page = await context.newPage();
      await withAssets(page);
      // In a short run each page is judged once, every other one on the narrow screen.
      for (const path of all.filter((_, place) => isWhole || place % 2 === turn)) await judge(page, path, `${colorScheme}, ${width} px`);
      await context.close();
    }
  }
  for (const width of isWhole ? [390, 320] : [320]) {
    const narrow = await (await browser.newContext({ viewport: { width, height: 700 } })).newPage();
    await withAssets(narrow);
    for (const path of all) {
      await narrow.goto(base + path);
      const over = await narrow.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      check(over <= 0, `${path} is ${over} px wider than a window of ${width} px`);
    }
  }
});
