// Emits spans and logs through the OpenTelemetry SDK of Node, then prints what was emitted as one JSON document.
//
// Usage: emit.mjs PROTOCOL ENDPOINT COMPRESSION     PROTOCOL is grpc, http/protobuf or http/json, COMPRESSION is gzip or none.

import { context, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { SeverityNumber } from "@opentelemetry/api-logs";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchLogRecordProcessor, InMemoryLogRecordExporter, LoggerProvider, SimpleLogRecordProcessor } from "@opentelemetry/sdk-logs";
import { BasicTracerProvider, BatchSpanProcessor, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";

const [protocol, endpoint, compression] = process.argv.slice(2);

const packages = { grpc: "grpc", "http/protobuf": "proto", "http/json": "http" };

async function exporters() {
  const name = packages[protocol];
  const { OTLPTraceExporter } = await import(`@opentelemetry/exporter-trace-otlp-${name}`);
  const { OTLPLogExporter } = await import(`@opentelemetry/exporter-logs-otlp-${name}`);
  const path = (signal) => (protocol === "grpc" ? endpoint : `${endpoint}/v1/${signal}`);
  return [
    new OTLPTraceExporter({ url: path("traces"), compression }),
    new OTLPLogExporter({ url: path("logs"), compression }),
  ];
}

function value(v) {
  if (v === null || v === undefined) return {};
  if (typeof v === "boolean") return { bool: v };
  if (typeof v === "number") return Number.isInteger(v) ? { int: String(v) } : { double: String(v) };
  if (typeof v === "string") return { string: v };
  if (v instanceof Uint8Array) return { bytes: Buffer.from(v).toString("base64") };
  if (Array.isArray(v)) return { array: v.map(value) };
  return { map: attributes(v) };
}

const attributes = (object) => Object.fromEntries(Object.entries(object ?? {}).map(([k, v]) => [k, value(v)]));
const nanos = ([seconds, rest]) => String(BigInt(seconds) * 1000000000n + BigInt(rest));

const span = (s) => ({
  trace_id: s.spanContext().traceId,
  span_id: s.spanContext().spanId,
  parent_span_id: s.parentSpanContext?.spanId ?? "",
  name: s.name,
  kind: s.kind + 1,
  start: nanos(s.startTime),
  end: nanos(s.endTime),
  status: s.status.code,
  status_message: s.status.message ?? "",
  attributes: attributes(s.attributes),
  events: s.events.map((e) => ({ name: e.name, time: nanos(e.time), attributes: attributes(e.attributes) })),
  links: s.links.map((l) => ({ trace_id: l.context.traceId, span_id: l.context.spanId, attributes: attributes(l.attributes) })),
  resource: attributes(s.resource.attributes),
  scope: s.instrumentationScope.name,
  scope_version: s.instrumentationScope.version ?? "",
});

const log = (r) => ({
  time: nanos(r.hrTime),
  trace_id: r.spanContext?.traceId ?? "",
  span_id: r.spanContext?.spanId ?? "",
  severity_number: r.severityNumber ?? 0,
  severity_text: r.severityText ?? "",
  event_name: r.eventName ?? "",
  body: value(r.body),
  attributes: attributes(r.attributes),
  resource: attributes(r.resource.attributes),
  scope: r.instrumentationScope.name,
  scope_version: r.instrumentationScope.version ?? "",
});

function emit(tracer, logger, number) {
  const rich = {
    text: `grüße, 世界 ${number}`,
    empty: "",
    zero: 0,
    big: 9007199254740991,
    negative: -42,
    pi: 3.141592653589793,
    yes: true,
    no: false,
    words: ["a", "", "c"],
    numbers: [1, -2, 3],
    "no items": [],
  };
  const parent = tracer.startSpan("GET /item/{id}", { kind: SpanKind.SERVER, attributes: rich });
  const inside = trace.setSpan(context.active(), parent);
  const links = [{ context: parent.spanContext(), attributes: { why: "test", n: number } }];
  const child = tracer.startSpan("SELECT item", { kind: SpanKind.CLIENT, links, attributes: { "db.system.name": "mysql" } }, inside);
  child.addEvent("cache miss", { key: `item:${number}`, tries: 2 });
  logger.emit({
    timestamp: 1700000000000 + number,
    context: trace.setSpan(context.active(), child),
    severityNumber: SeverityNumber.WARN,
    severityText: "WARNING",
    body: `cache miss for item ${number}`,
    attributes: { item: number, nested: { a: [1, "two", { three: 3.5 }] }, raw: new Uint8Array([0, 255]) },
  });
  if (number % 7 === 0) {
    child.recordException(new Error(`no item ${number}`));
    child.setStatus({ code: SpanStatusCode.ERROR, message: "no such item" });
  }
  child.end();
  tracer.startSpan("publish", { kind: SpanKind.PRODUCER }, inside).end();
  parent.setStatus({ code: SpanStatusCode.OK });
  parent.end();
  logger.emit({ timestamp: 1700000000000 + number, body: { structured: [1, 2.5, null, true] }, eventName: "item.read" });
}

const [spanExporter, logExporter] = await exporters();
const keptSpans = new InMemorySpanExporter();
const keptLogs = new InMemoryLogRecordExporter();
const resource = resourceFromAttributes({ "service.name": `node ${protocol} ${compression}`, "service.version": "1.2.3", n: 7 });
const tracers = new BasicTracerProvider({
  resource,
  spanProcessors: [new BatchSpanProcessor(spanExporter), new SimpleSpanProcessor(keptSpans)],
});
const loggers = new LoggerProvider({
  resource,
  processors: [new BatchLogRecordProcessor({ exporter: logExporter }), new SimpleLogRecordProcessor({ exporter: keptLogs })],
});
const tracer = tracers.getTracer("test.tracer", "0.1");
const logger = loggers.getLogger("test.logger", "0.2");
for (let number = 0; number < 100; number++) emit(tracer, logger, number);
await tracers.forceFlush();
await loggers.forceFlush();
const emitted = { spans: keptSpans.getFinishedSpans().map(span), logs: keptLogs.getFinishedLogRecords().map(log) };
await tracers.shutdown();
await loggers.shutdown();
process.stdout.write(JSON.stringify(emitted));
