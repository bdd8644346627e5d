//! Resources and scopes from their encoded envelopes, each decoded once per call.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::BinaryViewArray;

use crate::model::{Resource, Scope};
use crate::otlp::wire::{Blob, Cursor, WireError};
use crate::schema::{ColumnError, column};

use super::columns::Columns;
use super::value::{Budget, key_value, text};

/// The envelope columns of a batch, and what was decoded of them.
#[derive(Debug)]
pub(super) struct Envelopes<'a> {
    resource: &'a BinaryViewArray,
    scope: &'a BinaryViewArray,
    resources: HashMap<&'a [u8], Arc<Resource>>,
    scopes: HashMap<&'a [u8], Arc<Scope>>,
}

impl<'a> Envelopes<'a> {
    pub(super) fn new(columns: &Columns<'a>) -> Result<Self, ColumnError> {
        Ok(Self {
            resource: columns.binary(column::RESOURCE)?,
            scope: columns.binary(column::SCOPE)?,
            resources: HashMap::new(),
            scopes: HashMap::new(),
        })
    }

    pub(super) fn resource(&mut self, row: usize) -> Arc<Resource> {
        let bytes = self.resource.value(row);
        Arc::clone(self.resources.entry(bytes).or_insert_with(|| Arc::new(resource(bytes))))
    }

    pub(super) fn scope(&mut self, row: usize) -> Arc<Scope> {
        let bytes = self.scope.value(row);
        Arc::clone(self.scopes.entry(bytes).or_insert_with(|| Arc::new(scope(bytes))))
    }
}

/// Decodes the column `resource`.
pub(crate) fn resource(bytes: &[u8]) -> Resource {
    let mut resource = Resource::default();
    let _ = read_resource(bytes, &mut resource);
    resource
}

/// Decodes the column `scope`.
pub(crate) fn scope(bytes: &[u8]) -> Scope {
    let mut scope = Scope::default();
    let _ = read_scope(bytes, &mut scope);
    scope
}

fn read_resource(bytes: &[u8], resource: &mut Resource) -> Result<(), WireError> {
    let mut envelope = Cursor::new("ResourceSpans", Blob::whole(bytes));
    while let Some(field) = envelope.next()? {
        match field.number {
            1 => {
                let mut cursor = Cursor::new("Resource", field.blob()?);
                while let Some(field) = cursor.next()? {
                    match field.number {
                        1 => resource.attributes.push(key_value(field.blob()?, &mut Budget::new())?),
                        2 => resource.dropped_attributes_count = field.uint32()?,
                        3 => resource.entity_refs.push(field.blob()?.bytes.to_vec()),
                        _ => {}
                    }
                }
            }
            3 => resource.schema_url = text(&field)?,
            _ => {}
        }
    }
    Ok(())
}

fn read_scope(bytes: &[u8], scope: &mut Scope) -> Result<(), WireError> {
    let mut envelope = Cursor::new("ScopeSpans", Blob::whole(bytes));
    while let Some(field) = envelope.next()? {
        match field.number {
            1 => {
                let mut cursor = Cursor::new("InstrumentationScope", field.blob()?);
                while let Some(field) = cursor.next()? {
                    match field.number {
                        1 => scope.name = text(&field)?,
                        2 => scope.version = text(&field)?,
                        3 => scope.attributes.push(key_value(field.blob()?, &mut Budget::new())?),
                        4 => scope.dropped_attributes_count = field.uint32()?,
                        _ => {}
                    }
                }
            }
            3 => scope.schema_url = text(&field)?,
            _ => {}
        }
    }
    Ok(())
}
