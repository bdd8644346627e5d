"""Emits spans and logs through the OpenTelemetry SDK of Python, then prints what was emitted as one JSON document.

Usage: emit.py PROTOCOL ENDPOINT COMPRESSION     PROTOCOL is grpc or http/protobuf, COMPRESSION is gzip or none.
"""

import base64
import json
import sys

from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanKind, Status, StatusCode

KINDS = {SpanKind.INTERNAL: 1, SpanKind.SERVER: 2, SpanKind.CLIENT: 3, SpanKind.PRODUCER: 4, SpanKind.CONSUMER: 5}
STATUS = {StatusCode.UNSET: 0, StatusCode.OK: 1, StatusCode.ERROR: 2}


def exporters(protocol, endpoint, compression):
    if protocol == "grpc":
        from grpc import Compression
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        chosen = Compression.Gzip if compression == "gzip" else Compression.NoCompression
        return (
            OTLPSpanExporter(endpoint=endpoint, insecure=True, compression=chosen),
            OTLPLogExporter(endpoint=endpoint, insecure=True, compression=chosen),
        )
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    chosen = Compression.Gzip if compression == "gzip" else Compression.NoCompression
    return (
        OTLPSpanExporter(endpoint=endpoint + "/v1/traces", compression=chosen),
        OTLPLogExporter(endpoint=endpoint + "/v1/logs", compression=chosen),
    )


def value(v):
    if v is None:
        return {}
    if isinstance(v, bool):
        return {"bool": v}
    if isinstance(v, int):
        return {"int": str(v)}
    if isinstance(v, float):
        return {"double": repr(v)}
    if isinstance(v, str):
        return {"string": v}
    if isinstance(v, bytes):
        return {"bytes": base64.b64encode(v).decode()}
    if hasattr(v, "items"):
        return {"map": {k: value(x) for k, x in v.items()}}
    return {"array": [value(x) for x in v]}


def attributes(mapping):
    return {k: value(v) for k, v in (mapping or {}).items()}


def span(s):
    return {
        "trace_id": format(s.context.trace_id, "032x"),
        "span_id": format(s.context.span_id, "016x"),
        "parent_span_id": format(s.parent.span_id, "016x") if s.parent else "",
        "name": s.name,
        "kind": KINDS[s.kind],
        "start": str(s.start_time),
        "end": str(s.end_time),
        "status": STATUS[s.status.status_code],
        "status_message": s.status.description or "",
        "attributes": attributes(s.attributes),
        "events": [{"name": e.name, "time": str(e.timestamp), "attributes": attributes(e.attributes)} for e in s.events],
        "links": [
            {
                "trace_id": format(l.context.trace_id, "032x"),
                "span_id": format(l.context.span_id, "016x"),
                "attributes": attributes(l.attributes),
            }
            for l in s.links
        ],
        "resource": attributes(s.resource.attributes),
        "scope": s.instrumentation_scope.name,
        "scope_version": s.instrumentation_scope.version or "",
    }


def log(entry):
    r = entry.log_record
    return {
        "time": str(r.timestamp or 0),
        "trace_id": format(r.trace_id, "032x") if r.trace_id else "",
        "span_id": format(r.span_id, "016x") if r.span_id else "",
        "severity_number": r.severity_number.value if r.severity_number else 0,
        "severity_text": r.severity_text or "",
        "event_name": r.event_name or "",
        "body": value(r.body),
        "attributes": attributes(r.attributes),
        "resource": attributes(entry.resource.attributes),
        "scope": entry.instrumentation_scope.name,
        "scope_version": entry.instrumentation_scope.version or "",
    }


def emit(tracer, logger, number):
    rich = {
        "text": "grüße, 世界 " + str(number),
        "empty": "",
        "zero": 0,
        "big": 9007199254740993,
        "negative": -(2**63),
        "pi": 3.141592653589793,
        "whole": 2.0,
        "yes": True,
        "no": False,
        "words": ["a", "", "c"],
        "numbers": [1, -2, 3],
        "floats": [0.5, -1.5],
        "flags": [True, False],
        "no items": [],
    }
    with tracer.start_as_current_span("GET /item/{id}", kind=SpanKind.SERVER, attributes=rich) as parent:
        link = Link(parent.get_span_context(), {"why": "test", "n": number})
        with tracer.start_as_current_span("SELECT item", kind=SpanKind.CLIENT, links=[link]) as child:
            child.set_attribute("db.system.name", "mysql")
            child.add_event("cache miss", {"key": f"item:{number}", "tries": 2})
            logger.emit(
                LogRecord(
                    timestamp=1_700_000_000_000_000_000 + number,
                    context=trace.set_span_in_context(child),
                    severity_number=SeverityNumber.WARN,
                    severity_text="WARNING",
                    body=f"cache miss for item {number}",
                    attributes={"item": number, "nested": {"a": [1, "two", {"three": 3.5}], "raw": b"\x00\xff"}},
                )
            )
            if number % 7 == 0:
                try:
                    raise ValueError(f"no item {number}")
                except ValueError as error:
                    child.record_exception(error)
                    child.set_status(Status(StatusCode.ERROR, "no such item"))
        with tracer.start_as_current_span("publish", kind=SpanKind.PRODUCER):
            pass
        parent.set_status(Status(StatusCode.OK))
    logger.emit(LogRecord(timestamp=1_700_000_000_000_000_000 + number, body={"structured": [1, 2.5, None, True]}, event_name="item.read"))


def main():
    protocol, endpoint, compression = sys.argv[1:4]
    span_exporter, log_exporter = exporters(protocol, endpoint, compression)
    kept_spans, kept_logs = InMemorySpanExporter(), InMemoryLogRecordExporter()
    resource = Resource.create({"service.name": f"python {protocol} {compression}", "service.version": "1.2.3", "n": 7})

    tracers = TracerProvider(resource=resource)
    tracers.add_span_processor(BatchSpanProcessor(span_exporter))
    tracers.add_span_processor(SimpleSpanProcessor(kept_spans))
    loggers = LoggerProvider(resource=resource)
    loggers.add_log_record_processor(BatchLogRecordProcessor(log_exporter))
    loggers.add_log_record_processor(SimpleLogRecordProcessor(kept_logs))
    tracer = tracers.get_tracer("test.tracer", "0.1")
    logger = loggers.get_logger("test.logger", "0.2")

    for number in range(100):
        emit(tracer, logger, number)
    tracers.shutdown()
    loggers.shutdown()
    json.dump(
        {
            "spans": [span(s) for s in kept_spans.get_finished_spans()],
            "logs": [log(entry) for entry in kept_logs.get_finished_logs()],
        },
        sys.stdout,
    )


main()
