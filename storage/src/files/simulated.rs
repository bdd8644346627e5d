//! A disk made of memory, on which everything that may go wrong does so, by a seed.
//!
//! Owns what a power failure, a killed process, a full disk and a failing one leave of files and names; see `simulated/node.rs` for bytes.
//! Knows nothing of what the files hold.
//!
//! Every call that changes something is an *operation*, and operations are counted: faults are planned at a count, and the run stops
//! before, in the middle of or after any of them. A name has versions: the one that its folder was last synced with, and every later
//! one; a power failure leaves any of them. It is harsher than most file systems, which keep the order of such changes.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::segment::fixture::Dice;

mod handle;
mod mounted;
mod node;

pub(crate) use self::mounted::Mounted;
use self::node::{Node, SECTOR};

/// The disk. It outlives the processes that use it.
#[derive(Debug)]
pub(crate) struct Simulated {
    state: Mutex<State>,
}

/// What goes wrong, by the count of operations.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    /// At this operation the process or the machine stops.
    pub(crate) stop_at: Option<u64>,
    /// These operations fail with an error of the device.
    pub(crate) broken: Vec<u64>,
    /// During these operations there is no space left.
    pub(crate) full: Range<u64>,
}

/// What is on the disk, to go back to.
#[derive(Clone, Debug)]
pub(crate) struct Image(State);

#[derive(Clone, Debug)]
struct State {
    dice: Dice,
    /// By path, folders before what is in them. The first version is durable, the last one is what the process sees.
    names: BTreeMap<PathBuf, Vec<Option<usize>>>,
    nodes: Vec<Node>,
    plan: Plan,
    operations: u64,
    /// Nothing works until the next start.
    stopped: bool,
    /// Counts starts: handles of earlier ones are dead.
    epoch: u64,
    locked: BTreeSet<usize>,
    bad_sector: Option<(usize, u64)>,
    ids: u64,
}

/// What an operation does when its turn comes.
enum Turn {
    /// It works.
    Works,
    /// It fails, having done a part.
    Fails(io::Error),
    /// Everything stops; it is done or not.
    Stops { done: bool },
}

/// Ulids begin here, one millisecond each.
const FIRST_ID_MS: u64 = 1_700_000_000_000;

// === impl Simulated ===

impl Simulated {
    /// An empty disk.
    pub(crate) fn new(seed: u64) -> Arc<Self> {
        let state = State {
            dice: Dice(seed),
            names: BTreeMap::from([(PathBuf::from("/"), vec![Some(0)])]),
            nodes: vec![Node::folder()],
            plan: Plan::default(),
            operations: 0,
            stopped: false,
            epoch: 0,
            locked: BTreeSet::new(),
            bad_sector: None,
            ids: 0,
        };
        Arc::new(Self { state: Mutex::new(state) })
    }

    /// Operations so far.
    pub(crate) fn operations(&self) -> u64 {
        self.state.lock().operations
    }

    /// What goes wrong from now on.
    pub(crate) fn plan(&self, plan: Plan) {
        self.state.lock().plan = plan;
    }

    /// Whether everything has stopped.
    pub(crate) fn has_stopped(&self) -> bool {
        self.state.lock().stopped
    }

    /// Kills the process: what it wrote stays in the memory of the system, but for what a failed sync gave up.
    pub(crate) fn kill(&self) {
        self.state.lock().restart(false);
    }

    /// Cuts the power: what is not synced is there or not.
    pub(crate) fn power_failure(&self) {
        self.state.lock().restart(true);
    }

    /// Stops everything until [`Self::kill`] or [`Self::power_failure`].
    pub(crate) fn stop(&self) {
        self.state.lock().stopped = true;
    }

    /// All files with their lengths, by path.
    pub(crate) fn files(&self) -> Vec<(PathBuf, u64)> {
        let state = self.state.lock();
        let live = state.names.iter().filter_map(|(path, versions)| Some((path.clone(), (*versions.last()?)?)));
        live.filter(|(_, node)| !state.nodes[*node].is_folder()).map(|(path, node)| (path, state.nodes[node].live().len() as u64)).collect()
    }

    /// Everything as it is.
    pub(crate) fn image(&self) -> Image {
        Image(self.state.lock().clone())
    }

    /// Goes back to an image, but for the dice and the count of starts.
    pub(crate) fn restore(&self, image: &Image) {
        let mut state = self.state.lock();
        let (dice, epoch, operations) = (state.dice.clone(), state.epoch + 1, state.operations);
        *state = State { dice, epoch, operations, locked: BTreeSet::new(), bad_sector: None, ..image.0.clone() };
    }

    /// Turns one bit at rest.
    pub(crate) fn flip(&self, path: &Path, byte: u64, bit: u32) {
        let mut state = self.state.lock();
        let node = state.find(path).unwrap();
        state.nodes[node].damage(byte, bit);
    }

    /// Makes the sector of a byte unreadable until the next start.
    pub(crate) fn make_unreadable(&self, path: &Path, byte: u64) {
        let mut state = self.state.lock();
        let node = state.find(path).unwrap();
        state.bad_sector = Some((node, byte / SECTOR as u64));
    }

    /// Empties a file at rest.
    pub(crate) fn empty(&self, path: &Path) {
        let mut state = self.state.lock();
        let node = state.find(path).unwrap();
        state.nodes[node] = Node::file();
    }

    /// Loses a file at rest.
    pub(crate) fn lose(&self, path: &Path) {
        self.state.lock().names.remove(path);
    }
}

// === impl State ===

impl State {
    fn find(&self, path: &Path) -> io::Result<usize> {
        if self.stopped {
            return Err(stopped());
        }
        self.names.get(path).and_then(|versions| *versions.last()?).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn folder(&self, path: &Path) -> io::Result<usize> {
        let node = self.find(path)?;
        if self.nodes[node].is_folder() { Ok(node) } else { Err(io::ErrorKind::NotADirectory.into()) }
    }

    fn file(&self, path: &Path) -> io::Result<usize> {
        let node = self.find(path)?;
        if self.nodes[node].is_folder() { Err(io::ErrorKind::IsADirectory.into()) } else { Ok(node) }
    }

    fn name(&mut self, path: &Path, node: Option<usize>) {
        self.names.entry(path.to_owned()).or_insert_with(|| vec![None]).push(node);
    }

    /// What is in a folder goes where it goes: after a power failure it is where the folder is.
    fn move_inside(&mut self, from: &Path, to: &Path) {
        let inside = self.names.iter_mut().filter(|(path, _)| path.starts_with(from) && *path != from);
        let moved: Vec<_> = inside
            .map(|(path, versions)| {
                let there = (to.join(path.strip_prefix(from).unwrap()), versions.clone());
                versions.push(None);
                there
            })
            .collect();
        self.names.extend(moved);
    }

    /// Counts an operation; `takes_space` ones fail while the disk is full.
    fn turn(&mut self, takes_space: bool) -> io::Result<Turn> {
        if self.stopped {
            return Err(stopped());
        }
        self.operations += 1;
        if self.plan.stop_at.is_some_and(|at| self.operations >= at) {
            self.stopped = true;
            return Ok(Turn::Stops { done: self.dice.below(2) == 0 });
        }
        if self.plan.broken.contains(&self.operations) {
            return Ok(Turn::Fails(io::Error::other("the device reported an error")));
        }
        if takes_space && self.plan.full.contains(&self.operations) {
            return Ok(Turn::Fails(io::ErrorKind::StorageFull.into()));
        }
        Ok(Turn::Works)
    }

    /// An operation that is done as a whole or not at all.
    fn whole<T>(&mut self, takes_space: bool, work: impl FnOnce(&mut Self) -> io::Result<T>) -> io::Result<T> {
        match self.turn(takes_space)? {
            Turn::Works => work(self),
            Turn::Fails(error) => Err(error),
            Turn::Stops { done } => {
                if done {
                    self.stopped = false;
                    let _ = work(self);
                    self.stopped = true;
                }
                Err(stopped())
            }
        }
    }

    fn restart(&mut self, power_failed: bool) {
        self.epoch += 1;
        self.stopped = false;
        self.plan = Plan::default();
        self.locked.clear();
        self.bad_sector = None;
        // Sometimes nearly everything was on its way already, sometimes nearly nothing.
        let luck = [0, 50, 100][usize::try_from(self.dice.below(3)).unwrap()];
        for node in &mut self.nodes {
            node.restart(power_failed, luck, &mut self.dice);
        }
        if power_failed {
            self.lose_names(luck);
        }
    }

    fn lose_names(&mut self, luck: u64) {
        let Self { names, dice, .. } = self;
        for versions in names.values_mut() {
            let kept = node::pick(versions.len(), luck, dice);
            *versions = vec![versions[kept]];
        }
        names.retain(|_, versions| versions[0].is_some());
        let folders: Vec<PathBuf> = names.keys().cloned().collect();
        for path in folders {
            // What is in a folder that was lost is lost with it.
            if path.parent().is_some_and(|parent| !names.contains_key(parent)) {
                names.remove(&path);
            }
        }
    }
}

fn stopped() -> io::Error {
    io::Error::other("the machine has stopped")
}

mod tests;
