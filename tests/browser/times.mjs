// Time zones: times are written in the zone that the reader chose, by the server, whatever zone the browser is in, which is taken until they chose one; two hours that have the
// same name when clocks are set back stay two; what machines read is the same in every zone.
//
// Usage: times.mjs BASE_URL CHROMIUM OTLP_HTTP_URL     Ends with 1 and says which time is written wrong.

import { sendRecords } from "./sending.mjs";
import { base, check, watched, withBrowser } from "./site.mjs";

// Clocks were set back in Berlin at 01:00 UTC, in New York a week later at 06:00 UTC; in Lord Howe by half an hour.
const moments = ["2026-10-25T00:30:00.123Z", "2026-10-25T01:30:00.456Z", "2026-11-01T05:30:00.789Z", "2026-11-01T06:30:00.012Z"];
const zones = ["UTC", "Asia/Kolkata", "America/St_Johns", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"];
const list = "/logs?q=service%3Aclocks&from=2026-10-20T00:00:00Z&to=2026-11-05T00:00:00Z";

// As the browser's own tables have it.
function expected(moment, zone) {
  const parts = new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", timeZoneName: "longOffset" }).formatToParts(new Date(moment));
  const part = (type) => parts.find((one) => one.type === type).value;
  const offset = part("timeZoneName").replace("GMT", "") || "+00:00";
  return { clock: `${part("hour")}:${part("minute")}:${part("second")}.${moment.slice(20, 23)}`, offset };
}

const read = (page) => page.locator("main [data-row] time").evaluateAll((all) => all.map((one) => ({ machine: one.getAttribute("datetime"), text: one.textContent, full: one.title })));

await withBrowser(async (browser) => {
  await sendRecords("clocks", moments.map((moment) => ({ timeUnixNano: String(BigInt(Date.parse(moment)) * 1_000_000n), severityNumber: 9, body: { stringValue: `at ${moment}` } })));
  // The browser stands in one zone, its reader may choose another.
  for (const timezoneId of ["UTC", "Asia/Kolkata"]) {
    for (const zone of zones) {
      const page = await watched(await browser.newContext({ timezoneId }));
      await page.goto(`${base}/preferences?zone=${encodeURIComponent(zone)}&back=${encodeURIComponent(list)}`);
      check(page.url().includes("/logs"), `choosing ${zone} leads to ${page.url()}`);
      const times = await read(page);
      check(times.length === moments.length, `${times.length} records of ${moments.length} are listed in ${zone}`);
      for (const moment of moments) {
        const found = times.find((one) => Date.parse(one.machine) === Date.parse(moment));
        const { clock, offset } = expected(moment, zone);
        check(found?.machine === moment, `${moment} in ${zone}: machines read ${found?.machine}`);
        check(found?.text.includes(clock), `${moment} in ${zone} is written ${found?.text} and not ${clock}`);
        check(found?.full.includes(`${clock}`) && found.full.includes(offset), `${moment} in ${zone} is written in full as ${found?.full}, without ${clock} and ${offset}`);
      }
      await page.context().close();
    }
  }
  // Who has chosen nothing reads in the zone of the browser, from the first page on; it is asked for once, and UTC stays when it is chosen.
  {
    const page = await watched(await browser.newContext({ timezoneId: "America/New_York" }));
    const loads = [];
    page.on("framenavigated", (frame) => loads.push(frame.url()));
    await page.goto(`${base}${list}#x`).catch(() => {});
    await page.waitForFunction(() => document.querySelector(".tools")?.textContent.includes("America/New_York"));
    await page.locator("html[data-ready]").waitFor();
    check(page.url() === `${base}${list}#x`, `the first visit leads to ${page.url()}`);
    check(loads.length === 2, `the first page was loaded ${loads.length} times: ${loads.join(" ")}`);
    check((await read(page)).some((one) => one.text.endsWith(expected(moments[0], "America/New_York").clock)), "the first page is not in the zone of its browser");
    await page.goto(`${base}/preferences?zone=UTC&back=${encodeURIComponent(list)}`);
    await page.reload();
    await page.locator("html[data-ready]").waitFor();
    check((await read(page)).some((one) => one.text.endsWith(expected(moments[0], "UTC").clock)), "UTC is not kept when it was chosen");
    await page.context().close();
    const plain = await watched(await browser.newContext({ timezoneId: "America/New_York", javaScriptEnabled: false }));
    await plain.goto(base + list);
    check((await read(plain)).some((one) => one.text.endsWith(expected(moments[0], "UTC").clock)), "without a script times are not in UTC");
    await plain.context().close();
  }
  // A zone that does not exist changes nothing.
  const page = await watched(await browser.newContext());
  await page.goto(`${base}/preferences?zone=Mars%2FOlympus&back=${encodeURIComponent(list)}`);
  await page.goto(base + list);
  check((await read(page)).some((one) => one.text.endsWith(expected(moments[0], "UTC").clock)), "an unknown zone was taken for one");
});
