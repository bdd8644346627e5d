//! Puts records with equal resource and equal scope together.

use std::collections::HashMap;
use std::sync::Arc;

use storage::{Resource, Scope};

use super::{resource_content, scope_content};
use crate::distinct::Distinct;

/// Records of one resource, by scope, in the order of their first record.
pub(super) type Group<'a, T> = (&'a Resource, Vec<(&'a Scope, Vec<&'a T>)>);

pub(super) fn group<'a, T>(records: impl Iterator<Item = (&'a Arc<Resource>, &'a Arc<Scope>, &'a T)>) -> Vec<Group<'a, T>> {
    let mut resources = Distinct::new(resource_content);
    let mut scopes = Distinct::new(scope_content);
    let mut places: HashMap<(usize, usize), usize> = HashMap::new();
    let mut groups: Vec<Group<'a, T>> = Vec::new();
    for (resource, scope, record) in records {
        let outer = resources.number(resource);
        let scope_number = scopes.number(scope);
        if outer == groups.len() {
            groups.push((resource, Vec::new()));
        }
        let Some((_, of_resource)) = groups.get_mut(outer) else { continue };
        let inner = *places.entry((outer, scope_number)).or_insert(of_resource.len());
        if inner == of_resource.len() {
            of_resource.push((scope, Vec::new()));
        }
        if let Some((_, records)) = of_resource.get_mut(inner) {
            records.push(record);
        }
    }
    groups
}
