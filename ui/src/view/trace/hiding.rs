//! Spans of services that the reader has hidden: which spans are rows all the same, and what is said of the others.
//!
//! Rows of hidden services leave the waterfall. What is visible below one of them belongs to the nearest visible span above it and stays where
//! it was, so that hiding takes rows away and moves none.

use storage::trace::{Brief, Sheet, Tree};

use super::{Scene, View};
use crate::params::Params;
use crate::view::format;
use crate::view::link::{Address, listed, names};

/// The services whose spans are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Services {
    #[default]
    All,
    /// All but these.
    Without(Vec<String>),
    /// These alone.
    Only(Vec<String>),
}

/// Which spans are hidden, and how many are visible below each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Veil {
    hidden: Vec<bool>,
    below: Vec<u32>,
    count: usize,
}

/// What is said above the rows of the spans that are none of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hidden {
    /// `212 spans of payment are hidden`.
    pub(crate) text: String,
    /// How many of them failed or match, and the address of the first.
    pub(crate) ways: Vec<(String, String)>,
    /// The page with all spans.
    pub(crate) all: String,
}

// === impl Services ===

impl Services {
    /// Reads `show=` and `hide=`; the former says everything.
    pub(crate) fn read(params: &Params) -> Self {
        let list =
            |name: &str| params.get(name).map(|list| names(list).take(MAX_NAMES).collect::<Vec<_>>()).filter(|list| !list.is_empty());
        list("show").map(Self::Only).or_else(|| list("hide").map(Self::Without)).unwrap_or_default()
    }

    pub(crate) fn write(&self, address: Address) -> Address {
        let (name, list) = self.pair();
        address.with("hide", "").with("show", "").with(name, &list)
    }

    /// Name and value of the parameter that says it; an empty value for all.
    pub(crate) fn pair(&self) -> (&'static str, String) {
        match self {
            Self::All => ("hide", String::new()),
            Self::Without(services) => ("hide", listed(services)),
            Self::Only(services) => ("show", listed(services)),
        }
    }

    pub(crate) fn is_hidden(&self, service: &str) -> bool {
        match self {
            Self::All => false,
            Self::Without(services) => services.iter().any(|known| known == service),
            Self::Only(services) => !services.iter().any(|known| known == service),
        }
    }

    /// With this one hidden, or shown again. Who hides the last one that is shown sees all again. Addresses stay short: the oldest are forgotten.
    pub(crate) fn toggled(&self, service: &str) -> Self {
        let change = |services: &[String]| {
            let mut changed: Vec<String> = services.iter().filter(|known| *known != service).cloned().collect();
            if changed.len() == services.len() {
                changed.push(service.to_owned());
            }
            changed.split_off(changed.len().saturating_sub(MAX_NAMES))
        };
        let changed = match self {
            Self::All => Self::Without(vec![service.to_owned()]),
            Self::Without(services) => Self::Without(change(services)),
            Self::Only(services) => Self::Only(change(services)),
        };
        if matches!(&changed, Self::Without(services) | Self::Only(services) if services.is_empty()) { Self::All } else { changed }
    }

    /// With this one shown.
    pub(crate) fn showing(&self, service: &str) -> Self {
        if self.is_hidden(service) { self.toggled(service) } else { self.clone() }
    }
}

// === impl Veil ===

impl Veil {
    /// Nothing when no span is hidden. A span that is chosen or shown as the root is seen whatever is hidden, a chosen one with all above it.
    pub(super) fn new(sheet: &Sheet, services: &Services, chosen: Option<usize>, root: Option<usize>) -> Option<Self> {
        let of: Vec<bool> = sheet.services.iter().map(|service| services.is_hidden(service)).collect();
        if !of.contains(&true) {
            return None;
        }
        let is_of = |brief: &Brief| of.get(brief.service as usize).copied().unwrap_or(false);
        let mut hidden: Vec<bool> = sheet.spans.iter().map(is_of).collect();
        let chosen = chosen.filter(|place| hidden.get(*place).copied().unwrap_or(false));
        let above = chosen.map(|place| sheet.ancestors(place)).unwrap_or_default();
        for place in above.into_iter().chain(chosen).chain(root) {
            if let Some(hidden) = hidden.get_mut(place) {
                *hidden = false;
            }
        }
        let mut veil = Self { count: hidden.iter().filter(|hidden| **hidden).count(), below: vec![0; hidden.len()], hidden };
        veil.measure(sheet.tree());
        Some(veil)
    }

    fn measure(&mut self, tree: &Tree) {
        // Children come after their parents.
        for place in tree.preorder().iter().rev() {
            let seen = self.below(*place) + u32::from(!self.hides(*place));
            if let Some(below) = tree.parent(*place).and_then(|above| self.below.get_mut(above)) {
                *below += seen;
            }
        }
    }

    pub(super) fn hides(&self, place: usize) -> bool {
        self.hidden.get(place).copied().unwrap_or(false)
    }

    /// Visible spans below one.
    pub(super) fn below(&self, place: usize) -> u32 {
        self.below.get(place).copied().unwrap_or(0)
    }

    /// Siblings as rows have them: what is visible below a hidden one stands in its place.
    pub(super) fn lifted(&self, tree: &Tree, siblings: &[usize]) -> Vec<usize> {
        let mut lifted = Vec::with_capacity(siblings.len());
        let mut waiting: Vec<usize> = siblings.iter().rev().copied().collect();
        while let Some(place) = waiting.pop() {
            if !self.hides(place) {
                lifted.push(place);
            } else if self.below(place) > 0 {
                waiting.extend(tree.children(place).iter().rev());
            }
        }
        lifted
    }
}

// === impl Scene ===

impl Scene {
    pub(super) fn is_hidden(&self, place: usize) -> bool {
        self.veil.as_ref().is_some_and(|veil| veil.hides(place))
    }

    /// Of these, those that are rows.
    pub(super) fn seen(&self, places: &[usize]) -> Vec<usize> {
        places.iter().copied().filter(|place| !self.is_hidden(*place)).collect()
    }

    /// Rows below one when nothing is folded.
    pub(super) fn below(&self, place: usize) -> usize {
        match &self.veil {
            Some(veil) => veil.below(place) as usize,
            None => self.sheet.tree().subtree_size(place).saturating_sub(1),
        }
    }

    /// The row that one belongs to.
    pub(super) fn above(&self, place: usize) -> Option<usize> {
        let mut above = self.sheet.tree().parent(place);
        while let Some(place) = above.filter(|place| self.is_hidden(*place)) {
            above = self.sheet.tree().parent(place);
        }
        above
    }

    /// How many spans are hidden.
    pub(super) fn hidden(&self) -> usize {
        self.veil.as_ref().map_or(0, |veil| veil.count)
    }
}

/// Whether a reading leaves hidden spans out: those that list them.
pub(super) fn hides(view: View) -> bool {
    matches!(view, View::Timeline | View::Spans)
}

/// What is said of hidden spans, if there are any.
pub(super) fn told(scene: &Scene, errors: &[usize]) -> Option<Hidden> {
    let hidden = scene.hidden();
    if hidden == 0 {
        return None;
    }
    let mut ways = Vec::new();
    let mut way = |places: &[usize], one: &str, many: &str| {
        let places: Vec<usize> = places.iter().copied().filter(|place| scene.is_hidden(*place)).collect();
        if let Some(first) = places.first() {
            let count = places.len() as u64;
            ways.push((format!("{} of them {}", format::exact(count), if count == 1 { one } else { many }), scene.to_span(*first)));
        }
    };
    way(errors, "failed", "failed");
    way(&scene.matches, "matches", "match");
    let count = format::counted(hidden as u64, "span", "spans");
    let verb = if hidden == 1 { "is" } else { "are" };
    Some(Hidden {
        text: format!("{count} of {} {verb} hidden", whose(scene)),
        ways,
        all: Services::All.write(scene.here().with("at", "")).href(),
    })
}

/// The services of hidden spans, in words.
fn whose(scene: &Scene) -> String {
    let services = &scene.wanted.services;
    if let Services::Only(shown) = services
        && let [one] = shown.as_slice()
    {
        return format!("services other than {}", format::line(one, 60));
    }
    let hidden: Vec<String> =
        scene.sheet.services.iter().filter(|name| services.is_hidden(name)).map(|name| format::line(name, 60)).collect();
    match hidden.as_slice() {
        [one] => one.clone(),
        [one, two] => format!("{one} and {two}"),
        all => format!("{} services", format::exact(all.len() as u64)),
    }
}

/// Services in one address.
const MAX_NAMES: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::link::Links;

    #[test]
    fn names_with_any_sign_come_back_from_an_address() {
        let all = Services::Without(vec!["a,b".to_owned(), "c%2Cd".to_owned(), "e".to_owned()]);
        let href = all.write(Links::default().plain("/x")).href();
        assert_eq!(Services::read(&Params::parse(href.split_once('?').unwrap().1)), all, "{href}");
        let only = Services::Only(vec!["a".to_owned()]);
        assert_eq!(Services::read(&Params::parse("show=a&hide=b")), only);
        assert_eq!(only.write(all.write(Links::default().plain("/x"))).href(), "/x?show=a");
        assert_eq!(Services::read(&Params::parse("hide=,,")), Services::All);
    }

    #[test]
    fn a_service_is_hidden_and_shown_again_in_either_way() {
        let one = Services::All.toggled("a");
        assert!(one.is_hidden("a") && !one.is_hidden("b"));
        assert_eq!((one.toggled("a"), one.showing("a"), one.showing("b")), (Services::All, Services::All, one.clone()));
        let only = Services::Only(vec!["a".to_owned()]);
        assert!(only.is_hidden("b") && !only.toggled("b").is_hidden("b") && only.toggled("b").is_hidden("c"));
        assert_eq!(only.toggled("a"), Services::All, "an address cannot say that nothing is shown");
        let many = (0..50).fold(Services::All, |all, number| all.toggled(&number.to_string()));
        assert!(!many.is_hidden("0") && many.is_hidden("49") && matches!(many, Services::Without(names) if names.len() == MAX_NAMES));
    }
}
