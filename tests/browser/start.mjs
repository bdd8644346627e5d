// Getting started, from nothing: the page at the root listens, says what arrives without being opened again, and tells of senders that came to
// a wrong port or in a wrong form, with what mends them. A browser that sends nothing but what readers do.
//
// Usage: start.mjs BASE_URL CHROMIUM     with the program in THROUGHLINE: it is started here, on data of its own, with a receiver each for
// HTTP and gRPC. Ends with 1 and says why when something is not so.

import { connect } from "node:http2";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { start, stop } from "./program.mjs";
import { ago, newSpanId, newTraceId, text } from "./sending.mjs";
import { check, problems, watched, withBrowser } from "./site.mjs";

const span = (end) => ({ traceId: newTraceId(), spanId: newSpanId(), name: "first", kind: 2, startTimeUnixNano: String(end - 5_000_000n), endTimeUnixNano: String(end) });
const spans = (service, end = ago(0)) => JSON.stringify({ resourceSpans: [{ resource: { attributes: [text("service.name", service)] }, scopeSpans: [{ spans: [span(end)] }] }] });

const post = (address, path, body, headers = {}) => fetch(`http://${address}${path}`, { method: "POST", headers: { "content-type": "application/json", "user-agent": "a-sender/1", ...headers }, body });

// What a gRPC exporter does that was given the address of another receiver.
const call = (address) => new Promise((done) => {
  const session = connect(`http://${address}`);
  const end = (said) => { session.destroy(); done(said); };
  session.on("error", (error) => end(String(error)));
  const request = session.request({ ":method": "POST", ":path": "/opentelemetry.proto.collector.trace.v1.TraceService/Export", "content-type": "application/grpc", "user-agent": "grpc-sender/1", te: "trailers" });
  request.on("error", (error) => end(String(error)));
  request.on("response", (headers) => end(String(headers[":status"])));
  request.end(Buffer.from([0, 0, 0, 0, 0]));
});

const port = (address) => address.split(":").pop();
const received = (page) => page.locator("#received").innerText();

// Waits until the list of what arrived says so, in the page that was opened at first.
async function says(page, what, wanted) {
  await page.waitForFunction((source) => new RegExp(source, "i").test(document.querySelector("#received")?.innerText), wanted.source, { timeout: 15_000 })
    .catch(async () => problems.push(`${what}: the page does not say ${wanted} but ${await received(page)}`));
  check(await page.evaluate(() => globalThis.isTheSame === true), `${what}: the page was opened again`);
}

async function confirms(page, server) {
  await page.goto(`http://${server.ui}/`);
  await page.evaluate(() => { globalThis.isTheSame = true; });
  check((await page.locator("h1").innerText()) === "Getting started", "the root of an empty store is not Getting started");
  check((await received(page)).includes("Nothing yet"), `an empty store says ${await received(page)}`);
  const settings = await page.locator("pre").first().innerText();
  check(settings.includes(`OTEL_EXPORTER_OTLP_ENDPOINT=http://${server.http}`), `the settings to copy are ${settings}`);

  check((await post(server.ui, "/v1/traces", spans("lost"))).status === 404, "the port of the pages takes in traces");
  await says(page, "a sender that came to the port of the pages", new RegExp(`a-sender/1[\\s\\S]*not taken at the port of the pages but over OTLP/HTTP at port ${port(server.http)}`));
  check((await call(server.ui)) === "200", "the port of the pages does not answer gRPC");
  await says(page, "a gRPC sender at the port of the pages", new RegExp(`grpc · grpc-sender/1[\\s\\S]*gRPC at port ${port(server.grpc)}`));
  await post(server.http, "/v1/traces", "<spans/>", { "content-type": "text/xml" });
  await says(page, "a sender of another content type", /Send with Content-Type application\/x-protobuf|application\/x-protobuf or application\/json/);
  await call(server.http);
  await says(page, "a gRPC sender at the HTTP port", new RegExp(`gRPC on the port of OTLP/HTTP; send OTLP/gRPC to port ${port(server.grpc)}`));
  await post(server.grpc, "/v1/traces", spans("lost")).catch(() => null);
  await says(page, "an HTTP sender at the gRPC port", new RegExp(`on the port of OTLP/gRPC; send OTLP/HTTP to port ${port(server.http)}`));
  check((await received(page)).includes("Nothing yet"), "what was refused counts as arrived");

  check((await post(server.http, "/v1/traces", spans("checkout"))).ok, "a span is not taken in");
  await says(page, "a first span", /checkout\s+first span .* · Open its first trace/);
  check(!(await received(page)).includes("Nothing yet"), "the page says that nothing arrived, and what arrived");
  check((await post(server.http, "/v1/traces", spans("fast", ago(-3 * 3_600_000)))).ok, "a span of a fast clock is not taken in");
  await says(page, "a sender whose clock is fast", /fast\s+was received, but its clock is [\d\shmin]+ ahead/);
  await Promise.all([page.waitForURL(/\/services\/checkout/), page.locator("#received a", { hasText: "checkout" }).first().click()]);
  await page.goto(`http://${server.ui}/start`);
  await Promise.all([page.waitForURL(/\/trace\//), page.locator("#received a", { hasText: "first trace of checkout" }).click()]);
  check((await page.locator("h1").innerText()).includes("checkout"), "the first trace is not the one that was sent");
  await page.goto(`http://${server.ui}/`);
  check((await page.locator("h1").innerText()) !== "Getting started", "the root is still Getting started once something arrived");
}

await withBrowser(async (browser) => {
  const data = await mkdtemp(join(tmpdir(), "throughline-start-"));
  const server = await start(data, { grpc: "127.0.0.1:0" });
  try {
    await confirms(await watched(await browser.newContext(), `http://${server.ui}`), server);
    await stop(server);
  } finally {
    server.child.kill("SIGKILL");
    await rm(data, { recursive: true });
  }
});
