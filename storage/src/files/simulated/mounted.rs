//! The calls that take a path.

use std::io;
use std::path::Path;
use std::sync::Arc;

use ulid::Ulid;

use crate::files::{File, FileSystem, Mode};

use super::handle::Handle;
use super::node::Node;
use super::{FIRST_ID_MS, Simulated};

/// The file system that a [`super::Place`] holds.
#[derive(Debug)]
pub(crate) struct Mounted(pub(crate) Arc<Simulated>);

// === impl Mounted ===

impl FileSystem for Mounted {
    fn open(&self, path: &Path, mode: Mode) -> io::Result<Arc<dyn File>> {
        let mut state = self.0.state.lock();
        let epoch = state.epoch;
        let found = state.file(path);
        let node = match (mode, found) {
            (Mode::Read | Mode::Write | Mode::Keep, Ok(node)) => node,
            (Mode::Create, Ok(node)) => state.whole(false, |state| {
                state.nodes[node].set_len(0);
                Ok(node)
            })?,
            (Mode::Create | Mode::Keep, Err(error)) if error.kind() == io::ErrorKind::NotFound => {
                state.folder(path.parent().unwrap())?;
                state.whole(true, |state| {
                    state.nodes.push(Node::file());
                    let node = state.nodes.len() - 1;
                    state.name(path, Some(node));
                    Ok(node)
                })?
            }
            (_, Err(error)) => return Err(error),
        };
        Ok(Arc::new(Handle { disk: self.0.clone(), node, epoch, holds: false.into() }))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let file = self.open(path, Mode::Read)?;
        let mut bytes = vec![0; usize::try_from(file.len()?).unwrap()];
        file.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.0.state.lock();
        let node = state.find(from)?;
        state.folder(to.parent().unwrap())?;
        state.whole(true, |state| {
            state.name(to, Some(node));
            state.name(from, None);
            state.move_inside(from, to);
            Ok(())
        })
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.0.state.lock();
        let node = state.file(from)?;
        state.folder(to.parent().unwrap())?;
        if state.find(to).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.whole(true, |state| {
            state.name(to, Some(node));
            Ok(())
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.0.state.lock();
        state.file(path)?;
        state.whole(false, |state| {
            state.name(path, None);
            Ok(())
        })
    }

    fn remove_all(&self, path: &Path) -> io::Result<()> {
        let node = self.0.state.lock().find(path)?;
        if !self.0.state.lock().nodes[node].is_folder() {
            return self.remove(path);
        }
        for name in self.names(path)? {
            self.remove_all(&path.join(name))?;
        }
        self.0.state.lock().whole(false, |state| {
            state.name(path, None);
            Ok(())
        })
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        let mut state = self.0.state.lock();
        state.folder(path.parent().unwrap())?;
        match state.folder(path) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => state.whole(true, |state| {
                state.nodes.push(Node::folder());
                let node = state.nodes.len() - 1;
                state.name(path, Some(node));
                Ok(())
            }),
            Err(error) => Err(error),
        }
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        let mut state = self.0.state.lock();
        state.folder(path)?;
        state.whole(false, |state| {
            for (_, versions) in state.names.iter_mut().filter(|(name, _)| name.parent() == Some(path)) {
                versions.drain(..versions.len() - 1);
            }
            state.names.retain(|_, versions| versions.as_slice() != [None]);
            Ok(())
        })
    }

    fn names(&self, path: &Path) -> io::Result<Vec<String>> {
        let state = self.0.state.lock();
        state.folder(path)?;
        let inside = state.names.iter().filter(|(name, versions)| name.parent() == Some(path) && versions.last() != Some(&None));
        Ok(inside.map(|(name, _)| name.file_name().unwrap().to_str().unwrap().to_owned()).collect())
    }

    fn is_there(&self, path: &Path) -> bool {
        self.0.state.lock().find(path).is_ok()
    }

    fn free_bytes(&self, _: &Path) -> io::Result<u64> {
        Ok(1 << 40)
    }

    fn fresh_id(&self) -> Ulid {
        let mut state = self.0.state.lock();
        state.ids += 1;
        let random = state.dice.roll();
        Ulid::from_parts(FIRST_ID_MS + state.ids, random.into())
    }

    fn ids_after(&self, id: Ulid) {
        let mut state = self.0.state.lock();
        state.ids = state.ids.max(id.timestamp_ms().saturating_sub(FIRST_ID_MS));
    }
}
