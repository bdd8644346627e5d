//! The calls on an open file.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::files::File;

use super::node::SECTOR;
use super::{Simulated, State, Turn, stopped};

/// An open file of one process.
#[derive(Debug)]
pub(super) struct Handle {
    pub(super) disk: Arc<Simulated>,
    pub(super) node: usize,
    pub(super) epoch: u64,
    /// Whether it has the file locked.
    pub(super) holds: AtomicBool,
}

// === impl Handle ===

impl Handle {
    fn node<T>(&self, work: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.disk.state.lock();
        if state.stopped || state.epoch != self.epoch {
            return Err(stopped());
        }
        work(&mut state)
    }

    fn sync(&self) -> io::Result<()> {
        self.node(|state| match state.turn(false)? {
            Turn::Works => {
                state.nodes[self.node].sync();
                Ok(())
            }
            // What could not be written counts as written from now on, whether it was or not.
            Turn::Fails(error) => {
                state.nodes[self.node].give_up();
                Err(error)
            }
            Turn::Stops { done } => {
                if done {
                    state.nodes[self.node].sync();
                }
                Err(stopped())
            }
        })
    }
}

impl File for Handle {
    fn len(&self) -> io::Result<u64> {
        self.node(|state| Ok(state.nodes[self.node].live().len() as u64))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.node(|state| {
            let bytes = state.nodes[self.node].live();
            let start = bytes.len().min(usize::try_from(offset).unwrap());
            let length = buffer.len().min(bytes.len() - start);
            let sectors = offset / SECTOR as u64..(offset + length as u64).div_ceil(SECTOR as u64);
            if state.bad_sector.is_some_and(|(node, sector)| node == self.node && sectors.contains(&sector)) {
                return Err(io::Error::other("the sector cannot be read"));
            }
            buffer[..length].copy_from_slice(&bytes[start..start + length]);
            Ok(length)
        })
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        if self.read_at(buffer, offset)? < buffer.len() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.node(|state| {
            let end = offset + bytes.len() as u64;
            let grows = end > state.nodes[self.node].live().len() as u64;
            let turn = state.turn(grows)?;
            let part = usize::try_from(state.dice.below(bytes.len() as u64 + 1)).unwrap();
            let (written, result) = match turn {
                Turn::Works => (bytes.len(), Ok(())),
                Turn::Fails(error) => (part, Err(error)),
                Turn::Stops { done } => (if done { bytes.len() } else { part }, Err(stopped())),
            };
            state.nodes[self.node].write(&bytes[..written], offset);
            result
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.node(|state| {
            state.whole(false, |state| {
                state.nodes[self.node].set_len(len);
                Ok(())
            })
        })
    }

    fn preallocate(&self, bytes: u64) -> io::Result<bool> {
        self.node(|state| {
            state.whole(true, |state| {
                let len = state.nodes[self.node].live().len() as u64;
                state.nodes[self.node].set_len(len.max(bytes));
                Ok(true)
            })
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.sync()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync()
    }

    fn try_lock(&self) -> io::Result<bool> {
        self.node(|state| {
            let locks = state.locked.insert(self.node);
            self.holds.fetch_or(locks, Ordering::Relaxed);
            Ok(locks)
        })
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut state = self.disk.state.lock();
        if state.epoch == self.epoch && self.holds.load(Ordering::Relaxed) {
            state.locked.remove(&self.node);
        }
    }
}
