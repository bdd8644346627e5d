// How pages are laid out, without comparing pixels (docs/adr/034): nothing lies over anything else, no text is cut without saying so, parts of
// charts are inside of them, tables are as narrow as the screen, at four widths and with letters twice as large.
//
// Usage: layout.mjs BASE_URL CHROMIUM     Ends with 1 and names page and elements when something is not so.

import { ago, newSpanId, newTraceId, sendSpans } from "./sending.mjs";
import { base, isWhole, pages, problems, watched, withBrowser } from "./site.mjs";

// Runs in the page; what is wrong, in words.
function faults() {
  const found = [];
  const name = (one) => `<${one.localName}${one.id ? `#${one.id}` : ""}${one.getAttribute("class") ? `.${one.getAttribute("class").replace(/ /g, ".")}` : ""}> "${one.textContent.trim().replace(/\s+/g, " ").slice(0, 40)}"`;
  const isShown = (one) => one.checkVisibility({ visibilityProperty: true, opacityProperty: true }) && one.getClientRects().length > 0;
  const box = (one) => one.getBoundingClientRect();
  const shared = (a, b) => Math.max(0, Math.min(a.right, b.right) - Math.max(a.left, b.left)) * Math.max(0, Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top));
  // What stays while the rest scrolls lies over it on purpose.
  const floats = (one) => one !== null && (!["static", "relative"].includes(getComputedStyle(one).position) || floats(one.parentElement));
  // A link that is broken into lines has one box per line.
  const sharedBy = (one, other) => { let sum = 0; for (const a of one.getClientRects()) for (const b of other.getClientRects()) sum += shared(a, b); return sum; };
  const overlaps = (all, part) => {
    for (const [place, one] of all.entries()) {
      for (const other of all.slice(place + 1)) {
        if (one.contains(other) || other.contains(one)) continue;
        const [a, b] = [box(one), box(other)];
        if (sharedBy(one, other) > part * Math.min(a.width * a.height, b.width * b.height)) found.push(`${name(one)} and ${name(other)} lie over each other`);
      }
    }
  };
  // The page is as wide as its window, and what the rail begins with is seen.
  const wider = document.documentElement.scrollWidth - innerWidth;
  if (!document.body.style.zoom && wider > 0) found.push(`the page is ${wider} px wider than its window`);
  const mark = document.querySelector(".brand .mark");
  if (isShown(mark) && box(mark).width < 16) found.push(`the mark of the product is ${box(mark).width} px wide`);
  // Landmarks, and what follows one another in the page.
  overlaps([...document.querySelectorAll("body > nav, body > header, body > main")].filter((one) => isShown(one) && !floats(one)), 0.01);
  for (const parent of [document.querySelector("main"), ...document.querySelectorAll("main section, main form, main figure")]) {
    overlaps([...parent.children].filter((one) => isShown(one) && !floats(one) && !one.matches(".sr") && box(one).width * box(one).height > 16), 0.05);
  }
  // Whatever can be pressed. A link that covers a row lies under the others of it on purpose.
  const isCover = (one) => one.closest("svg, .sheet, .completion") || getComputedStyle(one, "::after").position === "absolute" || one.classList.contains("cover");
  overlaps([...document.querySelectorAll("a[href], button, input, select, textarea, summary")].filter((one) => isShown(one) && !isCover(one) && !floats(one) && box(one).width > 2).slice(0, 400), 0.3);
  // Text that does not fit says so by an ellipsis, or scrolls.
  for (const one of document.querySelectorAll("main *")) {
    const style = getComputedStyle(one);
    if (style.overflowX !== "hidden" && style.overflowX !== "clip") continue;
    const says = [one, ...one.querySelectorAll("*")].some((part) => getComputedStyle(part).textOverflow === "ellipsis");
    if (says || one.closest(".sr") || one.closest("svg") || one.localName === "svg" || !isShown(one) || !one.textContent.trim()) continue;
    // What only a screen reader is told has a pixel.
    if (one.clientWidth > 2 && one.scrollWidth > one.clientWidth + 2) found.push(`${name(one)} is cut: ${one.scrollWidth} px of text in ${one.clientWidth} px`);
  }
  for (const cell of innerWidth > 720 ? document.querySelectorAll(".cell") : []) if (cell.scrollHeight > cell.clientHeight + 2) found.push(`${name(cell)} is cut: ${cell.scrollHeight} px of text in ${cell.clientHeight} px`);
  // The first line of a short row: mark, service and operation follow one another, and what stands at the end stands beside them.
  for (const row of document.querySelectorAll(".trace-lines a")) {
    const line = [".glyph", ".chip", ".op", ".when"].map((part) => row.querySelector(part)).filter(Boolean);
    line.slice(1).forEach((part, place) => {
      const [a, b] = [box(line[place]), box(part)];
      if (a.bottom <= b.top || b.bottom <= a.top || a.right > b.left + 1) found.push(`${name(part)} does not stand beside ${name(line[place])}`);
      if (!part.matches(".when") && b.left - a.right > 16) found.push(`${name(part)} stands ${Math.round(b.left - a.right)} px after ${name(line[place])}`);
    });
  }
  // On a narrow screen tables fold; drawings and results of SQL scroll.
  for (const one of innerWidth < 720 ? document.querySelectorAll(".scroll") : []) {
    if (!isShown(one) || one.scrollWidth <= one.clientWidth + 1 || one.matches(".map, .as-table *") || one.querySelector(".sql")) continue;
    found.push(`the ${one.getAttribute("aria-label") ?? "waterfall"} is ${one.scrollWidth - one.clientWidth} px wider than its place`);
  }
  // Words are not squeezed into a column of letters, and no button lies on what it copies.
  for (const one of document.querySelectorAll("main :is(p, li, span, td, th, a)")) {
    const own = [...one.childNodes].filter((part) => part.nodeType === 3).map((part) => part.data.trim()).join(" ");
    if (own.length > 30 && isShown(one) && !one.closest("svg, .sr") && getComputedStyle(one).whiteSpace !== "nowrap" && box(one).width > 2 && box(one).width < 60) found.push(`${name(one)} is squeezed into ${Math.round(box(one).width)} px`);
  }
  for (const button of document.querySelectorAll(".copied > .copy")) {
    const text = document.createRange();
    text.selectNodeContents(button.nextElementSibling);
    if ([...text.getClientRects()].some((line) => shared(line, box(button)) > 0)) found.push(`${name(button)} lies on the text that it copies`);
  }
  // Labels of axes are beside the plot and beside each other.
  for (const plot of document.querySelectorAll(".plot")) {
    const drawn = plot.querySelector("svg[role]");
    if (!drawn || !isShown(plot)) continue;
    for (const label of plot.querySelectorAll(".scale text, .rows text")) if (box(label).right > box(drawn).left + 1) found.push(`the label "${label.textContent}" lies on its chart`);
    for (const axis of plot.querySelectorAll(".axis-labels")) overlaps([...axis.querySelectorAll("text")].filter(isShown), 0.02);
  }
  for (const axis of document.querySelectorAll(".ticks")) overlaps([...axis.querySelectorAll("text")].filter(isShown), 0.02);
  // A map is scrolled before its letters are too small to read.
  const small = [...document.querySelectorAll(".map svg text")].filter((one) => isShown(one) && parseFloat(getComputedStyle(one).fontSize) * one.getScreenCTM().a < 10.95);
  if (small.length > 0) found.push(`${small.length} texts of the map are smaller than 11 px, such as ${name(small[0])}`);
  // What stands in one line has one middle: the name of a page and what can be done on it.
  for (const head of document.querySelectorAll(".head, .trace-head")) {
    const [title, actions] = ["h1", ".actions"].map((part) => head.querySelector(part)).filter(Boolean).map(box);
    const isOneLine = title && actions && title.height < 40 && actions.height < 40 && title.bottom > actions.top + 8 && actions.bottom > title.top + 8;
    const apart = isOneLine ? Math.abs(title.top + title.bottom - actions.top - actions.bottom) / 2 : 0;
    if (apart > 2.5) found.push(`the name of the page stands ${apart} px above or below the middle of what can be done`);
  }
  // Parts of charts.
  for (const chart of document.querySelectorAll("main svg[role]")) {
    if (!isShown(chart)) continue;
    const outer = box(chart);
    for (const part of chart.querySelectorAll("rect, circle, text, polygon")) {
      const inner = box(part);
      if (inner.width === 0 || inner.height === 0 || part.closest("defs, svg svg")) continue;
      if (inner.left < outer.left - 3 || inner.right > outer.right + 3 || inner.top < outer.top - 3 || inner.bottom > outer.bottom + 3) {
        found.push(`a <${part.localName}.${part.getAttribute("class")}> "${part.textContent.trim().slice(0, 30)}" leaves the chart "${chart.getAttribute("aria-label")?.slice(0, 60)}"`);
        break;
      }
    }
  }
  return [...new Set(found)].slice(0, 4);
}

await withBrowser(async (browser) => {
  // A sender with a long name, whose clock is behind.
  const end = ago(900_000);
  await sendSpans("a-service-whose-name-is-longer-than-a-narrow-screen-has-room-for", [{ traceId: newTraceId(), spanId: newSpanId(), name: "late", kind: 2, startTimeUnixNano: String(end - 5_000_000n), endTimeUnixNano: String(end) }]);
  for (const [width, letters] of isWhole ? [[1440, 1], [1024, 1], [390, 1], [320, 1], [1440, 2]] : [[1440, 1], [390, 1]]) {
    const page = await watched(await browser.newContext({ viewport: { width, height: 900 }, reducedMotion: "reduce" }));
    for (const path of await pages()) {
      await page.goto(base + path);
      // As if the reader had chosen larger letters.
      if (letters > 1) await page.evaluate(() => { document.body.style.zoom = "2"; });
      for (const fault of await page.evaluate(faults)) problems.push(`${path} (${width} px${letters > 1 ? ", zoomed" : ""}): ${fault}`);
    }
    // What completion offers is read whole.
    await page.goto(`${base}/traces`);
    await page.fill("#q", "status:error ser");
    await page.waitForSelector(".completion:not([hidden]) li");
    const cut = await page.evaluate(() => [...document.querySelectorAll(".completion:not([hidden]) .text")].filter((one) => one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).display !== "inline").map((one) => one.textContent));
    if (cut.length > 0) problems.push(`completion (${width} px) cuts ${cut.join(", ")}`);
    if (await page.evaluate(() => document.querySelector(".completion:not([hidden])").getBoundingClientRect().right > innerWidth)) problems.push(`completion (${width} px) leaves the window`);
  }
});
