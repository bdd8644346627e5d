//! Attribute names that mean the same: the current semantic convention and what older instrumentation still sends.

/// Names with one meaning, the current one first. From the registry of semantic conventions 1.44; only pure renames, whose values need no
/// translation to be compared.
const GROUPS: [&[&str]; 57] = [
    &["service.peer.name", "peer.service"],
    &["deployment.environment.name", "deployment.environment"],
    &["http.request.method", "http.method"],
    &["http.response.status_code", "http.status_code"],
    &["http.request.body.size", "http.request_content_length"],
    &["http.response.body.size", "http.response_content_length"],
    &["http.request.resend_count", "http.resend_count"],
    &["url.full", "http.url"],
    &["url.scheme", "http.scheme"],
    &["url.path", "http.target"],
    &["user_agent.original", "http.user_agent"],
    &["client.address", "http.client_ip"],
    &["server.address", "net.peer.name", "net.host.name", "http.server_name", "http.host"],
    &["server.port", "net.peer.port", "net.host.port"],
    &["network.peer.address", "net.sock.peer.addr", "net.peer.ip"],
    &["network.peer.port", "net.sock.peer.port"],
    &["network.local.address", "net.sock.host.addr", "net.host.ip"],
    &["network.local.port", "net.sock.host.port"],
    &["network.protocol.name", "net.protocol.name"],
    &["network.protocol.version", "net.protocol.version", "http.flavor"],
    &["network.transport", "net.transport"],
    &["rpc.system.name", "rpc.system"],
    &["rpc.response.status_code", "rpc.grpc.status_code"],
    &["db.system.name", "db.system"],
    &["db.namespace", "db.name"],
    &["db.collection.name", "db.sql.table", "db.mongodb.collection", "db.cassandra.table", "db.cosmosdb.container"],
    &["db.operation.name", "db.operation"],
    &["db.query.text", "db.statement"],
    &["messaging.destination.name", "messaging.destination"],
    &["messaging.operation.type", "messaging.operation"],
    &["messaging.consumer.group.name", "messaging.kafka.consumer.group", "messaging.consumer_id"],
    &["messaging.destination.partition.id", "messaging.kafka.destination.partition"],
    &["messaging.kafka.offset", "messaging.kafka.message.offset"],
    &["messaging.client.id", "messaging.client_id"],
    &["messaging.message.id", "messaging.message_id"],
    &["code.function.name", "code.function"],
    &["code.file.path", "code.filepath"],
    &["code.line.number", "code.lineno"],
    &["code.column.number", "code.column"],
    &["container.image.tags", "container.image.tag"],
    &["cloud.resource_id", "faas.id"],
    &["faas.invocation_id", "faas.execution"],
    &["gen_ai.provider.name", "gen_ai.system"],
    &["gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"],
    &["gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"],
    &["gen_ai.input.messages", "gen_ai.prompt"],
    &["gen_ai.output.messages", "gen_ai.completion"],
    &["user.id", "enduser.id"],
    &["feature_flag.provider.name", "feature_flag.provider_name"],
    &["feature_flag.result.variant", "feature_flag.variant", "feature_flag.evaluation.variant"],
    &["feature_flag.result.reason", "feature_flag.evaluation.reason"],
    &["otel.scope.name", "otel.library.name"],
    &["otel.scope.version", "otel.library.version"],
    &["error.message", "error.msg"],
    &["system.cpu.logical_number", "cpu.logical_number"],
    &["telemetry.distro.version", "telemetry.auto.version"],
    &["process.executable.name", "process.name"],
];

/// All names under which `key` may have been sent, itself first.
pub(crate) fn equivalents(key: &str) -> Vec<String> {
    let mut names = vec![key.to_owned()];
    if let Some(group) = GROUPS.iter().find(|group| group.contains(&key)) {
        names.extend(group.iter().filter(|name| **name != key).map(|name| (*name).to_owned()));
    }
    names
}
