// Emits spans and logs through the OpenTelemetry SDK of Go, then prints what was emitted as one JSON document.
//
// Usage: client PROTOCOL ADDRESS COMPRESSION     PROTOCOL is grpc or http/protobuf, COMPRESSION is gzip or none.
package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

type object = map[string]any

// keptLogs is an exporter that remembers.
type keptLogs struct {
	sync.Mutex
	logs []object
}

func (k *keptLogs) Export(_ context.Context, records []sdklog.Record) error {
	k.Lock()
	defer k.Unlock()
	for _, r := range records {
		k.logs = append(k.logs, logObject(r))
	}
	return nil
}
func (k *keptLogs) Shutdown(context.Context) error   { return nil }
func (k *keptLogs) ForceFlush(context.Context) error { return nil }

func traceExporter(ctx context.Context, protocol, address, compression string) (sdktrace.SpanExporter, error) {
	if protocol == "grpc" {
		options := []otlptracegrpc.Option{otlptracegrpc.WithInsecure(), otlptracegrpc.WithEndpoint(address)}
		if compression == "gzip" {
			options = append(options, otlptracegrpc.WithCompressor("gzip"))
		}
		return otlptracegrpc.New(ctx, options...)
	}
	chosen := otlptracehttp.NoCompression
	if compression == "gzip" {
		chosen = otlptracehttp.GzipCompression
	}
	return otlptracehttp.New(ctx, otlptracehttp.WithInsecure(), otlptracehttp.WithEndpoint(address), otlptracehttp.WithCompression(chosen))
}

func logExporter(ctx context.Context, protocol, address, compression string) (sdklog.Exporter, error) {
	if protocol == "grpc" {
		options := []otlploggrpc.Option{otlploggrpc.WithInsecure(), otlploggrpc.WithEndpoint(address)}
		if compression == "gzip" {
			options = append(options, otlploggrpc.WithCompressor("gzip"))
		}
		return otlploggrpc.New(ctx, options...)
	}
	chosen := otlploghttp.NoCompression
	if compression == "gzip" {
		chosen = otlploghttp.GzipCompression
	}
	return otlploghttp.New(ctx, otlploghttp.WithInsecure(), otlploghttp.WithEndpoint(address), otlploghttp.WithCompression(chosen))
}

func attributeValue(v attribute.Value) any {
	switch v.Type() {
	case attribute.BOOL:
		return object{"bool": v.AsBool()}
	case attribute.INT64:
		return object{"int": strconv.FormatInt(v.AsInt64(), 10)}
	case attribute.FLOAT64:
		return object{"double": strconv.FormatFloat(v.AsFloat64(), 'g', -1, 64)}
	case attribute.STRING:
		return object{"string": v.AsString()}
	case attribute.BOOLSLICE:
		return array(v.AsBoolSlice(), attribute.BoolValue)
	case attribute.INT64SLICE:
		return array(v.AsInt64Slice(), attribute.Int64Value)
	case attribute.FLOAT64SLICE:
		return array(v.AsFloat64Slice(), attribute.Float64Value)
	case attribute.STRINGSLICE:
		return array(v.AsStringSlice(), attribute.StringValue)
	case attribute.BYTESLICE:
		return object{"bytes": base64.StdEncoding.EncodeToString(v.AsByteSlice())}
	case attribute.SLICE:
		return array(v.AsSlice(), func(item attribute.Value) attribute.Value { return item })
	case attribute.MAP:
		return object{"map": attributes(v.AsMap())}
	case attribute.EMPTY:
		return object{}
	}
	panic(fmt.Sprintf("attribute type %s is not expected", v.Type()))
}

func array[T any](items []T, wrap func(T) attribute.Value) any {
	values := []any{}
	for _, item := range items {
		values = append(values, attributeValue(wrap(item)))
	}
	return object{"array": values}
}

func attributes(list []attribute.KeyValue) object {
	values := object{}
	for _, kv := range list {
		values[string(kv.Key)] = attributeValue(kv.Value)
	}
	return values
}

func spanObject(s tracetest.SpanStub) object {
	events, links := []any{}, []any{}
	for _, e := range s.Events {
		events = append(events, object{"name": e.Name, "time": strconv.FormatInt(e.Time.UnixNano(), 10), "attributes": attributes(e.Attributes)})
	}
	for _, l := range s.Links {
		links = append(links, object{
			"trace_id": l.SpanContext.TraceID().String(), "span_id": l.SpanContext.SpanID().String(), "attributes": attributes(l.Attributes),
		})
	}
	parent := ""
	if s.Parent.SpanID().IsValid() {
		parent = s.Parent.SpanID().String()
	}
	status := map[codes.Code]int{codes.Unset: 0, codes.Ok: 1, codes.Error: 2}[s.Status.Code]
	return object{
		"trace_id": s.SpanContext.TraceID().String(), "span_id": s.SpanContext.SpanID().String(), "parent_span_id": parent,
		"name": s.Name, "kind": int(s.SpanKind), "start": strconv.FormatInt(s.StartTime.UnixNano(), 10),
		"end": strconv.FormatInt(s.EndTime.UnixNano(), 10), "status": status, "status_message": s.Status.Description,
		"attributes": attributes(s.Attributes), "events": events, "links": links, "resource": attributes(s.Resource.Attributes()),
		"scope": s.InstrumentationScope.Name, "scope_version": s.InstrumentationScope.Version,
	}
}

func logObject(r sdklog.Record) object {
	fields := object{}
	r.WalkAttributes(func(kv attribute.KeyValue) bool {
		fields[string(kv.Key)] = attributeValue(kv.Value)
		return true
	})
	traceID, spanID := "", ""
	if r.TraceID().IsValid() {
		traceID, spanID = r.TraceID().String(), r.SpanID().String()
	}
	scope := r.InstrumentationScope()
	return object{
		"time": strconv.FormatInt(r.Timestamp().UnixNano(), 10), "trace_id": traceID, "span_id": spanID,
		"severity_number": int(r.Severity()), "severity_text": r.SeverityText(), "event_name": r.EventName(), "body": attributeValue(r.Body()),
		"attributes": fields, "resource": attributes(r.Resource().Attributes()), "scope": scope.Name, "scope_version": scope.Version,
	}
}

func emit(ctx context.Context, tracer trace.Tracer, logger log.Logger, number int) {
	ctx, parent := tracer.Start(ctx, "GET /item/{id}", trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		attribute.String("text", fmt.Sprintf("grüße, 世界 %d", number)), attribute.String("empty", ""), attribute.Int64("zero", 0),
		attribute.Int64("big", 9007199254740993), attribute.Int64("negative", -1<<63), attribute.Float64("pi", 3.141592653589793),
		attribute.Bool("yes", true), attribute.Bool("no", false), attribute.StringSlice("words", []string{"a", "", "c"}),
		attribute.Int64Slice("numbers", []int64{1, -2, 3}), attribute.Float64Slice("floats", []float64{0.5, -1.5}),
		attribute.BoolSlice("flags", []bool{true, false}), attribute.StringSlice("no items", []string{}),
	))
	defer parent.End()
	link := trace.Link{SpanContext: parent.SpanContext(), Attributes: []attribute.KeyValue{attribute.String("why", "test"), attribute.Int("n", number)}}
	inner, child := tracer.Start(ctx, "SELECT item", trace.WithSpanKind(trace.SpanKindClient), trace.WithLinks(link))
	child.SetAttributes(attribute.String("db.system.name", "mysql"))
	child.AddEvent("cache miss", trace.WithAttributes(attribute.String("key", fmt.Sprintf("item:%d", number)), attribute.Int("tries", 2)))
	var record log.Record
	record.SetTimestamp(time.Unix(1_700_000_000, int64(number)))
	record.SetSeverity(log.SeverityWarn)
	record.SetSeverityText("WARNING")
	record.SetBody(attribute.StringValue(fmt.Sprintf("cache miss for item %d", number)))
	record.AddAttributes(
		attribute.Int("item", number),
		attribute.KeyValue{Key: "nested", Value: attribute.MapValue(
			attribute.KeyValue{Key: "a", Value: attribute.SliceValue(attribute.IntValue(1), attribute.StringValue("two"))},
			attribute.KeyValue{Key: "raw", Value: attribute.ByteSliceValue([]byte{0, 255})},
		)},
	)
	logger.Emit(inner, record)
	if number%7 == 0 {
		child.RecordError(errors.New("no item"))
		child.SetStatus(codes.Error, "no such item")
	}
	child.End()
	_, publish := tracer.Start(ctx, "publish", trace.WithSpanKind(trace.SpanKindProducer))
	publish.End()
	parent.SetStatus(codes.Ok, "")
	var event log.Record
	event.SetTimestamp(time.Unix(1_700_000_000, int64(number)))
	event.SetEventName("item.read")
	event.SetBody(attribute.MapValue(attribute.KeyValue{
		Key: "structured", Value: attribute.SliceValue(attribute.IntValue(1), attribute.Float64Value(2.5), attribute.BoolValue(true)),
	}))
	logger.Emit(context.Background(), event)
}

func run(protocol, address, compression string) error {
	ctx := context.Background()
	spans, err := traceExporter(ctx, protocol, address, compression)
	if err != nil {
		return err
	}
	logs, err := logExporter(ctx, protocol, address, compression)
	if err != nil {
		return err
	}
	about := resource.NewSchemaless(
		attribute.String("service.name", fmt.Sprintf("go %s %s", protocol, compression)), attribute.String("service.version", "1.2.3"), attribute.Int("n", 7),
	)
	keptSpans, kept := tracetest.NewInMemoryExporter(), &keptLogs{}
	tracers := sdktrace.NewTracerProvider(sdktrace.WithResource(about), sdktrace.WithBatcher(spans), sdktrace.WithSyncer(keptSpans))
	loggers := sdklog.NewLoggerProvider(sdklog.WithResource(about), sdklog.WithProcessor(sdklog.NewBatchProcessor(logs)),
		sdklog.WithProcessor(sdklog.NewSimpleProcessor(kept)))
	for number := range 100 {
		emit(ctx, tracers.Tracer("test.tracer", trace.WithInstrumentationVersion("0.1")), loggers.Logger("test.logger", log.WithInstrumentationVersion("0.2")), number)
	}
	if err := errors.Join(tracers.ForceFlush(ctx), loggers.ForceFlush(ctx)); err != nil {
		return err
	}
	emitted := []any{}
	for _, s := range keptSpans.GetSpans() {
		emitted = append(emitted, spanObject(s))
	}
	if err := json.NewEncoder(os.Stdout).Encode(object{"spans": emitted, "logs": kept.logs}); err != nil {
		return err
	}
	return errors.Join(tracers.Shutdown(ctx), loggers.Shutdown(ctx))
}

func main() {
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
