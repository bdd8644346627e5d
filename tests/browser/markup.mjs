// Judges the HTML of every page and fragment, and the stylesheet: html-validate, and the Nu checker of the W3C where Java is here.
//
// Usage: markup.mjs BASE_URL CHROMIUM     Ends with 1 and names page, line and rule when something is not so.

import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { HtmlValidate } from "html-validate";

import { base, check, failingCheckout, finish, pages, problems } from "./site.mjs";

// Left out: how the source is written; and where the house decides otherwise. Lists may have a name, regions that scroll are no sections.
const judge = new HtmlValidate({
  root: true,
  extends: ["html-validate:standard", "html-validate:a11y"],
  rules: {
    "no-trailing-whitespace": "off", "attribute-boolean-style": "off", "attribute-empty-style": "off", "doctype-style": "off",
    "long-title": "off", "require-sri": "off", "no-inline-style": "error", "no-implicit-button-type": "off",
    // axe judges the names of links, and knows that a title is one.
    "wcag/h30": "off",
    "aria-label-misuse": ["error", { allowAnyNamable: true }], "prefer-native-element": ["error", { exclude: ["region"] }],
  },
});

async function fetched(path, headers = {}) {
  const answer = await fetch(base + path, { headers });
  check(answer.headers.get("content-type")?.startsWith("text/html"), `${path} is answered as ${answer.headers.get("content-type")}`);
  return answer.text();
}

async function judged(path, html) {
  const report = await judge.validateString(html);
  for (const { messages } of report.results) {
    // A search field is sent by Enter; it needs no button.
    const isSearch = (one) => one.ruleId === "wcag/h32" && excerpt(html, one).includes('role="search"');
    for (const found of messages.filter((one) => one.severity === 2 && !isSearch(one)).slice(0, 5)) {
      problems.push(`${path}:${found.line}:${found.column}: ${found.message} (${found.ruleId})\n    ${excerpt(html, found)}`);
    }
  }
}

const excerpt = (html, { line, column }) => (html.split("\n")[line - 1] ?? "").slice(Math.max(0, column - 60), column + 100);

// Ends with 0 when there is nothing to say.
const run = (command, args) => new Promise((done) => {
  execFile(command, args, { maxBuffer: 64 << 20 }, (error, stdout, stderr) => done({ code: error ? error.code ?? 1 : 0, said: stdout + stderr }));
});

async function nu(saved) {
  if ((await run("java", ["-version"])).code !== 0) {
    console.error("skipped: java is not here, so the Nu checker did not run");
    return;
  }
  const jar = join(createRequire(import.meta.url).resolve("vnu-jar"), "../build/dist/vnu.jar");
  const folder = await mkdtemp(join(tmpdir(), "throughline-markup-"));
  try {
    const files = [];
    for (const [name, text] of saved) {
      files.push(join(folder, name));
      await writeFile(files.at(-1), text);
    }
    const { said, code } = await run("java", ["-Xss4m", "-jar", jar, "--errors-only", "--also-check-css", "--also-check-svg", ...files]);
    const lines = said.split("\n").filter((line) => line && !isAhead(line));
    for (const line of lines.slice(0, 30)) problems.push(line.replace(`file:${folder}/`, ""));
    check(code === 0 || lines.length > 0 || /error: CSS/.test(said), `the Nu checker ended with ${code}: ${said.slice(0, 400)}`);
  } finally {
    await rm(folder, { recursive: true });
  }
}

// What browsers know and this version of the checker does not.
const isAhead = (line) => /“vector-effect”|“rx”: Property|“space-around” is not|“container-type”: Property|at-rule “@container”|CSS: “--step”: Parse Error/.test(line);

const { id, span } = await failingCheckout();
const saved = [];
for (const [number, path] of (await pages()).entries()) {
  const html = await fetched(path);
  await judged(path, html);
  saved.push([`${String(number).padStart(2, "0")}-${path.replace(/[^a-z0-9]+/gi, "_").slice(0, 80)}.html`, html]);
}
for (const [region, path] of [["panel", `/trace/${id}?span=${span}`], ["rows", `/trace/${id}?at=1`], ["completion", "/complete?for=traces&before=ser"]]) {
  await judged(`${path} (${region})`, await fetched(path, { fragment: region }));
}
const assets = /(?:href|src)="([^"]*\/a\/[^"/]+)\/app\.css"/.exec(saved[0][1])[1];
for (const name of ["app.css", "mark.svg", "icons.svg"]) saved.push([name, await (await fetch(new URL(`${assets}/${name}`, base))).text()]);
await nu(saved);
finish();
