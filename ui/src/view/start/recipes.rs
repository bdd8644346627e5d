//! Settings and first steps per language and tool.

/// The variables that every SDK reads.
pub(super) fn environment(grpc: &str, http: &str) -> String {
    let (endpoint, protocol) = preferred(grpc, http);
    format!(
        "export OTEL_EXPORTER_OTLP_ENDPOINT={endpoint}\nexport OTEL_EXPORTER_OTLP_PROTOCOL={protocol}\nexport OTEL_SERVICE_NAME=my-service\nexport OTEL_METRICS_EXPORTER=none"
    )
}

/// Title and text. The variables of [`environment`] are set besides, where a recipe does not set them itself.
pub(super) fn languages(grpc: &str, http: &str) -> Vec<(&'static str, String)> {
    let (endpoint, protocol) = preferred(grpc, http);
    let mut recipes: Vec<(&'static str, String)> = CODE.iter().map(|(title, text)| (*title, (*text).to_owned())).collect();
    recipes.push(("OpenTelemetry Collector", collector(grpc, http)));
    let inside = endpoint.replace("//localhost:", "//host.docker.internal:");
    recipes.push((
        "Docker Compose",
        format!(
            "services:\n  my-service:\n    environment:\n      OTEL_EXPORTER_OTLP_ENDPOINT: {inside}\n      OTEL_EXPORTER_OTLP_PROTOCOL: {protocol}\n      OTEL_SERVICE_NAME: my-service\n    extra_hosts: [\"host.docker.internal:host-gateway\"]"
        ),
    ));
    recipes.push((
        "Kubernetes",
        format!(
            "# in the container of your Deployment; the address must be one that pods reach\nenv:\n  - {{name: OTEL_EXPORTER_OTLP_ENDPOINT, value: \"{endpoint}\"}}\n  - {{name: OTEL_EXPORTER_OTLP_PROTOCOL, value: \"{protocol}\"}}\n  - {{name: OTEL_SERVICE_NAME, value: \"my-service\"}}"
        ),
    ));
    recipes.push(("The sample shop", "throughline --demo".to_owned()));
    recipes
}

fn preferred<'a>(grpc: &'a str, http: &'a str) -> (&'a str, &'static str) {
    if http.is_empty() { (grpc, "grpc") } else { (http, "http/protobuf") }
}

fn collector(grpc: &str, http: &str) -> String {
    let (exporter, endpoint) = if grpc.is_empty() { ("otlphttp", http) } else { ("otlp", grpc.trim_start_matches("http://")) };
    format!(
        "exporters:\n  {exporter}/throughline:\n    endpoint: {endpoint}\n    tls:\n      insecure: true\nservice:\n  pipelines:\n    traces:\n      exporters: [{exporter}/throughline]\n    logs:\n      exporters: [{exporter}/throughline]"
    )
}

const CODE: [(&str, &str); 8] = [
    (
        "Python",
        "pip install opentelemetry-distro opentelemetry-exporter-otlp\nopentelemetry-bootstrap -a install\nopentelemetry-instrument python app.py",
    ),
    (
        "Node",
        "npm install @opentelemetry/api @opentelemetry/auto-instrumentations-node\nnode --require @opentelemetry/auto-instrumentations-node/register app.js",
    ),
    ("Java", "java -javaagent:opentelemetry-javaagent.jar -jar app.jar"),
    (
        "Go",
        "go get go.opentelemetry.io/otel/sdk go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp\n\n// in main; the exporter reads the variables above\nexporter, err := otlptracehttp.New(ctx)\nif err != nil { log.Fatal(err) }\nprovider := trace.NewTracerProvider(trace.WithBatcher(exporter))\ndefer provider.Shutdown(ctx)\notel.SetTracerProvider(provider)",
    ),
    (
        ".NET",
        "dotnet add package OpenTelemetry.Extensions.Hosting\ndotnet add package OpenTelemetry.Instrumentation.AspNetCore\ndotnet add package OpenTelemetry.Exporter.OpenTelemetryProtocol\n\n// in Program.cs; the exporter reads the variables above\nbuilder.Services.AddOpenTelemetry()\n    .WithTracing(tracing => tracing.AddAspNetCoreInstrumentation())\n    .WithLogging()\n    .UseOtlpExporter();",
    ),
    (
        "Rust",
        "cargo add opentelemetry opentelemetry_sdk opentelemetry-otlp\n\n// in main; the exporter reads the variables above\nlet exporter = opentelemetry_otlp::SpanExporter::builder().with_http().build()?;\nlet provider = opentelemetry_sdk::trace::SdkTracerProvider::builder().with_batch_exporter(exporter).build();\nopentelemetry::global::set_tracer_provider(provider.clone());",
    ),
    (
        "Ruby",
        "bundle add opentelemetry-sdk opentelemetry-exporter-otlp opentelemetry-instrumentation-all\n\n# before the application starts\nrequire \"opentelemetry/sdk\"\nrequire \"opentelemetry/exporter/otlp\"\nrequire \"opentelemetry/instrumentation/all\"\nOpenTelemetry::SDK.configure(&:use_all)",
    ),
    (
        "PHP",
        "pecl install opentelemetry\ncomposer require open-telemetry/sdk open-telemetry/exporter-otlp\nexport OTEL_PHP_AUTOLOAD_ENABLED=true\nphp -S localhost:8080",
    ),
];
