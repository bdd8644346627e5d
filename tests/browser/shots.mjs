// Takes a picture of every key state, light and dark, wide and narrow, for people to look at; of the pages that have most to lose also at the
// widths between, and of a trace in colours of the system and as it is printed.
//
// Usage: shots.mjs BASE_URL CHROMIUM OTLP_HTTP_URL [FOLDER] [WORD]     WORD takes only the states whose name holds it. With ASSETS=ui/assets
// stylesheet and script are taken from there, to see a change without building.

import { mkdirSync } from "node:fs";

import { base, states, withAssets, withBrowser } from "./site.mjs";

const [folder = "shots", word = ""] = process.argv.slice(5);
mkdirSync(folder, { recursive: true });

// Name, options of the context, and of which states.
const all = () => true, crowded = (name) => /^(trace|traces|map|logs)(-|$)/.test(name), trace = (name) => /^trace(-span|-map|-flame)?$/.test(name);
const size = (width) => ({ viewport: { width, height: width > 600 ? 900 : 844 } });
const looks = [
  ...[1440, 390].flatMap((width) => ["light", "dark"].map((colorScheme) => [`${colorScheme}-${width}`, { ...size(width), colorScheme }, all])),
  ...[1024, 768].map((width) => [`light-${width}`, size(width), crowded]),
  ["forced-1440", { ...size(1440), forcedColors: "active", colorScheme: "dark" }, trace],
  ["paper", { viewport: { width: 718, height: 1047 } }, trace],
];

await withBrowser(async (browser) => {
  const chosen = (await states()).filter(([name]) => name.includes(word));
  for (const [look, options, takes] of looks) {
    const context = await browser.newContext({ reducedMotion: "reduce", ...options });
    const page = await context.newPage();
    await withAssets(page);
    for (const [name, path, act] of chosen.filter(([name]) => takes(name))) {
      await page.emulateMedia({ media: "screen" });
      await page.goto(base + path, { waitUntil: "load" });
      if (act) await act(page);
      if (look === "paper") await page.emulateMedia({ media: "print" });
      await page.screenshot({ path: `${folder}/${name}-${look}.png`, fullPage: true });
    }
    await context.close();
  }
});
