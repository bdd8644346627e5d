use std::collections::{BTreeMap, HashSet};

use super::*;

/// One service, with a root of a second and a span for each of these operations, the first of which last longest.
fn one_service(names: &[String]) -> Trace {
    let mut spans = vec![sample::span(1, 0, "batch", "run", 0, 1_000)];
    let span = |(n, name): (u8, &String)| sample::span(2 + n, 1, "batch", name, u64::from(n), 500);
    spans.extend((0..).zip(names).map(span));
    Trace::assemble(spans[0].trace_id, spans, true, Vec::new())
}

fn named(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("step {n}")).collect()
}

/// The colours of rows by name.
fn colours(trace: &Trace) -> BTreeMap<String, String> {
    fall(trace, Wanted { depth: Depth::All, ..Wanted::default() }).rows.into_iter().map(|row| (row.name, row.colour)).collect()
}

#[test]
fn operations_have_colours_where_one_service_would_have_one() {
    let trace = one_service(&named(11));
    let colours = colours(&trace);
    assert_eq!(colours.values().collect::<HashSet<_>>().len(), 12, "{colours:?}");
    let scene = scene(&trace, Wanted::default());
    let legend = tools(&scene).operations.unwrap();
    let told: BTreeMap<String, String> = legend.operations.iter().map(|one| (one.name.clone(), one.class.clone())).collect();
    assert_eq!((&told, legend.more.as_str()), (&colours, ""));
    assert!(legend.operations[0].find.contains("find=name%3Arun"), "{:?}", legend.operations[0]);
    let classes: HashSet<String> = minimap(&scene).paths.into_iter().map(|(class, _)| class).collect();
    assert_eq!(classes, colours.values().cloned().collect(), "the minimap has the same");
    let flame = flame(&super::scene(&trace, Wanted { view: View::Flame, flame: FlameKind::Time, ..Wanted::default() }));
    for call in &flame.calls {
        assert_eq!(call.colour, colours[&call.name]);
        assert_eq!(call.chip.class, scene.palette.chip("batch").class, "the mark of a service has one colour");
    }
    for cell in flame.cells.iter().filter(|cell| !cell.label.is_empty()) {
        assert_eq!(cell.class, colours[&cell.label]);
    }
}

#[test]
fn colours_of_operations_are_the_same_each_time_and_shared_when_there_are_too_many() {
    let (few, many) = (one_service(&named(6)), one_service(&named(40)));
    assert_eq!(colours(&few), colours(&few.clone()));
    let legend = tools(&scene(&many, Wanted::default())).operations.unwrap();
    assert_eq!((legend.operations.len(), legend.more.as_str()), (12, "29"));
    assert_eq!(legend.operations.iter().map(|one| one.class.as_str()).collect::<HashSet<_>>().len(), 12, "those that last longest differ");
}

#[test]
fn services_have_the_colours_where_there_are_several_and_where_one_operation_is_all() {
    for trace in [sample::checkout(), one_service(&["run".to_owned()])] {
        let scene = scene(&trace, Wanted::default());
        assert_eq!(tools(&scene).operations, None);
        assert!(waterfall(&scene, &plan(&scene)).rows.iter().all(|row| row.colour == row.chip.class));
    }
}
