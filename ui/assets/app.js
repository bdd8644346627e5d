// Throughline. Everything works without this file; it adds keys, copying, the span panel and rows that load while scrolling.
"use strict";
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

  // The one place where text becomes markup: bodies of fragments that this server gave.
  const policy = window.trustedTypes
    ? window.trustedTypes.createPolicy("throughline", { createHTML: (text) => text })
    : { createHTML: (text) => text };
  const parsed = (text) => {
    const template = document.createElement("template");
    template.innerHTML = policy.createHTML(text);
    return template.content;
  };

  const zone = $("[data-zone]");
  const local = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const zoned = (name) => {
    const target = new URL(zone.form.action);
    target.searchParams.set(name, local);
    target.searchParams.set("back", zone.form.elements.back.value);
    return target;
  };
  // Who comes for the first time reads times in the zone of this browser: the page is asked for once more, before anything is read. Browsers that
  // keep nothing throw here, and stay with UTC.
  try {
    if (zone && zone.dataset.zone && local && local !== "UTC" && !sessionStorage.zone) {
      sessionStorage.zone = local;
      const target = zoned("local");
      target.hash = location.hash;
      location.replace(target);
    }
  } catch {}

  const running = new Map();
  // Asks for one region of a page of this site; null when it is better to go there.
  async function fragment(region, url, place = region) {
    const target = new URL(url, location.href);
    if (target.origin !== location.origin) return null;
    // A place waits for its newest request only.
    running.get(place)?.abort();
    const control = new AbortController();
    running.set(place, control);
    try {
      const answer = await fetch(target, { headers: { Fragment: region }, signal: control.signal });
      return answer.ok ? parsed(await answer.text()) : null;
    } catch (reason) {
      return reason.name === "AbortError" ? undefined : null;
    }
  }

  const say = (text) => { const region = $("#say"); if (region) region.textContent = text; };
  const isTyping = (element) => element && (element.isContentEditable || (/^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName) && element.type !== "checkbox"));

  // --- Rows -----------------------------------------------------------------------------------------------------------
  const opener = (row) => $("a[data-open]", row);
  const rowOf = (element) => element && element.closest && element.closest("[data-row]");
  function shownRows() {
    const here = rowOf(document.activeElement);
    const list = (here && here.closest("[data-rows]")) || $("[data-rows]");
    return list ? $$("[data-row]", list) : [];
  }
  function currentRow() {
    return rowOf(document.activeElement) || $("[data-row][aria-selected=true]");
  }
  function focusRow(row) {
    const link = row && opener(row);
    // Who began to type in the meantime goes on with it.
    if (!link || isTyping(document.activeElement)) return;
    link.focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  }
  let moving = 0;
  // While the detail of a span is open, it follows the row.
  function follow(row) {
    const link = panel && panel.childElementCount && row && grid.contains(row) && opener(row);
    if (!link || !link.matches("[data-panel]")) return;
    clearTimeout(moving);
    moving = setTimeout(() => openPanel(link.href, row, "replace"), 80);
  }
  function step(by) {
    const rows = $("[data-rows]") ? (rowOf(document.activeElement) ? shownRows() : $$("[data-rows]:not([data-rows=aside]) [data-row]")) : [];
    const at = rows.indexOf(currentRow());
    const next = at < 0 ? (by > 0 ? 0 : rows.length - 1) : at + by;
    // The end of one list leads to the next list of the page.
    if (next < 0 || next >= rows.length) {
      const all = $$("[data-row]");
      const beyond = all[all.indexOf(rows[at]) + by];
      if (beyond) focusRow(beyond);
      return;
    }
    focusRow(rows[next]);
    follow(rows[next]);
  }

  // The first row of the next list, or of the one before.
  function leap(by) {
    const lists = $$("[data-rows]").filter((list) => $("[data-row]", list));
    const at = lists.indexOf(rowOf(document.activeElement)?.closest("[data-rows]"));
    const list = lists[at < 0 ? (by > 0 ? 0 : lists.length - 1) : at + by];
    if (list) focusRow($("[data-row]", list));
  }

  // --- Panel of the trace page -----------------------------------------------------------------------------------------
  let grid = $("[role=treegrid]");
  const panel = $("#panel");
  function select(row) {
    $$("[aria-selected=true]", grid).forEach((known) => known.removeAttribute("aria-selected"));
    if (row) row.setAttribute("aria-selected", "true");
  }
  // Parts of the page that depend on the chosen span come with it.
  function renew(part) {
    const known = document.getElementById(part.dataset.part);
    // What the reader is typing stays.
    const typed = $$("input[type=search], input:not([type])", known).map((input) => [input.name, input.value, input.defaultValue]);
    const field = (name) => $(`[name="${name}"]:not([type=hidden])`, document.getElementById(part.dataset.part));
    const held = known.contains(document.activeElement) && document.activeElement, at = held.selectionStart;
    known.replaceWith(part.content);
    completeAll(document.getElementById(part.dataset.part));
    for (const [name, value, before] of typed) {
      const input = value !== before && field(name);
      if (input) input.value = value;
    }
    const again = held && isTyping(held) && field(held.name);
    if (again) {
      again.focus({ preventScroll: true });
      if (at != null) again.setSelectionRange(at, at);
    }
  }
  // The rows above the chosen one, from below and by number, as far as they are loaded. Null when that row is not: then all rows came with it chosen.
  let above = null;
  // The other links keep the part that is open, and those that change the picture the span too: all but those that fold a row above it, and so its own.
  function keep(url) {
    const state = new URL(url, location.href).searchParams;
    for (let up; above && (up = $(`[data-row="${above.at(-1)}"]`, grid)); ) above.push(up.dataset.above);
    for (const link of $$("tr[data-row] a[href], .findings a, .trust a, .minimap a, .fall p a[href*='at=']")) {
      const target = new URL(link.href.baseVal ?? link.href, location.href), said = target.searchParams, row = rowOf(link);
      if (target.pathname !== location.pathname || panel.contains(link)) continue;
      const folds = row && target.hash === `#${row.id}`, hides = folds && row.ariaExpanded === "true" && above?.includes(row.dataset.row);
      const isOwn = folds ? !above : link.matches("[data-open]") || target.hash.startsWith("#s");
      for (const name of isOwn ? (said.has("span") ? ["tab"] : []) : ["span", "tab"]) {
        if (state.has(name) && !hides) said.set(name, state.get(name)); else said.delete(name);
      }
      link.setAttribute("href", target.pathname + target.search + target.hash);
    }
  }
  // Which rows are shown: those of which address of the history.
  let rowsOf = history.state?.rowsOf ?? 0, begin = () => {};
  // Shows the span that an address names, or none; `push` puts the address into the history. Without a row for it, with the rows around it.
  async function openPanel(url, row, push, isElsewhere = false) {
    const content = await fragment(isElsewhere ? "window" : "panel", url, "panel");
    if (content === undefined) return;
    const parts = content ? $$("template[data-part]", content) : [];
    if (!parts.length) { location.assign(url); return; }
    if (isElsewhere) rowsOf = push ? Date.now() : history.state?.rowsOf ?? 0;
    // What is there already is not there twice: Back would do nothing.
    const [there, here] = [new URL(url, location.href), location].map(({ href }) => href.split("#")[0]);
    if (push) history[push === "replace" || there === here ? "replaceState" : "pushState"]({ panel: true, rowsOf }, "", url);
    for (const part of parts) { part.remove(); renew(part); }
    if (isElsewhere) {
      grid = $("[role=treegrid]");
      begin();
      row = $("[aria-selected=true]", grid);
      if (push) focusRow(row);
      row?.scrollIntoView({ block: "center" });
    }
    above = !new URL(url, location.href).searchParams.has("span") ? [] : row ? [row.dataset.above] : isElsewhere ? null : above;
    keep(url);
    panel.replaceChildren(content);
    dress(panel);
    panel.scrollTop = 0;
    const isOpen = panel.childElementCount > 0;
    panel.parentElement.classList.toggle("with-panel", isOpen);
    select(isOpen ? row : null);
    if (!isOpen) return;
    // On a narrow screen it stands above the rows, out of sight.
    if (getComputedStyle(panel).position === "static") panel.scrollIntoView({ block: "start" });
    const title = $("h2", panel);
    if (title) say(title.textContent);
    return row;
  }
  function closePanel() {
    const close = panel && $("[data-close]", panel);
    if (!close) return false;
    const row = $("[aria-selected=true]", grid), url = close.href.split("#")[0];
    panel.replaceChildren();
    panel.parentElement.classList.remove("with-panel");
    history.pushState({ panel: true, rowsOf }, "", url);
    if (row) focusRow(row);
    select(null);
    openPanel(url, null, "");
    return true;
  }
  if (grid && panel) {
    document.addEventListener("click", (event) => {
      if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
      const link = event.target.closest("a");
      if (!link) return;
      if (link.matches("[data-jump]")) {
        event.preventDefault();
        jump(link);
      } else if (link.matches("[data-panel]")) {
        event.preventDefault();
        const inside = panel.contains(link);
        const label = inside && link.textContent;
        openPanel(link.href, rowOf(link) || $("[aria-selected=true]", grid), true).then(() => {
          // The part that was chosen keeps the focus.
          if (inside) ($$("[data-panel]", panel).find((tab) => tab.textContent === label) ?? panel).focus();
        });
      } else if (link.matches("[data-close]") && panel.contains(link)) {
        event.preventDefault();
        closePanel();
      }
    });
    addEventListener("popstate", () => {
      const span = new URL(location.href).searchParams.get("span"), row = span && document.getElementById("s" + span);
      openPanel(location.href, row, "", (history.state?.rowsOf ?? 0) !== rowsOf || (span && !row));
    });
    // One stop for the tab key; arrows move inside.
    const stops = () => {
      const links = $$("[data-row] a[data-open]", grid);
      const stop = $("[aria-selected=true] a[data-open]", grid) || links[0];
      links.forEach((link) => { link.tabIndex = link === stop ? 0 : -1; });
    };
    // The rows may be replaced; what is around them stays.
    const around = panel.parentElement;
    let left = "";
    around.addEventListener("focusin", (event) => {
      if (!grid.contains(event.target)) return;
      left = rowOf(event.target)?.id ?? left;
      if (!event.target.matches("a[data-open]")) return;
      $$("a[data-open][tabindex='0']", grid).forEach((link) => { link.tabIndex = -1; });
      event.target.tabIndex = 0;
    });
    function walk(event) {
      if (event.defaultPrevented || event.metaKey || event.ctrlKey || event.altKey) return;
      const rows = $$("[data-row]", grid), row = currentRow();
      const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      // Whoever is nowhere yet begins where the focus was, else with the first row in view.
      if (!row || !grid.contains(row)) {
        if (!move && !/^Arrow(Left|Right)$/.test(event.key)) return;
        focusRow(document.getElementById(left) ?? rows.find((one) => one.getBoundingClientRect().top > 96) ?? rows[0]);
        event.preventDefault();
        return;
      }
      const caret = $("a.caret", row);
      const isOpen = row.getAttribute("aria-expanded");
      const next = rows[rows.indexOf(row) + move];
      if (move) { focusRow(next); follow(next); }
      else if (event.key === "Home" || event.key === "End") reach(event.key === "End" ? Number(grid.dataset.total) : 1);
      else if (event.key === "ArrowRight" && isOpen === "false" && caret) go(caret.href);
      else if (event.key === "ArrowRight" && isOpen === "true") focusRow(rows[rows.indexOf(row) + 1]);
      else if (event.key === "ArrowLeft" && isOpen === "true" && caret) go(caret.href);
      else if (event.key === "ArrowLeft") {
        if (row.dataset.above) reach(Number(row.dataset.above));
      } else return;
      event.preventDefault();
    }
    // A row by its number, loaded or not.
    async function reach(wanted) {
      const known = () => $(`[data-row="${wanted}"]`, grid);
      if (!known()) {
        const target = new URL(location.href);
        target.searchParams.set("at", Math.max(0, Math.min(wanted - 1 - (step >> 1), Number(grid.dataset.total) - step)));
        target.hash = "";
        await openPanel(target.href, null, "replace", true);
      }
      focusRow(known());
    }
    around.addEventListener("keydown", (event) => { if (grid.contains(event.target)) walk(event); });
    document.addEventListener("keydown", (event) => {
      if (document.activeElement === document.body && event.key.startsWith("Arrow") && !event.shiftKey && !document.body.hasAttribute("data-quiet")) walk(event);
    });
    // More rows come while scrolling, and those far away leave the page; an empty space keeps the place of those above.
    const MOST = 2400, AHEAD = 400;
    const space = document.createElement("tbody"), gap = space.insertRow().insertCell();
    space.className = "space";
    space.setAttribute("aria-hidden", "true");
    gap.colSpan = 3;
    const number = (row) => Number(row.dataset.row);
    const shown = () => $$("[data-row]", body);
    const top = (element) => element.getBoundingClientRect().top;
    let after, source, body, start, step, total, height, isBusy = false;
    function keepFree(pixels) {
      height = Math.max(0, pixels);
      gap.style.height = `${height}px`;
      if (!height) space.remove(); else if (!space.isConnected) body.before(space);
    }
    // What happens to the rows above moves nothing that is seen.
    function still(row, work) {
      const before = top(row);
      work();
      keepFree(height + before - top(row));
      if (number(shown()[0]) === start) keepFree(0);
      if (top(row) !== before) scrollBy(0, top(row) - before);
    }
    function trim(isAbove) {
      const rows = shown(), leaving = [];
      let spare = body.getElementsByTagName("*").length - MOST;
      if (!isAbove) rows.reverse();
      for (const row of rows) {
        const box = row.getBoundingClientRect();
        if (spare <= 0 || (box.bottom > -AHEAD - 50 && box.top < innerHeight + AHEAD + 50)) break;
        spare -= row.getElementsByTagName("*").length + 1;
        leaving.push(row);
      }
      const last = leaving[leaving.length - 1], first = rows[leaving.length];
      if (!last || !first) return;
      if (isAbove) still(first, () => { while (body.firstElementChild !== first) body.firstElementChild.remove(); });
      else { while (body.lastElementChild !== last) body.lastElementChild.remove(); last.remove(); }
    }
    function settle() {
      const rows = shown(), last = number(rows[rows.length - 1]);
      const target = new URL(after.href);
      target.searchParams.set("at", String(last));
      after.href = target.href;
      after.closest("p").hidden = last >= total;
      const said = [number(rows[0]), last, total].map((value) => value.toLocaleString("en"));
      $$("[data-place]").forEach((text) => { text.textContent = `rows ${said[0]}–${said[1]} of ${said[2]}`; });
      const chosen = new URL(location.href).searchParams.get("span");
      select(chosen && document.getElementById("s" + chosen));
      keep(location.href);
      // The row that had the focus has it again.
      const row = document.activeElement === document.body && document.getElementById(left);
      if (row && opener(row)) opener(row).focus({ preventScroll: true });
    }
    async function rowsFrom(at) {
      // With the span that decided what is folded, so that rows keep their numbers.
      const target = new URL(source);
      target.searchParams.set("at", String(at));
      const of = body, content = await fragment("rows", target);
      return content && of === body && $("[data-row]", content) ? [...content.children] : null;
    }
    // Asks for the rows that are wanted next; says whether there were any.
    async function more() {
      const rows = shown(), first = rows[0], last = number(rows[rows.length - 1]);
      const box = height ? space.getBoundingClientRect() : null;
      if (box && box.bottom > innerHeight + AHEAD) {
        // Far above: the rows of that place take the place of all others.
        const above = number(first) - start;
        const at = start - 1 + Math.max(0, Math.floor(above * Math.max(0, -box.top) / box.height) - 20);
        const fresh = await rowsFrom(at);
        if (!fresh) return false;
        body.replaceChildren(...fresh);
        keepFree(height * (at - start + 1) / above);
      } else if (box && box.bottom > -AHEAD) {
        const fresh = await rowsFrom(Math.max(start - 1, number(first) - 1 - step));
        const known = fresh && fresh.findIndex((row) => number(row) >= number(first));
        if (!fresh || known === 0) return false;
        still(first, () => first.before(...(known < 0 ? fresh : fresh.slice(0, known))));
        trim(false);
      } else if (last < total && top(after.closest("p")) < innerHeight + AHEAD) {
        const fresh = await rowsFrom(last);
        if (!fresh) return false;
        body.append(...fresh);
        trim(true);
        say(`${fresh.length} more rows`);
      } else return false;
      settle();
      return true;
    }
    async function fill() {
      if (isBusy || !after) return;
      isBusy = true;
      // The link stays, and works by a click.
      while (await more()) await new Promise(requestAnimationFrame);
      isBusy = false;
    }
    addEventListener("scroll", fill, { passive: true });
    addEventListener("resize", fill);
    begin = () => {
      stops();
      [after, body, height] = [$("a[data-load=after]"), $("tbody", grid), 0];
      source = after?.href;
      [start, step, total] = [after && number(shown()[0]), shown().length, Number(grid.dataset.total)];
      fill();
    };
    begin();
  }
  // A stretch of the minimap that is dragged over is zoomed to; the server knows the times.
  const picture = $("svg[data-brush]");
  if (picture) {
    let from = null, shade = null;
    const share = (event) => { const box = picture.getBoundingClientRect(); return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)); };
    picture.addEventListener("dragstart", (event) => event.preventDefault());
    picture.addEventListener("pointerdown", (event) => { if (!event.button) from = share(event); });
    addEventListener("pointermove", (event) => {
      const to = from === null ? 0 : share(event);
      if (from === null || (!shade && Math.abs(to - from) < 0.006)) return;
      if (!shade) { shade = document.createElementNS(picture.namespaceURI, "rect"); shade.setAttribute("class", "brush"); shade.setAttribute("height", "100%"); picture.append(shade); }
      shade.setAttribute("x", 600 * Math.min(from, to));
      shade.setAttribute("width", 600 * Math.abs(to - from));
    });
    addEventListener("pointerup", (event) => {
      if (shade) {
        const ends = [from, share(event)].sort((a, b) => a - b), target = new URL(location.href);
        ["t0", "t1"].forEach((name, end) => target.searchParams.set(name, Math.round(ends[end] * Number(picture.dataset.brush))));
        picture.addEventListener("click", (click) => click.preventDefault(), { capture: true, once: true });
        go(target);
      }
      from = null;
    });
    // A touch that became a scroll is none.
    addEventListener("pointercancel", () => { shade?.remove(); from = shade = null; });
  }
  // Another span of this picture: in place when its row is here, else with the rows around it. The server knows the order, folded rows included.
  async function jump(link) {
    const [target, now] = [link.href, location.href].map((url) => new URL(url));
    if (["root", "t0", "t1"].some((name) => target.searchParams.get(name) !== now.searchParams.get(name))) { location.assign(target); return; }
    const known = document.getElementById("s" + target.searchParams.get("span"));
    target.hash = "";
    if (known) focusRow(known);
    const row = await openPanel(known ? opener(known).href : target.href, known, true, !known);
    const place = $({ error: "[data-errors]", match: "[data-found]" }[link.dataset.jump] ?? "i[hidden]");
    if (row) say([link.dataset.jump, place?.textContent, opener(row).textContent.trim()].filter(Boolean).join(" "));
  }

  // --- SQL: a statement that takes longer than a second says so and can be cancelled; the server stops when nobody waits ---------
  let cancel = () => false;
  const desk = $(".console");
  if (desk) {
    const note = document.createElement("span"), time = document.createElement("span"), button = document.createElement("button");
    let timer = 0;
    const end = () => { clearInterval(timer); timer = 0; note.hidden = true; };
    const run = () => {
      end();
      const began = Date.now();
      timer = setInterval(() => {
        if (note.hidden) say("Still running. Control and full stop cancel it.");
        note.hidden = false;
        time.textContent = `running for ${Math.round((Date.now() - began) / 1000)} s `;
      }, 1000);
    };
    cancel = () => {
      if (!timer) return false;
      stop();
      end();
      flash("Cancelled");
      return true;
    };
    button.type = "button";
    button.className = "small";
    button.title = "Ctrl+.";
    button.textContent = "Cancel";
    button.addEventListener("click", () => cancel());
    note.className = "num";
    note.append(time, button);
    end();
    $(".row-actions", desk).append(note);
    desk.addEventListener("submit", run);
    document.addEventListener("click", (event) => { if (isPlain(event) && event.target.closest("a[href*='/query?']")) run(); });
    addEventListener("pagehide", end);
  }

  // --- Keys ------------------------------------------------------------------------------------------------------------
  let pending = "";
  document.addEventListener("keydown", (event) => {
    // Many keyboards type [ with Option or AltGr, which is Ctrl with Alt to some browsers. Alt with letters and digits is theirs.
    const isTyped = event.altKey && /^[^\p{L}\d\s]$/u.test(event.key);
    if (event.defaultPrevented || (event.altKey && !isTyped) || $("dialog[open]")) return;
    const target = event.target;
    if (event.key === "Escape") {
      const menu = $("details.menu[open]");
      if (menu) { menu.open = false; $("summary", menu).focus(); event.preventDefault(); }
      else if (isTyping(target)) target.blur();
      else if (closePanel()) event.preventDefault();
      else {
        const open = $("tr.open a[aria-expanded=true]");
        if (open) { go(open.href); event.preventDefault(); }
      }
      return;
    }
    if ((event.ctrlKey && !isTyped) || event.metaKey) {
      if (event.key === "." && cancel()) event.preventDefault();
      else if (event.key === "Enter" && target.matches && target.matches("[data-submit]")) { target.form.requestSubmit(); event.preventDefault(); }
      return;
    }
    if (isTyping(target)) return;
    if (document.body.hasAttribute("data-quiet") && event.key.length === 1) return;
    const keys = pending + (event.shiftKey && event.key.startsWith("Arrow") ? "Shift+" : "") + event.key;
    pending = "";
    if (event.key === "g" && keys === "g") { pending = "g "; setTimeout(() => { pending = ""; }, 1200); return; }
    if (keys === "j" || keys === "k") { step(keys === "j" ? 1 : -1); event.preventDefault(); return; }
    if (keys === "J" || keys === "K") { leap(keys === "J" ? 1 : -1); event.preventDefault(); return; }
    if (keys === "r") { location.reload(); return; }
    if (keys === "o") {
      const link = currentRow() && opener(currentRow());
      if (link) window.open(link.href, "_blank", "noopener");
      return;
    }
    const box = keys === "x" && currentRow() && $("[name=mark]", currentRow());
    if (box) { box.checked = !box.checked; say(`${$$("[name=mark]:checked").length} marked`); return; }
    if (keys === "v" && $(".trace-bar")) { const all = $$(".trace-bar .tabs a"); all[(all.findIndex((tab) => tab.hasAttribute("aria-current")) + 1) % all.length].click(); return; }
    if (keys === "y" && grid?.contains(currentRow())) { const id = currentRow().id.slice(1); copy(id).then(() => flash("Span id copied"), () => flash(`Copy by hand: ${id}`)); return; }
    press(keys, event);
  });
  const keyed = (keys) => $$("[data-key]").find((known) => known.dataset.key === keys);
  function press(keys, event) {
    const item = keyed(keys);
    if (!item) { ofRow(keys); return; }
    event?.preventDefault();
    if (item.tagName === "INPUT") { item.focus(); item.select(); }
    else if (item.tagName === "SUMMARY") { item.parentElement.open = true; item.focus(); const first = $("a, input", item.parentElement.lastElementChild); if (first) first.focus(); }
    else if (item.matches("svg")) item.focus();
    else if (keys === "?") overlay(item.href);
    else {
      // What changes the picture or the list leads back to the row that the reader was at, or what it is folded into then.
      const row = item.closest(grid ? "[data-switches], [data-ways], .zoom" : ".controls") && currentRow();
      if (row && row.id && grid && !item.hash) item.href = nearTo(item.href, row);
      else if (row && row.id && !grid && (!item.hash || item.hash === `#${item.id}`)) item.hash = row.id;
      item.click();
    }
  }
  // The list of keys lies over the page, whose reader keeps the place.
  async function overlay(url) {
    const content = await fragment("page", url), list = content && $("main .cards", content);
    if (!list) { if (content !== undefined) location.assign(url); return; }
    const dialog = document.createElement("dialog"), top = document.createElement("p"), close = document.createElement("button");
    dialog.className = "card";
    close.textContent = "Close";
    close.addEventListener("click", () => dialog.close());
    dialog.setAttribute("aria-label", "Shortcuts");
    top.append(close);
    dialog.append(top, list);
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
  }
  // What a key does with the chosen span it does with the row that has the focus: that one is chosen first.
  async function ofRow(keys) {
    const row = currentRow(), link = grid?.contains(row) && row.getAttribute("aria-selected") !== "true" && opener(row);
    if (!link || !link.matches("[data-panel]") || ![".", ",", "z", "F"].includes(keys)) return;
    await openPanel(link.href, row, true);
    if (keyed(keys)) press(keys); else flash("Nothing to do for this span");
  }

  // --- History ---------------------------------------------------------------------------------------------------------
  // What only adjusts the picture takes the place of what was there, so that Back leads to the page before and not through every zoom.
  const ADJUSTMENTS = ["t0", "t1", "at", "near", "depth", "open", "closed", "groups", "group", "hide", "show", "cols", "col"];
  function adjusts(url) {
    const target = new URL(url, location.href), now = new URL(location.href);
    if (target.origin + target.pathname !== now.origin + now.pathname) return false;
    for (const one of [target, now]) { ADJUSTMENTS.forEach((name) => one.searchParams.delete(name)); one.searchParams.sort(); }
    return target.search === now.search;
  }
  function nearTo(url, row) {
    const target = new URL(url, location.href);
    if (row) target.searchParams.set("near", row.id.slice(1)); else if (target.searchParams.has("near")) target.searchParams.delete("near");
    return target.href;
  }
  const go = (url) => { if (adjusts(url)) location.replace(url); else location.assign(url); };
  const isPlain = (event) => !(event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
  document.addEventListener("click", (event) => {
    const link = isPlain(event) && grid && event.target.closest("a[href]");
    if (!link) return;
    const url = link.href.baseVal ?? link.href;
    if (link.target || !adjusts(url) || new URL(url, location.href).search === location.search) return;
    event.preventDefault();
    location.replace(url);
  });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches(".zoom, .legend, .columns-menu form") || event.defaultPrevented) return;
    const target = new URL(event.submitter?.getAttribute("formaction") || form.action, location.href);
    for (const [name, value] of new FormData(form, event.submitter)) if (value) target.searchParams.append(name, value);
    if (!adjusts(target)) return;
    event.preventDefault();
    location.replace(target);
  });
  document.addEventListener("click", (event) => {
    const eye = event.altKey && event.target.closest(".eye");
    if (!eye) return;
    event.preventDefault();
    go(eye.dataset.only);
  });
  // Whoever comes back to a list goes on from the row that was opened.
  const rowKey = (row) => row.id || new URL(opener(row).href).pathname;
  document.addEventListener("click", (event) => {
    const link = isPlain(event) && event.target.closest("a[data-open]"), row = link && rowOf(link);
    if (row && !grid) history.replaceState({ ...history.state, row: rowKey(row) }, "");
  });

  // --- Small comforts --------------------------------------------------------------------------------------------------
  document.addEventListener("click", (event) => {
    for (const menu of $$("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });
  // Browsers have a clipboard for pages of https and of the machine itself only; before there was one, what is selected was copied.
  async function copy(text) {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    const box = document.createElement("textarea"), before = document.activeElement;
    box.className = "flash";
    box.value = text;
    document.body.append(box);
    box.select();
    const done = document.execCommand("copy");
    box.remove();
    before?.focus({ preventScroll: true });
    if (!done) throw new Error("not copied");
  }
  // What is shown otherwise than it was sent is copied as it was sent.
  const copied = (button) => [button.previousElementSibling, button.nextElementSibling].find((one) => one?.matches("[data-copy], [data-copy-block]"));
  const original = (element, sent) => (sent ? JSON.parse(sent) : element.matches(".frames") ? $$("pre", element).map((part) => part.textContent).join("\n") : element.textContent);
  document.addEventListener("click", async (event) => {
    const button = event.target.closest && event.target.closest("button.copy");
    if (!button) return;
    const element = copied(button);
    try {
      await copy(element.dataset.copy ?? original(element, element.dataset.copyBlock));
      button.textContent = "Copied";
      say("copied");
    } catch { button.textContent = "Select and copy"; getSelection().selectAllChildren(element); }
    setTimeout(() => { button.textContent = "Copy"; }, 1600);
  });
  function dress(root) {
    // All say "Copy": their names say of what.
    for (const button of $$("button.copy", root)) {
      const element = copied(button), heading = button.closest("section") && $("h2, h3", button.closest("section"));
      if (element) button.setAttribute("aria-label", `Copy: ${(element.title || element.getAttribute("aria-label") || (heading ? heading.textContent : element.textContent)).trim().slice(0, 60)}`);
    }
    // Without the script a value is selected and copied by hand.
    for (const menu of $$(".ways", root)) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = "Copy value";
      const key = $("th", menu.closest("tr") ?? menu);
      if (key) button.setAttribute("aria-label", "Copy value of " + key.textContent.trim());
      button.addEventListener("click", () => {
        const value = $("[data-value]", menu.parentElement);
        menu.open = false;
        $("summary", menu).focus();
        copy(original(value, value.dataset.value)).then(() => flash("Value copied"), () => { getSelection().selectAllChildren(value); flash("Selected: copy it by hand"); });
      });
      menu.lastElementChild.prepend(button);
      menu.hidden = false;
    }
    // Many attributes are narrowed by a word of their key or value.
    for (const section of $$("[data-narrow]", root)) {
      const line = document.createElement("p"), box = document.createElement("input");
      line.className = "row-actions";
      box.type = "search";
      box.placeholder = "Narrow by a word";
      box.setAttribute("aria-label", "Narrow the attributes");
      box.addEventListener("input", () => {
        const word = box.value.trim().toLowerCase();
        for (const row of $$("tbody tr", section)) row.hidden = ![$("th", row), $("[data-value]", row)].some((part) => part.textContent.toLowerCase().includes(word));
        for (const table of $$("table", section)) {
          table.hidden = !$("tbody tr:not([hidden])", table);
          if (table.previousElementSibling.matches("h4")) table.previousElementSibling.hidden = table.hidden;
        }
      });
      line.append(box);
      $("h3", section).after(line);
    }
  }
  dress(document);
  if (zone && local && zone.value === "UTC") zone.placeholder = local;
  const before = zone && $("[data-key=u]", zone.form);
  if (zone && local && local !== "UTC" && !(before && before.textContent === local)) {
    const link = document.createElement("a");
    link.textContent = local;
    link.href = zoned("zone").href;
    if (!before) link.dataset.key = "u";
    $(".row-actions", zone.form).append(" ", link);
  }
  // Preferences lead back to what is shown now, not to what was asked for first.
  const here = () => location.pathname.slice(document.body.dataset.base.length) + location.search;
  document.addEventListener("click", (event) => {
    const link = event.target.closest && event.target.closest("a[href*='back=']");
    if (!link) return;
    const target = new URL(link.href);
    target.searchParams.set("back", here());
    link.href = target.href;
  }, true);
  document.addEventListener("submit", (event) => { const back = event.target.elements.back; if (back) back.value = here(); }, true);
  // A link to a page is copied whole: with scheme and host.
  document.addEventListener("click", async (event) => {
    const link = event.target.closest && event.target.closest("a[data-link]");
    if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    const [url, said] = await shared(link.href);
    try {
      await copy(url);
      flash(said);
    } catch { location.assign(link.href); }
  });
  // Programs cut addresses that are longer: the server gives a short one that leads there.
  async function shared(url) {
    if (url.length <= 1800) return [url, "Link copied"];
    const body = new URLSearchParams({ address: url.slice(location.origin.length) });
    const answer = await fetch(`${document.body.dataset.base}/saved`, { method: "POST", headers: { Fragment: "short" }, body }).catch(() => null);
    const length = `${url.length.toLocaleString("en")} characters`;
    return answer?.ok ? [new URL(await answer.text(), url).href, `Short link copied: the address has ${length}`] : [url, `Link copied; it has ${length}, and no short one could be made`];
  }
  function flash(text) {
    say(text);
    const note = document.createElement("p");
    note.className = "flash";
    note.textContent = text;
    document.body.append(note);
    setTimeout(() => note.remove(), 1600);
  }

  // --- News ------------------------------------------------------------------------------------------------------------
  // The server says that there is something new. It waits behind a pill, so that nothing moves under the pointer.
  const liveId = ($("[data-live]") || {}).id;
  const region = () => liveId && document.getElementById(liveId);
  if (region() && "EventSource" in window) {
    const pill = document.createElement("button");
    pill.className = "news";
    pill.hidden = true;
    // Beside the search box, where it covers no row.
    $(".bar .tools").before(pill);
    // A silence that is one of the server must not be read as one of what it receives.
    const lost = document.createElement("output");
    lost.className = "news lost";
    lost.hidden = true;
    pill.before(lost);
    let stream = null, heard = "No connection · trying again", missing = 0, held = "";
    const close = () => { clearTimeout(missing); missing = 0; if (stream) stream.close(); stream = null; };
    const open = () => {
      close();
      if (document.hidden || !region().dataset.live) return;
      stream = new EventSource(region().dataset.live);
      // A stream ends after an hour, and the next one follows at once.
      stream.addEventListener("error", () => {
        missing ||= setTimeout(() => {
          if (lost.hidden) { lost.hidden = false; lost.textContent = heard; pill.hidden = true; }
          // What was refused is not asked for again by itself.
          open();
        }, lost.hidden ? 1500 : 3000);
      });
      stream.addEventListener("heard", (event) => {
        heard = event.data;
        clearTimeout(missing);
        missing = 0;
        if (lost.hidden) return;
        lost.hidden = true;
        // What came meanwhile may be older than what is shown.
        tell("Connected again");
      });
      stream.addEventListener("news", (event) => tell(event.data));
    };
    function tell(news) {
      const element = region();
      const isUsed = $("[data-rows] :hover, a:hover, summary:hover, svg:hover", element) || element.contains(document.activeElement);
      const isFree = !isUsed && scrollY < 200 && getSelection().isCollapsed;
      const isOnly = element.dataset.refresh === "only";
      if (element.hasAttribute("data-refresh") && (isOnly || isFree)) { refresh(); return; }
      held = news;
      pill.textContent = `${news} – show`;
      if (pill.hidden) say(news);
      pill.hidden = false;
    }
    // Whoever pressed the pill goes on at what it brought.
    function focusOn(content) {
      const first = $("[data-row] a", content) || $("a, button", content);
      if (first) first.focus({ preventScroll: true });
    }
    async function refresh(isAsked = false) {
      held = "";
      if (region().hasAttribute("data-again")) { location.reload(); return; }
      // Getting started stands at the address of Home until something arrives.
      const content = await fragment("page", region().dataset.page ?? location.href);
      const fresh = content && content.querySelector("#" + CSS.escape(liveId));
      if (fresh) {
        // What the reader closed stays closed.
        const folded = (root) => $$("details", root);
        for (const box of $$(":checked[name=mark]", region())) $(`[value="${box.value}"]`, fresh)?.setAttribute("checked", "");
        folded(fresh).forEach((one, place) => { const known = folded(region())[place]; if (known) one.open = known.open; });
        region().replaceWith(fresh);
        open();
        if (isAsked) focusOn(fresh);
      } else if (content === null) location.reload();
      pill.hidden = true;
    }
    pill.addEventListener("click", () => { if (!region().hasAttribute("data-again")) scrollTo(0, 0); refresh(true); });
    // What was held back comes when the reader has left the rows.
    for (const moved of ["mouseover", "focusin"]) document.addEventListener(moved, () => { if (held && !pill.hidden && region().hasAttribute("data-refresh")) tell(held); });
    addEventListener("pagehide", close);
    document.addEventListener("visibilitychange", open);
    open();
  }

  // --- Completion ------------------------------------------------------------------------------------------------------
  function completeAll(root) { $$("[data-complete]", root).forEach(complete); }
  completeAll(document);
  function complete(input) {
    const isField = input.tagName === "INPUT";
    const list = document.createElement("ul");
    list.className = "completion";
    list.id = input.id + "-list";
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", "Suggestions");
    list.hidden = true;
    const holder = document.createElement("span");
    holder.className = "combo";
    input.before(holder);
    holder.append(input, list);
    // A box of several lines stays one to screen readers, and keeps its keys while nothing is offered.
    for (const [name, value] of [["aria-autocomplete", "list"], ["aria-controls", list.id], ...(isField ? [["role", "combobox"], ["aria-expanded", "false"]] : [])]) input.setAttribute(name, value);
    const start = () => Math.max(0, input.selectionStart - 400);
    let timer = 0;
    const options = () => $$("[data-before]", list);
    const active = () => $("[aria-selected=true]", list);
    const show = (on) => { list.hidden = !on; if (isField) input.setAttribute("aria-expanded", String(on)); if (!on) mark(null); };
    function mark(option) {
      options().forEach((one) => one.setAttribute("aria-selected", String(one === option)));
      if (option) { input.setAttribute("aria-activedescendant", option.id); option.scrollIntoView({ block: "nearest" }); }
      else input.removeAttribute("aria-activedescendant");
    }
    async function ask() {
      const target = new URL(input.dataset.complete, location.href);
      target.searchParams.set("before", input.value.slice(start(), input.selectionStart));
      const content = await fragment("completion", target);
      if (content === undefined) return;
      list.replaceChildren(...(content ? content.children : []));
      options().forEach((option, place) => { option.id = `${list.id}-${place}`; });
      show(options().length > 0 && document.activeElement === input);
    }
    function take(option) {
      const after = input.value.slice(input.selectionStart);
      const before = input.value.slice(0, start()) + option.dataset.before;
      input.value = before + after;
      input.setSelectionRange(before.length, before.length);
      show(false);
      if (!option.dataset.before.endsWith(" ")) ask();
    }
    input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(ask, 120); });
    input.addEventListener("blur", () => setTimeout(() => show(false), 150));
    list.addEventListener("pointerdown", (event) => { const option = event.target.closest("[data-before]"); event.preventDefault(); if (option) take(option); });
    input.addEventListener("keydown", (event) => {
      const all = options(), at = all.indexOf(active());
      if (event.key === "ArrowDown" && list.hidden && isField) { ask(); event.preventDefault(); }
      else if (list.hidden) return;
      else if (event.key === "ArrowDown") { mark(all[(at + 1) % all.length]); event.preventDefault(); }
      else if (event.key === "ArrowUp") { mark(all[at > 0 ? at - 1 : all.length - 1]); event.preventDefault(); }
      else if ((event.key === "Enter" || event.key === "Tab") && active()) { take(active()); event.preventDefault(); }
      else if (event.key === "Escape") { show(false); event.preventDefault(); }
    });
  }

  // What a part of a chart holds, above its box.
  const tip = document.createElement("p");
  tip.className = "flash";
  tip.setAttribute("aria-hidden", "true");
  function tipAt(words, box, events = "auto") {
    tip.textContent = words;
    if (!words) { tip.remove(); return; }
    document.body.append(tip);
    const left = box.left + box.width / 2 - tip.offsetWidth / 2;
    tip.style.margin = "0";
    tip.style.pointerEvents = events;
    tip.style.inset = `${Math.max(4, box.top - tip.offsetHeight)}px auto auto ${Math.max(8, Math.min(left, innerWidth - tip.offsetWidth - 8))}px`;
  }

  // --- Heat map: a drag over cells, empty ones too, selects them; a click one; arrow keys move, Shift extends, Enter opens -----
  {
    // Both corners of what is being selected: column and row each.
    let heat = null, from = null, to = null;
    const heatOf = (event) => event.target.closest && event.target.closest("svg[data-heat]");
    const [columns, low, high] = [0, 1, 2].map((i) => () => Number(heat.dataset[["columns", "low", "high"][i]]));
    const clamp = (value, least, most) => Math.max(least, Math.min(most, value));
    const cellAt = (event) => {
      const box = heat.getBoundingClientRect(), rows = high() - low() + 1;
      const part = (at, start, length, count) => clamp(Math.floor((at - start) / length * count), 0, count - 1);
      return [part(event.clientX, box.left, box.width, columns()), high() - part(event.clientY, box.top, box.height, rows)];
    };
    const ends = (i) => [Math.min(from[i], to[i]), Math.max(from[i], to[i])];
    function mark() {
      let box = $("rect[data-mark]", heat);
      if (!box) {
        box = $("svg", heat).appendChild(document.createElementNS("http://www.w3.org/2000/svg", "rect"));
        box.setAttribute("class", "outline");
        box.dataset.mark = "";
      }
      const [left, right] = ends(0), [bottom, top] = ends(1), width = 600 / columns(), height = 120 / (high() - low() + 1);
      const shape = { x: left * width, y: (high() - top) * height, width: (right - left + 1) * width, height: (top - bottom + 1) * height };
      for (const name in shape) box.setAttribute(name, shape[name].toFixed(2));
    }
    const split = (name, by) => heat.dataset[name].split(by);
    // What is in a cell, in words; nothing for an empty one.
    function told(at) {
      const [column, row] = at, cell = split("cells", "|")[column].split(" ").find((one) => one.startsWith(`${row},`));
      if (!cell) return "";
      const [, count, failed = "0"] = cell.split(",");
      return `${split("times", "|")[column]}, ${split("lengths", "|")[row - low()]}: ${count} ${count === "1" ? "span" : "spans"}, ${failed} failed`;
    }
    function tell(at, words = told(at)) {
      const box = heat.getBoundingClientRect(), width = box.width / columns(), height = box.height / (high() - low() + 1);
      tipAt(words, { left: box.left + at[0] * width, top: box.top + (high() - at[1]) * height - 4, width }, "none");
    }
    const unmark = () => { if (heat) $("rect[data-mark]", heat)?.remove(); from = to = null; };
    function open() {
      const target = new URL(heat.dataset.heat, location.href);
      target.searchParams.set("sel", [0, 1].map((i) => ends(i).join("-")).join(","));
      location.assign(target.href);
    }
    document.addEventListener("pointerdown", (event) => {
      unmark();
      heat = heatOf(event);
      if (heat && event.button === 0 && !event.ctrlKey && !event.metaKey) from = to = cellAt(event);
    });
    document.addEventListener("dragstart", (event) => { if (heatOf(event)) event.preventDefault(); });
    document.addEventListener("pointermove", (event) => {
      if (!event.buttons && heatOf(event) && !event.target.closest("a.dot")) { heat = heatOf(event); tell(cellAt(event)); }
      if (!from || !event.buttons) return;
      to = cellAt(event);
      if (String(from) !== String(to) || $("rect[data-mark]", heat)) mark();
    });
    document.addEventListener("pointercancel", unmark);
    document.addEventListener("pointerup", (event) => {
      if (!from || !event.isPrimary) return;
      to = cellAt(event);
      const isOne = String(from) === String(to);
      if (isOne && event.target.closest?.("a.dot")) { unmark(); return; }
      // The click that follows belongs to what was selected, not to the column.
      addEventListener("click", (click) => click.preventDefault(), { once: true, capture: true });
      if (isOne && !told(from)) unmark();
      else open();
    });
    document.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
      if (!event.target.matches || !event.target.matches("svg[data-heat]") || event.altKey || event.ctrlKey || event.metaKey) return;
      if (event.key === "Enter" && from) open();
      else if (event.key === "Escape" && from) { unmark(); tipAt(""); }
      else if (!step) return;
      else {
        heat = event.target;
        if (!to) { const first = split("cells", "|").findIndex(Boolean); from = to = [first, parseInt(split("cells", "|")[first], 10)]; }
        else to = [clamp(to[0] + step[0], 0, columns() - 1), clamp(to[1] + step[1], low(), high())];
        if (!event.shiftKey) from = to;
        mark();
        const words = told(to) || "Nothing here";
        say(words);
        tell(to, words);
      }
      event.preventDefault();
      event.stopPropagation();
    }, true);
  }

  // --- Charts: what a part counts is told at once, at the pointer and at the focus; arrow keys move over the parts ---------------
  {
    const PARTS = ".drawn > a, .drawn > .told, a.dot";
    const part = (event) => event.target.closest?.(PARTS);
    const hide = () => tipAt("");
    const show = (event) => {
      const on = part(event);
      if (event.target === tip) return;
      if (!on) { hide(); return; }
      const title = $("title", on);
      if (title) { on.setAttribute("aria-label", title.textContent); title.remove(); }
      // It touches the part, so that the pointer can go there.
      tipAt(on.getAttribute("aria-label"), on.getBoundingClientRect());
    };
    document.addEventListener("pointerover", show);
    document.addEventListener("focusin", show);
    document.addEventListener("focusout", hide);
    addEventListener("scroll", hide, { passive: true });
    document.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key], on = part(event);
      if (event.key === "Escape") hide();
      if (!by || !on || event.shiftKey || event.altKey || event.ctrlKey || event.metaKey) return;
      const all = $$(PARTS, on.parentNode), next = all[all.indexOf(on) + by];
      event.preventDefault();
      if (!next) return;
      on.setAttribute("tabindex", "-1");
      next.setAttribute("tabindex", "0");
      next.focus();
    }, true);
  }

  // What a drawing is about is in sight, however narrow its place is.
  const about = $(".map .arrow.chosen .plate") || $(".map .service.focused") || $(".map .focused");
  if (about) {
    const map = about.closest(".map"), [place, own] = [map, about].map((one) => one.getBoundingClientRect());
    map.scrollBy(own.left + own.width / 2 - place.left - place.width / 2, own.top + own.height / 2 - place.top - place.height / 2);
  }

  const chosen = grid && $("[aria-selected=true]", grid);
  // On a narrow screen its detail stands above the rows.
  const isAbove = chosen && panel && panel.childElementCount && getComputedStyle(panel).position === "static";
  // What is in sight from the top of the page is shown from there.
  const isNear = chosen && !isAbove && chosen.getBoundingClientRect().bottom + scrollY < innerHeight - 60;
  if (isAbove) panel.scrollIntoView({ block: "start" });
  else if (chosen && !isNear) chosen.scrollIntoView({ block: "center" });
  // Whoever folds, unfolds or opens a row by key, or comes back to it, goes on from the same row.
  const back = !grid && history.state?.row;
  const last = (back && $$("[data-row]").find((row) => opener(row) && rowKey(row) === back)) || $("[data-near]")
    || (location.hash && document.getElementById(location.hash.slice(1))) || $("tr.open[data-row]");
  // The server knows which row it is now; that is of this step and not of what is shown.
  if (grid) history.replaceState(history.state, "", nearTo(location.href));
  // Only after the browser went to the fragment, which takes the focus away.
  if (last && last.matches("[data-row]")) addEventListener("load", () => setTimeout(() => {
    if (isNear && last === chosen) scrollTo(0, 0);
    focusRow(last);
    // An open record is shown with what is below it.
    if (!location.hash && last.matches(".open")) last.scrollIntoView({ block: "center" });
  }));
  document.documentElement.dataset.ready = "";
})();
