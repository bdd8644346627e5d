//! What a segment knows of attributes: which keys and values there are, and in which rows.
//!
//! Three independent parts, each of which only ever says "certainly not here":
//!
//! - `attr.granules/<first row>` and `attr.directory` (`attributes/granules.rs`): per granule of [`GRANULE_ROWS`] rows, hashes of
//!   (owner, key) and of (owner, key, value);
//! - `attr.catalogue` (`attributes/catalogue.rs`): per owner, key and type how often, between which bounds, and frequent values;
//! - `attr.resources` (`attributes/resources.rs`): the different resources and the granules they occur in.
//!
//! Owners are the record itself, its events and links, its resource and its scope. Everything is bounded while it is built: a part that would grow beyond its
//! bound says so and is not asked. Knows nothing of queries.

use std::io;

use arrow::array::RecordBatch;

mod catalogue;
mod granules;
mod hash;
mod resources;
mod walk;

#[cfg(test)]
mod tests;

pub(crate) use self::catalogue::{Catalogue, Entry, Kind};
pub(crate) use self::hash::{Owner, Scalar, bytes_hash, key_hash, value_hash};
pub(crate) use self::resources::Resources;

use self::granules::{Directory, Granules};
use super::RowRanges;
use super::bundle::{Bundle, BundleWriter, damaged};
use super::file::SharedFile;

/// Rows of a granule, but for the last one of a chunk: as many as a page of spans has.
pub(crate) const GRANULE_ROWS: u32 = 4_096;

pub(super) const CATALOGUE: &str = "attr.catalogue";
const RESOURCES: &str = "attr.resources";

/// Collects attributes while rows are written in order.
#[derive(Debug, Default)]
pub(super) struct AttributesBuilder {
    /// Rows of the current granule.
    begun: u32,
    granules: granules::Builder,
    catalogue: catalogue::Builder,
    resources: resources::Builder,
    scopes: resources::Builder,
    /// What other segments counted, in place of what is counted here.
    inherited: Option<(catalogue::Builder, resources::Builder)>,
}

/// The attribute indexes of an open segment; each part may be missing.
#[derive(Debug)]
pub(crate) struct AttributeIndex {
    file: SharedFile,
    directory: Option<Directory>,
    catalogue: Option<Catalogue>,
    resources: Option<Resources>,
}

// === impl AttributesBuilder ===

impl AttributesBuilder {
    /// For segments that are put one behind the other.
    pub(super) fn stacked() -> Self {
        Self { inherited: Some(Default::default()), ..Self::default() }
    }

    /// Adds up what a segment knows of all its rows, which begin at `first_row`. `None` when it lacks a part.
    pub(super) fn inherit(&mut self, index: &AttributeIndex, first_row: u32, rows: u32) -> Option<()> {
        let (catalogue, resources) = self.inherited.as_mut()?;
        catalogue.inherit(index.catalogue.as_ref()?);
        resources.inherit(index.resources.as_ref(), first_row, rows);
        index.directory.as_ref().map(|_| ())
    }

    /// Copies the filters of the chunk that begins at a row of another segment; the next rows are those of the chunk. `Ok(None)` when no
    /// chunk begins there.
    pub(super) fn copy(&mut self, index: &AttributeIndex, first_row: u32, bundle: &mut BundleWriter) -> io::Result<Option<()>> {
        let Some(directory) = &index.directory else { return Ok(None) };
        self.begun = 0;
        self.catalogue.next_granule();
        self.granules.copy(&Granules { file: &index.file, directory }, first_row, bundle)
    }

    /// Adds the next rows. `Ok(None)` when a column is missing or of another type.
    pub(super) fn push(&mut self, batch: &RecordBatch, bundle: &mut BundleWriter) -> io::Result<Option<()>> {
        let Some(columns) = walk::Columns::of(batch) else { return Ok(None) };
        let mut keys = walk::KnownKeys::default();
        let mut start = 0;
        while start < batch.num_rows() {
            let left = (GRANULE_ROWS - self.begun) as usize;
            let end = batch.num_rows().min(start + left);
            walk::record(&columns, start..end, &mut keys, &mut self.catalogue, &mut self.granules);
            walk::nested(&columns, start..end, &mut self.catalogue, &mut self.granules);
            let granule = self.catalogue.granule();
            self.resources.push(Owner::Resource, columns.resources, start..end, granule, &mut self.granules);
            self.scopes.push(Owner::Scope, columns.scopes, start..end, granule, &mut self.granules);
            let rows = u32::try_from(end - start).map_err(io::Error::other)?;
            self.granules.advance(rows);
            self.begun += rows;
            if self.begun == GRANULE_ROWS {
                self.begun = 0;
                self.catalogue.next_granule();
                self.granules.next_granule(bundle)?;
            }
            start = end;
        }
        Ok(Some(()))
    }

    /// Writes the blobs.
    pub(super) fn finish(mut self, bundle: &mut BundleWriter) -> io::Result<()> {
        self.granules.finish(bundle)?;
        if let Some((catalogue, resources)) = self.inherited {
            (self.catalogue, self.resources) = (catalogue, resources);
        } else {
            self.resources.describe(Owner::Resource, &mut self.catalogue);
            self.scopes.describe(Owner::Scope, &mut self.catalogue);
        }
        bundle.add(CATALOGUE, &serde_json::to_vec(&self.catalogue.finish())?)?;
        self.resources.finish().map_or(Ok(()), |blob| bundle.add(RESOURCES, &blob))
    }
}

// === impl AttributeIndex ===

impl AttributeIndex {
    /// What a bundle has of it. A part that is damaged is missing, and the first damage is returned beside.
    pub(super) fn open(bundle: &Bundle) -> (Self, Option<io::Error>) {
        let mut damage = None;
        let directory = usable(Directory::read(bundle), &mut damage);
        let catalogue = bundle.read(CATALOGUE).and_then(|blob| {
            let catalogue: Option<Catalogue> = blob.map(|blob| serde_json::from_slice(&blob)).transpose()?;
            match catalogue {
                Some(other) if other.version != catalogue::VERSION => Err(damaged("attr.catalogue is of another version")),
                catalogue => Ok(catalogue),
            }
        });
        let resources = bundle.read(RESOURCES).and_then(|blob| blob.map(|blob| Resources::read(&blob)).transpose());
        let index = Self {
            file: bundle.file().clone(),
            directory,
            catalogue: usable(catalogue, &mut damage),
            resources: usable(resources, &mut damage),
        };
        (index, damage)
    }

    /// Keys with what is known of their values.
    pub(crate) fn catalogue(&self) -> Option<&Catalogue> {
        self.catalogue.as_ref()
    }

    /// Whether an owner may have a key.
    pub(crate) fn may_have(&self, owner: Owner, key: &str) -> bool {
        let whole = self.catalogue.as_ref().filter(|catalogue| catalogue.is_complete(owner));
        whole.is_none_or(|catalogue| catalogue.entry(owner, key).is_some())
    }

    /// The different resources.
    pub(crate) fn resources(&self) -> Option<&Resources> {
        self.resources.as_ref()
    }

    /// Rows of the granules that may have a hash ([`key_hash`], [`value_hash`]); `None` when it is not known.
    pub(crate) fn rows(&self, hash: u64) -> io::Result<Option<RowRanges>> {
        self.directory.as_ref().map(|directory| Granules { file: &self.file, directory }.rows(hash)).transpose()
    }
}

fn usable<T>(read: io::Result<Option<T>>, damage: &mut Option<io::Error>) -> Option<T> {
    read.unwrap_or_else(|error| {
        damage.get_or_insert(error);
        None
    })
}
