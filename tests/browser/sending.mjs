// What senders of telemetry do here: one request with a log record, as OTLP/JSON.

import { check, otlp } from "./site.mjs";

export const text = (key, value) => ({ key, value: { stringValue: value } });
const hex = (length) => [...crypto.getRandomValues(new Uint8Array(length))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
export const newTraceId = () => hex(16);
export const newSpanId = () => hex(8);
// A moment so many milliseconds ago.
export const ago = (ms) => BigInt(Date.now() - ms) * 1_000_000n;

async function post(path, body, what) {
  const answer = await fetch(otlp + path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  check(answer.ok, `${what} was answered with ${answer.status}: ${answer.ok ? "" : await answer.text()}`);
}

// Spans of one resource. A resource is a list of attributes, or the name of a service.
export const sendSpans = (resource, spans, scope = {}) => {
  const attributes = typeof resource === "string" ? [text("service.name", resource)] : resource;
  return post("/v1/traces", { resourceSpans: [{ resource: { attributes }, scopeSpans: [{ scope, spans }] }] }, "a span");
};

export const sendRecords = (resource, logRecords, scope = {}) => {
  const attributes = typeof resource === "string" ? [text("service.name", resource)] : resource;
  return post("/v1/logs", { resourceLogs: [{ resource: { attributes }, scopeLogs: [{ scope, logRecords }] }] }, "a log record");
};

// One span of 5 ms that ends now, and a record of an error in it. What it got: its ids.
export async function request(service, name) {
  const [traceId, spanId, end] = [newTraceId(), newSpanId(), ago(0)];
  await sendSpans(service, [{ traceId, spanId, name, kind: 2, startTimeUnixNano: String(end - 5_000_000n), endTimeUnixNano: String(end) }]);
  await sendRecords(service, [{ timeUnixNano: String(end), severityNumber: 17, body: { stringValue: name }, traceId, spanId }]);
  return { traceId, spanId };
}
