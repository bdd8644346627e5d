//! Who is in the shop: its services, the hosts they run on, and the resource each instance reports.

use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;

use crate::value::pair;

/// A service of the shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Service {
    Gateway,
    Users,
    Catalog,
    Cart,
    Orders,
    Payment,
    Shipping,
    Email,
    Analytics,
}

/// One running instance of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Member {
    pub(crate) service: Service,
    pub(crate) instance: u8,
}

/// What is fixed about a service.
#[derive(Debug)]
pub(crate) struct Profile {
    pub(crate) name: &'static str,
    version: &'static str,
    language: &'static str,
    sdk_version: &'static str,
    scope: &'static str,
    scope_version: &'static str,
    host: &'static str,
    pub(crate) port: u16,
    pub(crate) instances: u8,
    /// How far the host's clock is from the true time, in nanoseconds.
    pub(crate) skew_nanos: i64,
}

// === impl Service ===

impl Service {
    pub(crate) const ALL: [Self; 9] =
        [Self::Gateway, Self::Users, Self::Catalog, Self::Cart, Self::Orders, Self::Payment, Self::Shipping, Self::Email, Self::Analytics];

    pub(crate) fn profile(self) -> &'static Profile {
        match self {
            Self::Gateway => &GATEWAY,
            Self::Users => &USERS,
            Self::Catalog => &CATALOG,
            Self::Cart => &CART,
            Self::Orders => &ORDERS,
            Self::Payment => &PAYMENT,
            Self::Shipping => &SHIPPING,
            Self::Email => &EMAIL,
            Self::Analytics => &ANALYTICS,
        }
    }
}

// === impl Member ===

impl Member {
    /// The pod, which is also the instance id.
    pub(crate) fn pod(self) -> String {
        let profile = self.service.profile();
        // The suffixes look as Kubernetes makes them, and are the same on every run.
        let mixed = (u64::from(profile.port) << 8 | u64::from(self.instance)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        format!("{}-{:08x}-{:05x}", profile.name, mixed >> 32, mixed & 0xf_ffff)
    }

    /// What every record of this instance is reported under.
    pub(crate) fn resource(self) -> Resource {
        let profile = self.service.profile();
        let pod = self.pod();
        let attributes = vec![
            pair("service.name", profile.name),
            pair("service.namespace", "shop"),
            pair("service.version", profile.version),
            pair("service.instance.id", pod.as_str()),
            pair("deployment.environment.name", "demo"),
            pair("host.name", profile.host),
            pair("k8s.cluster.name", "shop-demo"),
            pair("k8s.namespace.name", "shop"),
            pair("k8s.deployment.name", profile.name),
            pair("k8s.pod.name", pod),
            pair("k8s.node.name", profile.host),
            pair("telemetry.sdk.language", profile.language),
            pair("telemetry.sdk.name", "opentelemetry"),
            pair("telemetry.sdk.version", profile.sdk_version),
        ];
        Resource { attributes, ..Resource::default() }
    }

    /// The library that reports.
    pub(crate) fn scope(self) -> InstrumentationScope {
        let profile = self.service.profile();
        InstrumentationScope {
            name: profile.scope.to_owned(),
            version: profile.scope_version.to_owned(),
            ..InstrumentationScope::default()
        }
    }
}

const GATEWAY: Profile = Profile {
    name: "gateway",
    version: "3.8.1",
    language: "go",
    sdk_version: "1.43.0",
    scope: "go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp",
    scope_version: "0.68.0",
    host: "host-a",
    port: 8080,
    instances: 2,
    skew_nanos: 0,
};

const USERS: Profile = Profile {
    name: "users",
    version: "1.19.0",
    language: "python",
    sdk_version: "1.41.0",
    scope: "opentelemetry.instrumentation.grpc",
    scope_version: "0.62b0",
    host: "host-c",
    port: 9001,
    instances: 1,
    skew_nanos: 0,
};

const CATALOG: Profile = Profile {
    name: "catalog",
    version: "2.4.0",
    language: "nodejs",
    sdk_version: "2.6.1",
    scope: "@opentelemetry/instrumentation-http",
    scope_version: "0.214.0",
    host: "host-c",
    port: 8082,
    instances: 2,
    skew_nanos: 0,
};

const CART: Profile = Profile {
    name: "cart",
    version: "0.9.7",
    language: "rust",
    sdk_version: "0.33.0",
    scope: "cart::http",
    scope_version: "0.9.7",
    host: "host-a",
    port: 8083,
    instances: 1,
    skew_nanos: 0,
};

const ORDERS: Profile = Profile {
    name: "orders",
    version: "5.2.3",
    language: "java",
    sdk_version: "1.61.0",
    scope: "io.opentelemetry.tomcat-10.0",
    scope_version: "2.27.0-alpha",
    host: "host-d",
    port: 8084,
    instances: 2,
    skew_nanos: 0,
};

const PAYMENT: Profile = Profile {
    name: "payment",
    version: "4.0.11",
    language: "java",
    sdk_version: "1.61.0",
    scope: "io.opentelemetry.grpc-1.6",
    scope_version: "2.27.0-alpha",
    host: "host-d",
    port: 9005,
    instances: 1,
    skew_nanos: 0,
};

const SHIPPING: Profile = Profile {
    name: "shipping",
    version: "1.3.5",
    language: "python",
    sdk_version: "1.41.0",
    scope: "opentelemetry.instrumentation.fastapi",
    scope_version: "0.62b0",
    host: "host-b",
    port: 8086,
    instances: 1,
    // This host has lost its time server: its spans seem to begin before the calls that cause them. Only orders call it, so most traces
    // have clocks that agree.
    skew_nanos: -18_000_000,
};

const EMAIL: Profile = Profile {
    name: "email",
    version: "1.0.2",
    language: "ruby",
    sdk_version: "1.11.0",
    scope: "OpenTelemetry::Instrumentation::Rdkafka",
    scope_version: "0.10.0",
    host: "host-c",
    port: 8087,
    instances: 1,
    skew_nanos: 0,
};

const ANALYTICS: Profile = Profile {
    name: "analytics",
    version: "0.6.0",
    language: "python",
    sdk_version: "1.41.0",
    scope: "opentelemetry.instrumentation.confluent_kafka",
    scope_version: "0.62b0",
    host: "host-d",
    port: 8088,
    instances: 1,
    skew_nanos: 0,
};
