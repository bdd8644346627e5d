//! Settings and first steps per language and tool.

/// The variables that every SDK reads.
pub(super) fn environment(grpc: &str, http: &str) -> String {
    let (endpoint, protocol) = preferred(grpc, http);
    format!(
        "export OTEL_EXPORTER_OTLP_ENDPOINT={endpoint}\nexport OTEL_EXPORTER_OTLP_PROTOCOL={protocol}\nexport OTEL_SERVICE_NAME=my-service\nexport OTEL_METRICS_EXPORTER=none"
    )
}

/// Title and text, each whole by itself: with where to send, how, and under which name. `is_local` says that the receivers listen on their own
/// machine only, which containers and pods do not reach.
pub(super) fn languages(grpc: &str, http: &str, is_local: bool) -> Vec<(&'static str, String)> {
    let (endpoint, protocol) = preferred(grpc, http);
    let settings = environment(grpc, http);
    let language = |(title, over_http, over_grpc): &(&'static str, &str, &str)| {
        let steps = if http.is_empty() && !over_grpc.is_empty() { over_grpc } else { over_http };
        (*title, format!("{settings}\n{steps}"))
    };
    let mut recipes: Vec<(&'static str, String)> = CODE.iter().map(language).collect();
    recipes.push(("OpenTelemetry Collector", collector(grpc, http)));
    let inside = ["//localhost:", "//127.0.0.1:", "//[::1]:"]
        .iter()
        .fold(endpoint.to_owned(), |at, here| at.replace(here, "//host.docker.internal:"));
    let reach = if is_local { REACH } else { "" };
    recipes.push((
        "Docker Compose",
        format!(
            "{reach}services:\n  my-service:\n    environment:\n      OTEL_EXPORTER_OTLP_ENDPOINT: {inside}\n      OTEL_EXPORTER_OTLP_PROTOCOL: {protocol}\n      OTEL_SERVICE_NAME: my-service\n    extra_hosts: [\"host.docker.internal:host-gateway\"]"
        ),
    ));
    recipes.push((
        "Kubernetes",
        format!(
            "{reach}# in the container of your Deployment; the address must be one that pods reach\nenv:\n  - {{name: OTEL_EXPORTER_OTLP_ENDPOINT, value: \"{endpoint}\"}}\n  - {{name: OTEL_EXPORTER_OTLP_PROTOCOL, value: \"{protocol}\"}}\n  - {{name: OTEL_SERVICE_NAME, value: \"my-service\"}}"
        ),
    ));
    recipes.push(("The sample shop", "throughline --demo".to_owned()));
    recipes
}

/// What containers need and a receiver of one machine does not give.
const REACH: &str = "# Containers reach this Throughline once it listens on every network: start it with --listen-all,\n\
    # or with THROUGHLINE_LISTEN_ALL=true in its environment. Its own image does so by itself.\n";

fn preferred<'a>(grpc: &'a str, http: &'a str) -> (&'a str, &'static str) {
    if http.is_empty() { (grpc, "grpc") } else { (http, "http/protobuf") }
}

fn collector(grpc: &str, http: &str) -> String {
    let (exporter, endpoint) = if grpc.is_empty() { ("otlphttp", http) } else { ("otlp", grpc.trim_start_matches("http://")) };
    format!(
        "exporters:\n  {exporter}/throughline:\n    endpoint: {endpoint}\n    tls:\n      insecure: true\nservice:\n  pipelines:\n    traces:\n      exporters: [{exporter}/throughline]\n    logs:\n      exporters: [{exporter}/throughline]"
    )
}

/// Title, and what is done once the variables of [`environment`] are set: where OTLP/HTTP is taken in, and where only gRPC is; empty where that is
/// the same.
const CODE: [(&str, &str, &str); 8] = [
    (
        "Python",
        "export OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED=true   # logs too\npip install opentelemetry-distro opentelemetry-exporter-otlp\nopentelemetry-bootstrap -a install\nopentelemetry-instrument python app.py",
        "",
    ),
    (
        "Node",
        "npm install @opentelemetry/api @opentelemetry/auto-instrumentations-node\nnode --require @opentelemetry/auto-instrumentations-node/register app.js",
        "",
    ),
    ("Java", "java -javaagent:opentelemetry-javaagent.jar -jar app.jar", ""),
    (
        "Go",
        "go get go.opentelemetry.io/otel/sdk go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp\n\n// in main; the exporter reads the variables above\nexporter, err := otlptracehttp.New(ctx)\nif err != nil { log.Fatal(err) }\nprovider := trace.NewTracerProvider(trace.WithBatcher(exporter))\ndefer provider.Shutdown(ctx)\notel.SetTracerProvider(provider)",
        "go get go.opentelemetry.io/otel/sdk go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc\n\n// in main; the exporter reads the variables above\nexporter, err := otlptracegrpc.New(ctx)\nif err != nil { log.Fatal(err) }\nprovider := trace.NewTracerProvider(trace.WithBatcher(exporter))\ndefer provider.Shutdown(ctx)\notel.SetTracerProvider(provider)",
    ),
    (
        ".NET",
        "dotnet add package OpenTelemetry.Extensions.Hosting\ndotnet add package OpenTelemetry.Instrumentation.AspNetCore\ndotnet add package OpenTelemetry.Exporter.OpenTelemetryProtocol\n\n// in Program.cs; the exporter reads the variables above\nbuilder.Services.AddOpenTelemetry()\n    .WithTracing(tracing => tracing.AddAspNetCoreInstrumentation())\n    .WithLogging()\n    .UseOtlpExporter();",
        "",
    ),
    (
        "Rust",
        "cargo add opentelemetry opentelemetry_sdk opentelemetry-otlp\n\n// in main; the exporter reads the variables above\nlet exporter = opentelemetry_otlp::SpanExporter::builder().with_http().build()?;\nlet provider = opentelemetry_sdk::trace::SdkTracerProvider::builder().with_batch_exporter(exporter).build();\nopentelemetry::global::set_tracer_provider(provider.clone());",
        "cargo add opentelemetry opentelemetry_sdk\ncargo add opentelemetry-otlp --features grpc-tonic\n\n// in main; the exporter reads the variables above\nlet exporter = opentelemetry_otlp::SpanExporter::builder().with_tonic().build()?;\nlet provider = opentelemetry_sdk::trace::SdkTracerProvider::builder().with_batch_exporter(exporter).build();\nopentelemetry::global::set_tracer_provider(provider.clone());",
    ),
    (
        "Ruby",
        "bundle add opentelemetry-sdk opentelemetry-exporter-otlp opentelemetry-instrumentation-all\n\n# before the application starts\nrequire \"opentelemetry/sdk\"\nrequire \"opentelemetry/exporter/otlp\"\nrequire \"opentelemetry/instrumentation/all\"\nOpenTelemetry::SDK.configure(&:use_all)",
        "# The exporter of Ruby speaks OTLP/HTTP alone, which is off here: start Throughline without turning it off.",
    ),
    (
        "PHP",
        "pecl install opentelemetry\ncomposer require open-telemetry/sdk open-telemetry/exporter-otlp\nexport OTEL_PHP_AUTOLOAD_ENABLED=true\nphp -S localhost:8080",
        "pecl install opentelemetry grpc\ncomposer require open-telemetry/sdk open-telemetry/exporter-otlp open-telemetry/transport-grpc\nexport OTEL_PHP_AUTOLOAD_ENABLED=true\nphp -S localhost:8080",
    ),
];
