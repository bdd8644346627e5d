// Judges five pages by Lighthouse as a desktop browser on this machine sees them: performance 0.98, accessibility and best practices 1.
//
// Usage: lighthouse.mjs BASE_URL CHROMIUM     Ends with 1 and names page and audits when a score is lower. Lighthouse has a lock file of its
// own, because only the whole run needs it: npm ci --prefix tests/browser/lighthouse

import { existsSync } from "node:fs";
import { createServer } from "node:net";

import { chromium } from "playwright-core";

import { base, check, executablePath, failingCheckout, finish, flags, problems } from "./site.mjs";

const LEAST = { performance: 0.98, accessibility: 1, "best-practices": 1 };
// The time a script holds the page up, and how far what is drawn moves.
const MOST = { "total-blocking-time": 50, "cumulative-layout-shift": 0.02 };
// A machine that does something else beside is slow once; the page is not.
const ATTEMPTS = 4;

const home = new URL("./lighthouse/node_modules/lighthouse/core/index.js", import.meta.url);

const freePort = () => new Promise((done) => {
  const server = createServer().listen(0, "127.0.0.1", () => { const { port } = server.address(); server.close(() => done(port)); });
});

function shortcomings({ categories, audits }) {
  const low = Object.entries(LEAST).filter(([name, least]) => categories[name].score < least).map(([name]) => {
    const failed = categories[name].auditRefs.filter(({ id, weight }) => weight > 0 && audits[id].score !== null && audits[id].score < 1);
    return `${name} is ${categories[name].score}: ${failed.map(({ id }) => `${id} ${audits[id].displayValue ?? ""}`.trim()).join(", ")}`;
  });
  const much = Object.entries(MOST).filter(([name, most]) => audits[name].numericValue > most).map(([name]) => `${name} is ${audits[name].numericValue}`);
  return [...low, ...much];
}

async function judge(lighthouse, config, port, path) {
  let found = [];
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const run = lighthouse(base + path, { port, logLevel: "silent", onlyCategories: Object.keys(LEAST) }, config);
    const { lhr } = await run.catch((error) => ({ lhr: { runtimeError: error } }));
    if (lhr.runtimeError) {
      found = [lhr.runtimeError.message];
      continue;
    }
    found = shortcomings(lhr);
    const scores = Object.keys(LEAST).map((name) => lhr.categories[name].score).join(" / ");
    console.error(`${path}: ${scores}, first paint ${Math.round(lhr.audits["first-contentful-paint"].numericValue)} ms, blocked ${Math.round(lhr.audits["total-blocking-time"].numericValue)} ms, server ${Math.round(lhr.audits["server-response-time"].numericValue)} ms, machine ${lhr.environment.benchmarkIndex}`);
    if (found.length === 0) return;
  }
  for (const one of found) problems.push(`${path}: ${one}`);
}

if (!existsSync(home)) {
  console.error("skipped: Lighthouse is not here; npm ci --prefix tests/browser/lighthouse installs it");
  process.exit(0);
}
const { default: lighthouse, desktopConfig } = await import(home);
// Nothing is simulated: what is measured is what this machine does.
const config = { ...desktopConfig, settings: { ...desktopConfig.settings, throttlingMethod: "provided" } };
const port = await freePort();
const browser = await chromium.launch({ executablePath, args: [...flags, `--remote-debugging-port=${port}`] });
try {
  const { id } = await failingCheckout();
  for (const path of ["/", "/traces", `/trace/${id}`, "/logs", "/map"]) await judge(lighthouse, config, port, path);
} catch (error) {
  check(false, String(error?.stack ?? error));
} finally {
  await browser.close();
}
finish();
