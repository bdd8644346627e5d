//! Which of the services a list shows: those of a namespace, or of an environment.

use std::collections::HashSet;

use storage::{QueryError, Signal, Store, TimeRange};

use super::super::Visit;
use super::offered::offered;
use crate::view::format;
use crate::view::link::{Address, term};
use crate::view::services::Choice;

/// What the address asks for, and what there is to choose from.
#[derive(Debug, Default)]
pub(super) struct Part {
    /// The chosen services; `None` when all are shown.
    names: Option<HashSet<String>>,
    /// What the names of services and systems must hold, in small letters; empty for anything.
    held: String,
    /// The same as it was written.
    pub(super) name: String,
    pub(super) choices: Vec<Choice>,
    /// The list of the chosen services, in its first order.
    pub(super) page: Address,
    pub(super) notes: Vec<String>,
}

/// Heading, parameter and field.
pub(super) const FIELDS: [(&str, &str, &str); 2] =
    [("Namespace", "namespace", "resource.service.namespace"), ("Environment", "env", "resource.deployment.environment.name")];

/// Services that may be chosen together.
const MAX_SERVICES: usize = 1_000;

impl Part {
    pub(super) async fn read(visit: &Visit, range: TimeRange) -> Self {
        let store = visit.state.store();
        let chosen: Vec<(&str, &str, &str)> =
            FIELDS.iter().filter_map(|(_, param, field)| Some((*param, *field, visit.params.get(param)?))).collect();
        let (offered, names) = tokio::join!(offered(&visit.state, range), named(store, range, &chosen));
        let links = visit.links();
        let text = |name: &str| visit.params.get(name).unwrap_or_default();
        let name = text("name").trim();
        let page = chosen.iter().fold(links.windowed("/services").with("name", name), |page, (param, _, value)| page.with(param, value));
        let mut part = Self { page, held: name.to_lowercase(), name: name.to_owned(), ..Self::default() };
        let list = links.windowed("/services").with("sort", text("sort")).with("systems", text("systems")).with("name", name);
        for ((title, param, _), values) in FIELDS.iter().zip(offered.iter()) {
            let present = chosen.iter().find(|(known, ..)| known == param).map(|(.., value)| *value);
            part.choices.extend(choice(title, param, values, (present, &chosen), &list));
        }
        match names {
            Ok(names) => part.names = names,
            Err(error) => part.notes.push(format!("all services are shown: {error}")),
        }
        part
    }

    /// Whether a service is of the chosen namespace and environment.
    pub(super) fn holds(&self, service: &str) -> bool {
        self.names.as_ref().is_none_or(|names| names.contains(service))
    }

    /// Whether a name holds what is looked for.
    pub(super) fn is_named(&self, name: &str) -> bool {
        self.held.is_empty() || name.to_lowercase().contains(&self.held)
    }
}

async fn named(store: &Store, range: TimeRange, chosen: &[(&str, &str, &str)]) -> Result<Option<HashSet<String>>, QueryError> {
    if chosen.is_empty() {
        return Ok(None);
    }
    let query = chosen.iter().map(|(_, field, value)| term(field, value)).collect::<Vec<_>>().join(" ");
    let found = store.facets(Signal::Traces, &query, range, "service", MAX_SERVICES).await?;
    Ok(Some(found.values.into_iter().map(|(name, _)| name).collect()))
}

/// Nothing where there is nothing to choose between.
fn choice(
    title: &'static str,
    param: &str,
    values: &[String],
    (present, chosen): (Option<&str>, &[(&str, &str, &str)]),
    list: &Address,
) -> Option<Choice> {
    if values.is_empty() || (values.len() == 1 && present.is_none()) {
        return None;
    }
    let others = chosen.iter().filter(|(known, ..)| *known != param);
    let page = others.fold(list.clone(), |page, (known, _, value)| page.with(known, value));
    let mut words = vec![("all".to_owned(), page.href(), present.is_none())];
    words.extend(values.iter().map(|value| (format::line(value, 40), page.clone().with(param, value).href(), present == Some(value))));
    Some(Choice { title, words })
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use storage::Signal;

    use crate::harness::{App, in_namespaces};

    #[tokio::test(flavor = "multi_thread")]
    async fn services_are_listed_by_namespace() {
        let app = App::empty().await;
        app.append(Signal::Traces, in_namespaces(&[("cart", "shop"), ("pay", "shop"), ("backup", "infra")]).encode_to_vec()).await;
        let listed = async |path: &str| {
            let page = app.get(path).await.text();
            ["cart", "pay", "backup"].into_iter().filter(|name| page.contains(&format!("href=\"/services/{name}"))).collect::<Vec<_>>()
        };
        assert_eq!(listed("/services?from=0").await, ["cart", "pay", "backup"]);
        assert_eq!(listed("/services?from=0&namespace=shop").await, ["cart", "pay"]);
        assert_eq!(listed("/services?from=0&namespace=infra").await, ["backup"]);
        let sorted = app.get("/services?from=0&namespace=shop&sort=name").await.text();
        assert!(sorted.contains("/services?from=0&#38;namespace=shop&#38;sort=p95#order"), "an order keeps what is chosen: {sorted}");
        assert!(sorted.contains("/services?from=0&#38;sort=name&#38;namespace=infra"), "a choice keeps the order: {sorted}");
        let place = |name: &str| sorted.find(&format!("href=\"/services/{name}")).unwrap();
        assert!(place("cart") < place("pay"), "{sorted}");
        let page = app.get("/services?from=0&namespace=shop").await.text();
        assert!(page.contains("/services?from=0&#38;namespace=infra") && !page.contains(">Environment"), "{page}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn services_are_listed_by_what_their_names_hold() {
        let app = App::empty().await;
        app.append(Signal::Traces, in_namespaces(&[("cart", "shop"), ("pay", "shop"), ("backup", "infra")]).encode_to_vec()).await;
        let told = async |path: &str| {
            let page = app.get(path).await.text().replace('\u{a0}', " ");
            let listed =
                ["cart", "pay", "backup"].into_iter().filter(|name| page.contains(&format!("href=\"/services/{name}"))).collect::<Vec<_>>();
            (listed, page)
        };
        let (listed, page) = told("/services?from=0&name=+CA+&sort=name").await;
        assert_eq!(listed, ["cart"]);
        assert!(page.contains("1 of 3 services"), "{page}");
        assert!(
            page.contains("name=\"sort\" value=\"name\"") && page.contains("name=\"name\" value=\"CA\""),
            "the form keeps the order: {page}"
        );
        let (_, both) = told("/services?from=0&name=A&namespace=shop").await;
        assert!(both.contains("/services?from=0&#38;name=A&#38;namespace=shop&#38;sort=p95#order"), "an order keeps the name: {both}");
        assert!(page.contains("/services?from=0&#38;sort=name&#38;name=CA&#38;namespace=infra"), "a choice keeps it: {page}");
        assert_eq!(told("/services?from=0&name=a&namespace=shop").await.0, ["cart", "pay"]);
        let (listed, page) = told("/services?from=0&name=%3Cb%3E").await;
        assert!(listed.is_empty() && page.contains("None of the 3 services of this window has “&#60;b&#62;” in its name."), "{page}");
        assert!(page.contains("href=\"/services?from=0\">All services"), "{page}");
    }
}
