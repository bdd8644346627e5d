// Five tasks of the person on call, by keyboard alone from Home, with a count of actions that docs/ui.md promises; and the focus is seen
// after every key.
//
// Usage: tasks.mjs BASE_URL CHROMIUM     Ends with 1 and says why when a task fails or takes more than is promised.

import { readFileSync } from "node:fs";

import { base, check, isWhole, json, pages, problems, watched, withBrowser } from "./site.mjs";

const document_ = readFileSync(new URL("../../docs/ui.md", import.meta.url), "utf8");

// What is promised: the number that ends the row of this task.
function promised(task) {
  const row = document_.split("\n").find((line) => line.startsWith(`| ${task} |`));
  const most = Number(/\| (\d+) \|$/.exec(row ?? "")?.[1]);
  check(most > 0, `docs/ui.md promises nothing for "${task}"`);
  return most;
}

// Someone with a keyboard. A key is one action, and so is typing a text.
class Reader {
  constructor(page, task) {
    Object.assign(this, { page, task, done: [] });
  }

  async open(path) {
    await this.page.goto(base + path);
    await this.settled();
  }

  settled() {
    return this.page.locator("html[data-ready]").waitFor();
  }

  async press(key) {
    this.done.push(key);
    await this.page.keyboard.press(key);
    await this.look(key);
  }

  async look(key) {
    const hidden = await this.page.evaluate(focusIsHidden);
    check(!hidden, `${this.task}: after "${key}" the focus is not seen: ${hidden}`);
  }

  async type(text) {
    this.done.push(`"${text}"`);
    await this.page.keyboard.type(text);
  }

  // A key that leads to another address, with this in it.
  async go(key, address) {
    this.done.push(key);
    await Promise.all([this.page.waitForURL(address), this.page.keyboard.press(key)]);
    await this.settled();
    await this.look(key);
  }

  // Again and again until the focus is where it should be.
  async until(key, where, limit) {
    for (let i = 0; i <= limit; i++) {
      if (await this.page.evaluate(where)) return;
      await this.press(key);
    }
    throw new Error(`${this.task}: "${key}" does not lead there in ${limit} steps`);
  }

  end() {
    const most = promised(this.task);
    check(this.done.length <= most, `${this.task} took ${this.done.length} actions (${this.done.join(" ")}); docs/ui.md promises ${most}`);
    console.error(`${this.task}: ${this.done.length} (${this.done.join(" ")})`);
  }
}

// Runs in the page: why the focused element cannot be seen, if so.
function focusIsHidden() {
  const element = document.activeElement;
  if (!element || element === document.body || element.id === "main" || element.closest("svg")) return "";
  const what = element.outerHTML.slice(0, 120);
  const box = [...element.getClientRects()].find((one) => one.width > 0 && one.height > 0);
  if (!box) return `${what} has no box`;
  if (box.bottom <= 0 || box.top >= innerHeight || box.right <= 0 || box.left >= innerWidth) return `${what} is outside of the window`;
  // A link may hold what lies over it; what is neither in it nor around it covers it.
  const points = [0.1, 0.5, 0.9].map((part) => [box.left + Math.min(box.width * part, box.width - 1), box.top + box.height / 2]);
  const inside = points.filter(([x, y]) => x >= 0 && x < innerWidth && y >= 0 && y < innerHeight);
  const covered = inside.every(([x, y]) => { const top = document.elementFromPoint(x, y); return !top || !(element.contains(top) || top.contains(element)); });
  return inside.length > 0 && covered ? `${what} is covered` : "";
}

const listIs = (name) => `document.activeElement.closest("section")?.querySelector("h2")?.textContent.startsWith(${JSON.stringify(name)}) === true`;

const tasks = {
  async "the slowest checkout and why"(reader) {
    await reader.open("/");
    await reader.until("K", listIs("Slowest"), 8);
    await reader.until("j", "document.activeElement.textContent.includes('checkout')", 4);
    await reader.go("Enter", /\/trace\/[0-9a-f]{32}/);
    const told = await reader.page.getByRole("list", { name: "Findings" }).innerText();
    check(/critical path|slower|failed|took|waited|%/i.test(told), `${reader.task}: the findings name no cause: ${told}`);
  },

  async "the failing service and its first error"(reader) {
    await reader.open("/");
    await reader.go("1", /status(:|%3A)error/);
    await reader.press("j");
    await reader.go("Enter", /\/trace\/[0-9a-f]{32}/);
    await reader.press("e");
    await reader.page.waitForURL(/span=[0-9a-f]{16}/);
    const span = new URL(reader.page.url()).searchParams.get("span");
    const trace = await json(`/api/v1/traces/${/trace\/([0-9a-f]{32})/.exec(reader.page.url())[1]}`);
    const failed = trace.spans.filter((one) => one.status.code === "error");
    check(failed.some((one) => one.span_id === span), `${reader.task}: "e" led to a span that did not fail`);
    await reader.page.locator("#panel h2").waitFor();
  },

  async "repeated calls (N+1)"(reader) {
    await reader.open("/");
    await reader.until("j", "document.activeElement.matches('[data-open]') && /times under one parent/.test(document.activeElement.textContent)", 9);
    await reader.go("Enter", /\/traces/);
    await reader.press("j");
    await reader.go("Enter", /\/trace\/[0-9a-f]{32}/);
    await reader.press("J");
    await reader.until("j", "/times/.test(document.activeElement.textContent)", 4);
    await reader.go("Enter", /#s/);
    await reader.page.locator("[data-row]", { hasText: "×" }).first().waitFor();
  },

  async "all logs of one request"(reader) {
    await reader.open("/");
    await reader.until("K", listIs("Slowest"), 8);
    await reader.go("Enter", /\/trace\/[0-9a-f]{32}/);
    await reader.go("5", /view=logs/);
    check((await reader.page.locator("main [data-row]").count()) > 0, `${reader.task}: there are none`);
  },

  async "share exactly this view"(reader) {
    // The clipboard of a machine without a screen cannot always be read back; what is written to it can.
    await reader.page.addInitScript(() => { navigator.clipboard.writeText = async (text) => { globalThis.copied = text; }; });
    await reader.open("/");
    await reader.press("/");
    await reader.type("status:error");
    await reader.go("Enter", /\/traces/);
    await reader.press("c");
    await reader.page.waitForFunction(() => globalThis.copied);
    const copied = new URL(await reader.page.evaluate(() => globalThis.copied));
    check(copied.origin === base && copied.searchParams.get("q") === "status:error", `${reader.task}: ${copied} was copied`);
    for (const end of ["from", "to"]) check(/\d{4}/.test(copied.searchParams.get(end)), `${reader.task}: ${copied} moves with time`);
  },
};

// Tab leads through a page; whatever has the focus is seen.
async function tabs(page, path, most) {
  await page.goto(base + path);
  for (let step = 0; step < most; step++) {
    await page.keyboard.press("Tab");
    const hidden = await page.evaluate(focusIsHidden);
    if (hidden) problems.push(`${path}: after ${step + 1} times Tab the focus is not seen: ${hidden}`);
    if (hidden || (await page.evaluate(() => document.activeElement === document.body))) return;
  }
}

await withBrowser(async (browser) => {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, reducedMotion: "reduce" });
  for (const [name, task] of Object.entries(tasks)) {
    const reader = new Reader(await watched(context), name);
    await task(reader).then(() => reader.end(), (error) => problems.push(`${name} after ${reader.done.join(" ")} at ${reader.page.url()}: ${error.message}`));
    await reader.page.close();
  }
  const [page, some] = [await watched(context), await pages()];
  for (const path of isWhole ? some : some.filter((one) => /^\/(traces|logs)?$/.test(one))) await tabs(page, path, isWhole ? 90 : 40);
});
