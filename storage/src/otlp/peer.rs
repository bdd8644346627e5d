//! What a client, producer or consumer span says it talks to.
//!
//! Owns the names of attributes that tell, current names before older ones, and their order of trust.

use super::attributes::{Attribute, Scalar};
use super::columns::{Piece, Source};

/// The other side of a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    pub(super) name: Piece,
    pub(super) kind: PeerKind,
    pub(super) system: Option<Piece>,
}

/// What the other side is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PeerKind {
    Database,
    Queue,
    External,
}

/// The attributes that tell, as far as a span has them.
#[derive(Clone, Copy, Debug, Default)]
struct Hints {
    service: Ranked,
    address: Ranked,
    port: Ranked,
    network: Ranked,
    url: Ranked,
    db_name: Ranked,
    db_system: Ranked,
    queue: Ranked,
    queue_system: Ranked,
}

/// A value and how old its attribute's name is; newer names win.
#[derive(Clone, Copy, Debug, Default)]
struct Ranked {
    value: Option<Scalar>,
    rank: u8,
}

impl PeerKind {
    pub(super) fn number(self) -> i32 {
        match self {
            Self::Database => 1,
            Self::Queue => 2,
            Self::External => 3,
        }
    }
}

/// The peer of a span of OTLP kind `kind`; `None` for kinds that call nobody and for spans that name nobody.
pub(super) fn of_span(kind: i32, attributes: &[Attribute<'_>], source: &mut Source<'_>) -> Option<Peer> {
    if !(3..=5).contains(&kind) {
        return None;
    }
    let mut hints = Hints::default();
    for attribute in attributes {
        hints.take(attribute);
    }
    let system = hints.db_system.text().or(hints.queue_system.text());
    if hints.queue.text().is_some() || hints.queue_system.text().is_some() {
        let name = hints.queue.text().or(hints.service.text()).or(hints.address.text()).or(hints.queue_system.text())?;
        return Some(Peer { name, kind: PeerKind::Queue, system: hints.queue_system.text() });
    }
    if hints.db_system.text().is_some() || hints.db_name.text().is_some() {
        let db_name = hints.db_name.text();
        // A Redis database is a number, which tells nobody what was called.
        let telling = db_name.filter(|name| source.bytes(*name).iter().any(|byte| !byte.is_ascii_digit()));
        let name = hints.service.text().or(telling).or(hints.address.text()).or(hints.db_system.text()).or(db_name)?;
        return Some(Peer { name, kind: PeerKind::Database, system: hints.db_system.text() });
    }
    let name = hints.service.text().or_else(|| hints.address(source)).or_else(|| hints.url_host(source)).or(hints.network.text())?;
    Some(Peer { name, kind: PeerKind::External, system })
}

impl Hints {
    /// Rank 1 is the current name.
    fn take(&mut self, attribute: &Attribute<'_>) {
        let (hint, rank) = match attribute.key.bytes {
            b"service.peer.name" => (&mut self.service, 1),
            b"peer.service" => (&mut self.service, 2),
            b"server.address" => (&mut self.address, 1),
            b"net.peer.name" => (&mut self.address, 2),
            b"http.host" => (&mut self.address, 3),
            b"server.port" => (&mut self.port, 1),
            b"net.peer.port" => (&mut self.port, 2),
            b"url.full" => (&mut self.url, 1),
            b"http.url" => (&mut self.url, 2),
            b"network.peer.address" => (&mut self.network, 1),
            b"net.sock.peer.addr" => (&mut self.network, 2),
            b"net.peer.ip" => (&mut self.network, 3),
            b"db.namespace" => (&mut self.db_name, 1),
            b"db.name" => (&mut self.db_name, 2),
            b"db.system.name" => (&mut self.db_system, 1),
            b"db.system" => (&mut self.db_system, 2),
            b"messaging.destination.name" => (&mut self.queue, 1),
            b"messaging.destination" => (&mut self.queue, 2),
            b"messaging.system" => (&mut self.queue_system, 1),
            _ => return,
        };
        let tells = match attribute.value {
            Scalar::Text(piece) => piece.len > 0,
            Scalar::Int(_) => true,
            _ => false,
        };
        if tells && (hint.rank == 0 || rank < hint.rank) {
            *hint = Ranked { value: Some(attribute.value), rank };
        }
    }

    /// The server's address, with its port unless it is one that goes without saying.
    fn address(&self, source: &mut Source<'_>) -> Option<Piece> {
        let address = self.address.text()?;
        let port = match self.port.value {
            Some(Scalar::Int(port)) => port.to_string(),
            Some(Scalar::Text(piece)) => String::from_utf8_lossy(source.bytes(piece)).into_owned(),
            _ => return Some(address),
        };
        if matches!(port.as_str(), "80" | "443" | "0") || self.port.rank > self.address.rank {
            return Some(address);
        }
        let mut joined = source.bytes(address).to_vec();
        joined.push(b':');
        joined.extend_from_slice(port.as_bytes());
        Some(source.keep(&joined))
    }

    /// Host and port of the URL, without user and password.
    fn url_host(&self, source: &Source<'_>) -> Option<Piece> {
        let url = self.url.text()?;
        let bytes = source.bytes(url);
        let start = bytes.windows(3).position(|window| window == b"://")? + 3;
        let rest = bytes.get(start..)?;
        let authority = rest.split(|byte| matches!(byte, b'/' | b'?' | b'#')).next()?;
        let user = authority.iter().rposition(|byte| *byte == b'@').map_or(0, |at| at + 1);
        let host = authority.get(user..)?;
        let skipped = u32::try_from(start + user).ok()?;
        let len = u32::try_from(host.len()).ok()?;
        (len > 0).then_some(Piece { at: url.at + skipped, len, ..url })
    }
}

impl Ranked {
    fn text(self) -> Option<Piece> {
        match self.value {
            Some(Scalar::Text(piece)) => Some(piece),
            _ => None,
        }
    }
}
