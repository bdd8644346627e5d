use super::*;
use crate::params::Params;
use crate::view::trace::columns::Columns;

fn with(cols: &str) -> Wanted {
    Wanted { columns: Columns::read(&Params::parse(cols)), ..Wanted::default() }
}

#[test]
fn added_columns_say_start_own_time_share_and_an_attribute() {
    let fall = fall(&looping(12), with("cols=start,own&col=http.response.status_code"));
    let headings: Vec<(&str, bool)> = fall.columns.iter().map(|heading| (heading.label.as_str(), heading.is_text)).collect();
    assert_eq!(headings, [("Start", false), ("Own", false), ("http.response.status_code", true)]);
    let row = |name: &str| fall.rows.iter().find(|row| row.name == name).unwrap();
    let texts = |name: &str| row(name).cells.iter().map(|(_, text)| text.clone()).collect::<Vec<_>>();
    assert_eq!(texts("ChargeCard"), ["40.0\u{202f}ms", "50.0\u{202f}ms", "402"]);
    // A group has the sum of its spans.
    assert_eq!(texts("SELECT"), ["5.00\u{202f}ms", "13.0\u{202f}ms", ""]);
    let share = super::fall(&sample::checkout(), with("cols=share"));
    assert_eq!(share.rows[3].cells, [(" num", "50.0\u{202f}%".to_owned())]);
}

#[test]
fn an_attribute_becomes_a_column_and_is_none_again() {
    let column = |wanted: Wanted| {
        let scene = scene(&sample::checkout(), Wanted { span: Some(id(3)), tab: Some(PanelTab::All), ..wanted });
        let panel = panel(&scene, scene.chosen.unwrap()).unwrap();
        let mut pairs = panel.attributes.into_iter().chain(panel.resource).flat_map(|group| group.rows);
        let mut of = |key: &str| pairs.find(|pair| pair.row.key == key).unwrap().column;
        (of("http.response.status_code"), of("service.name"))
    };
    let (attribute, resource) = column(Wanted::default());
    assert!(attribute.0.contains("cols=attr.http.response.status_code") && !attribute.1, "{attribute:?}");
    assert!(resource.0.contains("cols=resource.service.name"), "{resource:?}");
    let (shown, other) = column(with("col=http.response.status_code"));
    assert!(shown.1 && !shown.0.contains("cols="), "{shown:?}");
    assert!(other.0.contains("cols=resource.service.name") && !other.1, "{other:?}");
}

#[test]
fn the_form_knows_what_is_shown_and_offers_what_spans_have() {
    let columns = tools(&scene(&sample::checkout(), with("cols=own,attr.note"))).columns;
    assert_eq!(
        columns.known.iter().map(|(word, _, is_shown)| (*word, *is_shown)).collect::<Vec<_>>(),
        [("start", false), ("own", true), ("share", false)]
    );
    assert_eq!((columns.attribute.as_str(), columns.count.as_str()), ("attr.note", "2"));
    assert!(columns.keys.contains(&"attr.http.response.status_code".to_owned()), "{:?}", columns.keys);
    assert!(columns.hidden.iter().all(|(name, _)| name != "cols"));
}
