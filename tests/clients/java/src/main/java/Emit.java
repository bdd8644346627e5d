import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.common.Attributes;
import io.opentelemetry.api.common.KeyValue;
import io.opentelemetry.api.common.Value;
import io.opentelemetry.api.logs.Logger;
import io.opentelemetry.api.logs.Severity;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanKind;
import io.opentelemetry.api.trace.StatusCode;
import io.opentelemetry.api.trace.Tracer;
import io.opentelemetry.context.Context;
import io.opentelemetry.exporter.otlp.http.logs.OtlpHttpLogRecordExporter;
import io.opentelemetry.exporter.otlp.http.trace.OtlpHttpSpanExporter;
import io.opentelemetry.exporter.otlp.logs.OtlpGrpcLogRecordExporter;
import io.opentelemetry.exporter.otlp.trace.OtlpGrpcSpanExporter;
import io.opentelemetry.sdk.logs.SdkLoggerProvider;
import io.opentelemetry.sdk.logs.data.LogRecordData;
import io.opentelemetry.sdk.logs.export.BatchLogRecordProcessor;
import io.opentelemetry.sdk.logs.export.LogRecordExporter;
import io.opentelemetry.sdk.logs.export.SimpleLogRecordProcessor;
import io.opentelemetry.sdk.resources.Resource;
import io.opentelemetry.sdk.testing.exporter.InMemoryLogRecordExporter;
import io.opentelemetry.sdk.testing.exporter.InMemorySpanExporter;
import io.opentelemetry.sdk.trace.SdkTracerProvider;
import io.opentelemetry.sdk.trace.data.SpanData;
import io.opentelemetry.sdk.trace.export.BatchSpanProcessor;
import io.opentelemetry.sdk.trace.export.SimpleSpanProcessor;
import io.opentelemetry.sdk.trace.export.SpanExporter;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.StringJoiner;
import java.util.concurrent.TimeUnit;

/**
 * Emits spans and logs through the OpenTelemetry SDK of Java, then prints what was emitted as one JSON document.
 *
 * <p>No empty text: this SDK's exporter sends an attribute without a value in its place.
 *
 * <p>Usage: Emit PROTOCOL ENDPOINT COMPRESSION. PROTOCOL is grpc or http/protobuf, COMPRESSION is gzip or none.
 */
public final class Emit {
  static SpanExporter spanExporter(String protocol, String endpoint, String compression) {
    return protocol.equals("grpc")
        ? OtlpGrpcSpanExporter.builder().setEndpoint(endpoint).setCompression(compression).build()
        : OtlpHttpSpanExporter.builder().setEndpoint(endpoint + "/v1/traces").setCompression(compression).build();
  }

  static LogRecordExporter logExporter(String protocol, String endpoint, String compression) {
    return protocol.equals("grpc")
        ? OtlpGrpcLogRecordExporter.builder().setEndpoint(endpoint).setCompression(compression).build()
        : OtlpHttpLogRecordExporter.builder().setEndpoint(endpoint + "/v1/logs").setCompression(compression).build();
  }

  static String text(String raw) {
    StringBuilder out = new StringBuilder("\"");
    for (char c : raw.toCharArray()) {
      if (c == '"' || c == '\\') out.append('\\').append(c);
      else if (c < 0x20) out.append(String.format("\\u%04x", (int) c));
      else out.append(c);
    }
    return out.append('"').toString();
  }

  static String array(List<?> items) {
    StringJoiner joined = new StringJoiner(",", "{\"array\":[", "]}");
    items.forEach(item -> joined.add(value(item)));
    return joined.toString();
  }

  static String value(Object v) {
    if (v instanceof Boolean) return "{\"bool\":" + v + "}";
    if (v instanceof Long) return "{\"int\":\"" + v + "\"}";
    if (v instanceof Double) return "{\"double\":\"" + v + "\"}";
    if (v instanceof String s) return "{\"string\":" + text(s) + "}";
    if (v instanceof List<?> list) return array(list);
    if (v instanceof Value<?> any) return anyValue(any);
    throw new IllegalArgumentException("value of " + v.getClass() + " is not expected");
  }

  static String anyValue(Value<?> v) {
    return switch (v.getType()) {
      case KEY_VALUE_LIST -> {
        StringJoiner joined = new StringJoiner(",", "{\"map\":{", "}}");
        for (Object entry : (List<?>) v.getValue()) {
          KeyValue kv = (KeyValue) entry;
          joined.add(text(kv.getKey()) + ":" + anyValue(kv.getValue()));
        }
        yield joined.toString();
      }
      default -> value(v.getValue());
    };
  }

  static String attributes(Attributes attributes) {
    StringJoiner joined = new StringJoiner(",", "{", "}");
    attributes.forEach((key, v) -> joined.add(text(key.getKey()) + ":" + value(v)));
    return joined.toString();
  }

  static String span(SpanData s) {
    StringJoiner events = new StringJoiner(",", "[", "]");
    s.getEvents()
        .forEach(e -> events.add("{\"name\":" + text(e.getName()) + ",\"time\":\"" + e.getEpochNanos() + "\",\"attributes\":" + attributes(e.getAttributes()) + "}"));
    StringJoiner links = new StringJoiner(",", "[", "]");
    s.getLinks()
        .forEach(
            l ->
                links.add(
                    "{\"trace_id\":\"" + l.getSpanContext().getTraceId() + "\",\"span_id\":\"" + l.getSpanContext().getSpanId()
                        + "\",\"attributes\":" + attributes(l.getAttributes()) + "}"));
    int status = s.getStatus().getStatusCode() == StatusCode.ERROR ? 2 : s.getStatus().getStatusCode() == StatusCode.OK ? 1 : 0;
    String parent = s.getParentSpanContext().isValid() ? s.getParentSpanId() : "";
    return "{\"trace_id\":\"" + s.getTraceId() + "\",\"span_id\":\"" + s.getSpanId() + "\",\"parent_span_id\":\"" + parent
        + "\",\"name\":" + text(s.getName()) + ",\"kind\":" + (s.getKind().ordinal() + 1)
        + ",\"start\":\"" + s.getStartEpochNanos() + "\",\"end\":\"" + s.getEndEpochNanos() + "\",\"status\":" + status
        + ",\"status_message\":" + text(s.getStatus().getDescription()) + ",\"attributes\":" + attributes(s.getAttributes())
        + ",\"events\":" + events + ",\"links\":" + links + ",\"resource\":" + attributes(s.getResource().getAttributes())
        + ",\"scope\":" + text(s.getInstrumentationScopeInfo().getName())
        + ",\"scope_version\":" + text(String.valueOf(s.getInstrumentationScopeInfo().getVersion())) + "}";
  }

  static String log(LogRecordData r) {
    boolean linked = r.getSpanContext().isValid();
    return "{\"time\":\"" + r.getTimestampEpochNanos() + "\",\"trace_id\":\"" + (linked ? r.getSpanContext().getTraceId() : "")
        + "\",\"span_id\":\"" + (linked ? r.getSpanContext().getSpanId() : "") + "\",\"severity_number\":" + r.getSeverity().getSeverityNumber()
        + ",\"severity_text\":" + text(r.getSeverityText() == null ? "" : r.getSeverityText())
        + ",\"event_name\":\"\",\"body\":" + (r.getBodyValue() == null ? "{}" : anyValue(r.getBodyValue()))
        + ",\"attributes\":" + attributes(r.getAttributes()) + ",\"resource\":" + attributes(r.getResource().getAttributes())
        + ",\"scope\":" + text(r.getInstrumentationScopeInfo().getName())
        + ",\"scope_version\":" + text(String.valueOf(r.getInstrumentationScopeInfo().getVersion())) + "}";
  }

  static void emit(Tracer tracer, Logger logger, int number) {
    Span parent =
        tracer
            .spanBuilder("GET /item/{id}")
            .setSpanKind(SpanKind.SERVER)
            .setAttribute("text", "grüße, 世界 " + number)
            .setAttribute("zero", 0)
            .setAttribute("big", 9007199254740993L)
            .setAttribute("negative", Long.MIN_VALUE)
            .setAttribute("pi", 3.141592653589793)
            .setAttribute("yes", true)
            .setAttribute("no", false)
            .setAttribute(AttributeKey.stringArrayKey("words"), List.of("a", "b", "c"))
            .setAttribute(AttributeKey.longArrayKey("numbers"), List.of(1L, -2L, 3L))
            .setAttribute(AttributeKey.doubleArrayKey("floats"), List.of(0.5, -1.5))
            .setAttribute(AttributeKey.booleanArrayKey("flags"), List.of(true, false))
            .startSpan();
    Context inside = parent.storeInContext(Context.root());
    Span child =
        tracer
            .spanBuilder("SELECT item")
            .setParent(inside)
            .setSpanKind(SpanKind.CLIENT)
            .addLink(parent.getSpanContext(), Attributes.builder().put("why", "test").put("n", number).build())
            .setAttribute("db.system.name", "mysql")
            .startSpan();
    child.addEvent("cache miss", Attributes.builder().put("key", "item:" + number).put("tries", 2).build());
    logger
        .logRecordBuilder()
        .setTimestamp(1_700_000_000_000_000_000L + number, TimeUnit.NANOSECONDS)
        .setContext(child.storeInContext(inside))
        .setSeverity(Severity.WARN)
        .setSeverityText("WARNING")
        .setBody("cache miss for item " + number)
        .setAllAttributes(Attributes.builder().put("item", number).put("retry", true).build())
        .emit();
    if (number % 7 == 0) {
      child.recordException(new IllegalStateException("no item " + number));
      child.setStatus(StatusCode.ERROR, "no such item");
    }
    child.end();
    tracer.spanBuilder("publish").setParent(inside).setSpanKind(SpanKind.PRODUCER).startSpan().end();
    parent.setStatus(StatusCode.OK);
    parent.end();
    logger
        .logRecordBuilder()
        .setTimestamp(1_700_000_000_000_000_000L + number, TimeUnit.NANOSECONDS)
        .setContext(Context.root())
        .setBody(Value.of(KeyValue.of("structured", Value.of(Value.of(1), Value.of(2.5), Value.of(true)))))
        .emit();
  }

  public static void main(String[] args) {
    Resource resource =
        Resource.create(
            Attributes.builder().put("service.name", "java " + args[0] + " " + args[2]).put("service.version", "1.2.3").put("n", 7).build());
    InMemorySpanExporter keptSpans = InMemorySpanExporter.create();
    InMemoryLogRecordExporter keptLogs = InMemoryLogRecordExporter.create();
    SdkTracerProvider tracers =
        SdkTracerProvider.builder()
            .setResource(resource)
            .addSpanProcessor(BatchSpanProcessor.builder(spanExporter(args[0], args[1], args[2])).build())
            .addSpanProcessor(SimpleSpanProcessor.create(keptSpans))
            .build();
    SdkLoggerProvider loggers =
        SdkLoggerProvider.builder()
            .setResource(resource)
            .addLogRecordProcessor(BatchLogRecordProcessor.builder(logExporter(args[0], args[1], args[2])).build())
            .addLogRecordProcessor(SimpleLogRecordProcessor.create(keptLogs))
            .build();
    Tracer tracer = tracers.tracerBuilder("test.tracer").setInstrumentationVersion("0.1").build();
    Logger logger = loggers.loggerBuilder("test.logger").setInstrumentationVersion("0.2").build();
    for (int number = 0; number < 100; number++) emit(tracer, logger, number);
    tracers.forceFlush().join(20, TimeUnit.SECONDS);
    loggers.forceFlush().join(20, TimeUnit.SECONDS);
    List<String> spans = new ArrayList<>();
    keptSpans.getFinishedSpanItems().forEach(s -> spans.add(span(s)));
    List<String> logs = new ArrayList<>();
    keptLogs.getFinishedLogRecordItems().forEach(r -> logs.add(log(r)));
    new PrintStream(System.out, true, StandardCharsets.UTF_8)
        .println("{\"spans\":[" + String.join(",", spans) + "],\"logs\":[" + String.join(",", logs) + "]}");
    tracers.shutdown().join(10, TimeUnit.SECONDS);
    loggers.shutdown().join(10, TimeUnit.SECONDS);
  }
}
