// Takes a picture of every key state, light and dark, wide and narrow, for people to look at.
//
// Usage: shots.mjs BASE_URL CHROMIUM OTLP_HTTP_URL [FOLDER] [WORD]     WORD takes only the states whose name holds it. With ASSETS=ui/assets
// stylesheet and script are taken from there, to see a change without building.

import { mkdirSync } from "node:fs";

import { base, states, withAssets, withBrowser } from "./site.mjs";

const [folder = "shots", word = ""] = process.argv.slice(5);
mkdirSync(folder, { recursive: true });

await withBrowser(async (browser) => {
  const chosen = (await states()).filter(([name]) => name.includes(word));
  for (const width of [1440, 390]) {
    for (const colorScheme of ["light", "dark"]) {
      const context = await browser.newContext({ colorScheme, viewport: { width, height: width > 600 ? 900 : 844 }, reducedMotion: "reduce" });
      const page = await context.newPage();
      await withAssets(page);
      for (const [name, path, act] of chosen) {
        await page.goto(base + path, { waitUntil: "load" });
        if (act) await act(page);
        await page.screenshot({ path: `${folder}/${name}-${colorScheme}-${width}.png`, fullPage: true });
      }
      await context.close();
    }
  }
});
