//! The colours of the stylesheet, measured: text can be read on every ground, and services are told apart, by readers who see fewer
//! colours too.
//!
//! Distances are CIEDE2000. Fewer colours are simulated after Machado, Oliveira and Fernandes (2009), in linear light, without the
//! receptors of one kind.

use std::collections::HashMap;

type Rgb = [f64; 3];
type Lab = [f64; 3];

const STYLESHEET: &str = include_str!("../../../assets/app.css");

const THEMES: [(&str, usize); 2] = [("light", 0), ("dark", 1)];

/// How one sees: a name, and what becomes of linear red, green and blue.
const SIGHTS: [(&str, [Rgb; 3]); 4] = [
    ("all colours", [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
    ("no red receptors", [[0.152_286, 1.052_583, -0.204_868], [0.114_503, 0.786_281, 0.099_216], [-0.003_882, -0.048_116, 1.051_998]]),
    ("no green receptors", [[0.367_322, 0.860_646, -0.227_968], [0.280_085, 0.672_501, 0.047_413], [-0.011_820, 0.042_940, 0.968_881]]),
    ("no blue receptors", [[1.255_528, -0.076_749, -0.178_779], [-0.078_411, 0.930_809, 0.147_602], [0.004_733, 0.691_367, 0.303_900]]),
];

/// Two colours with this distance are told apart side by side in a small bar.
const APART: f64 = 10.0;

/// Linear light of `#rgb` or `#rrggbb`.
fn linear(hex: &str) -> Rgb {
    let digits = hex.strip_prefix('#').unwrap();
    let width = digits.len() / 3;
    [0, 1, 2].map(|place| {
        let digit = digits.get(place * width..(place + 1) * width).unwrap();
        let value = f64::from(u8::from_str_radix(&digit.repeat(2 / width), 16).unwrap()) / 255.0;
        if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    })
}

fn times(matrix: &[Rgb; 3], value: Rgb) -> Rgb {
    matrix.map(|row| row.iter().zip(value).map(|(a, b)| a * b).sum())
}

/// WCAG's contrast.
fn contrast(one: &str, other: &str) -> f64 {
    let luminance = |hex| times(&[[0.2126, 0.7152, 0.0722]; 3], linear(hex))[0] + 0.05;
    let (one, other) = (luminance(one), luminance(other));
    one.max(other) / one.min(other)
}

/// What of a colour arrives, in CIELAB under D65.
fn seen(hex: &str, sight: &[Rgb; 3]) -> Lab {
    let to_xyz = [[0.412_456_4, 0.357_576_1, 0.180_437_5], [0.212_672_9, 0.715_152_2, 0.072_175], [0.019_333_9, 0.119_192, 0.950_304_1]];
    let [x, y, z] = times(&to_xyz, times(sight, linear(hex)).map(|part| part.clamp(0.0, 1.0)));
    let f = |t: f64| if t > 216.0 / 24_389.0 { t.cbrt() } else { (24_389.0 / 27.0 * t + 16.0) / 116.0 };
    let (x, y, z) = (f(x / 0.950_47), f(y), f(z / 1.088_83));
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

/// CIEDE2000, after Sharma, Wu and Dalal (2005).
fn distance([l1, a1, b1]: Lab, [l2, a2, b2]: Lab) -> f64 {
    let saturation = |c: f64| (c.powi(7) / (c.powi(7) + 25f64.powi(7))).sqrt();
    let stretch = 1.0 + 0.5 * (1.0 - saturation(f64::midpoint(a1.hypot(b1), a2.hypot(b2))));
    let polar = |a: f64, b: f64| ((a * stretch).hypot(b), b.atan2(a * stretch).to_degrees().rem_euclid(360.0));
    let ((c1, h1), (c2, h2)) = (polar(a1, b1), polar(a2, b2));
    let is_grey = c1 * c2 == 0.0;
    let turn = if is_grey { 0.0 } else { (h2 - h1 + 180.0).rem_euclid(360.0) - 180.0 };
    let (lightness, chroma) = (f64::midpoint(l1, l2) - 50.0, f64::midpoint(c1, c2));
    let hue = if is_grey { h1 + h2 } else { (h1 + turn / 2.0).rem_euclid(360.0) };
    let wave = |times: f64, shift: f64| (times * hue + shift).to_radians().cos();
    let t = 1.0 - 0.17 * wave(1.0, -30.0) + 0.24 * wave(2.0, 0.0) + 0.32 * wave(3.0, 6.0) - 0.2 * wave(4.0, -63.0);
    let dl = (l2 - l1) / (1.0 + 0.015 * lightness.powi(2) / (20.0 + lightness.powi(2)).sqrt());
    let dc = (c2 - c1) / (1.0 + 0.045 * chroma);
    let dh = 2.0 * (c1 * c2).sqrt() * (turn / 2.0).to_radians().sin() / (1.0 + 0.015 * chroma * t);
    let rotation = -2.0 * saturation(chroma) * (60.0 * (-((hue - 275.0) / 25.0).powi(2)).exp()).to_radians().sin();
    (dl * dl + dc * dc + dh * dh + rotation * dc * dh).sqrt()
}

/// The colours of a declaration in both themes.
fn both(declaration: &str) -> Option<[String; 2]> {
    let (pair, _) = declaration.split_once("light-dark(")?.1.split_once(')')?;
    let (light, dark) = pair.split_once(", ")?;
    Some([light.to_owned(), dark.to_owned()])
}

/// `--name: light-dark(…)` of `:root`.
fn tokens() -> HashMap<&'static str, [String; 2]> {
    let root = STYLESHEET.split_once(":root {").unwrap().1.split_once('}').unwrap().0;
    let lines = root.lines().filter_map(|line| line.trim().strip_prefix("--")?.split_once(':'));
    lines.filter_map(|(name, value)| Some((name, both(value)?))).collect()
}

/// Fill and letters of each service, by slot.
fn services() -> Vec<[[String; 2]; 2]> {
    let rule = |slot: usize| STYLESHEET.split_once(&format!("\n.s{slot} {{"))?.1.split_once('}');
    let parts = |(body, _): (&str, &str)| Some([both(body.split_once("--c:")?.1)?, both(body.split_once("--on:")?.1)?]);
    (0..storage::SERVICE_SLOTS).map(|slot| rule(slot).and_then(parts).unwrap_or_else(|| panic!("slot {slot} has no colours"))).collect()
}

#[test]
fn distances_are_those_of_the_published_pairs() {
    let pairs = [
        ([50.0, 2.6772, -79.7751], [50.0, 0.0, -82.7485], 2.0425),
        ([50.0, 2.5, 0.0], [50.0, 0.0, -2.5], 4.3065),
        ([50.0, 2.5, 0.0], [73.0, 25.0, -18.0], 27.1492),
        ([60.2574, -34.0099, 36.2677], [60.4626, -34.1751, 39.4387], 1.2644),
        ([2.0776, 0.0795, -1.135], [0.9033, -0.0636, -0.5514], 0.9082),
    ];
    for (one, other, expected) in pairs {
        assert!((distance(one, other) - expected).abs() < 0.0001, "{one:?} {other:?}: {}", distance(one, other));
    }
}

#[test]
fn text_can_be_read_on_every_ground() {
    let tokens = tokens();
    for (theme, at) in THEMES {
        for ground in ["ground", "surface", "raised", "hover", "tint", "error-tint", "warn-tint"] {
            for text in ["text", "muted", "accent", "error", "warn"] {
                let found = contrast(&tokens[text][at], &tokens[ground][at]);
                assert!(found >= 4.5, "{theme}: {text} on {ground} has {found:.2}");
            }
        }
        for (one, other, least) in [
            ("ok", "ground", 4.5),
            ("ok", "surface", 4.5),
            ("ok", "raised", 4.5),
            ("on-accent", "accent", 4.5),
            ("control", "surface", 3.0),
        ] {
            let found = contrast(&tokens[one][at], &tokens[other][at]);
            assert!(found >= least, "{theme}: {one} on {other} has {found:.2}");
        }
    }
}

#[test]
fn services_stand_out_from_the_ground_and_their_letters_from_them() {
    let tokens = tokens();
    for (theme, at) in THEMES {
        for (slot, [fill, letters]) in services().iter().enumerate() {
            for ground in ["ground", "surface"] {
                let found = contrast(&fill[at], &tokens[ground][at]);
                assert!(found >= [3.0, 4.5][at], "{theme}: slot {slot} on {ground} has {found:.2}");
            }
            let inside = contrast(&letters[at], &fill[at]);
            assert!(inside >= 4.5, "{theme}: letters of slot {slot} have {inside:.2}");
        }
    }
}

#[test]
fn services_and_failure_are_told_apart_by_whoever_looks() {
    let error = &tokens()["error"];
    for (theme, at) in THEMES {
        for (sight, matrix) in &SIGHTS {
            let mut marks: Vec<(String, &str)> = vec![("failure".to_owned(), &error[at])];
            let services = services();
            marks.extend(services.iter().enumerate().map(|(slot, [fill, _])| (format!("slot {slot}"), fill[at].as_str())));
            for (place, (name, colour)) in marks.iter().enumerate() {
                for (other, beside) in marks.iter().skip(place + 1) {
                    let found = distance(seen(colour, matrix), seen(beside, matrix));
                    assert!(found >= APART, "{theme}, {sight}: {name} and {other} are {found:.1} apart");
                }
            }
        }
    }
}

/// Degrees of hue by which a colour may differ between the themes.
const SAME_HUE: f64 = 10.0;

#[test]
fn services_keep_their_hue_from_theme_to_theme() {
    let [(_, all), ..] = &SIGHTS;
    for (slot, [fill, _]) in services().iter().enumerate() {
        let polar = |hex: &String| {
            let [_, a, b] = seen(hex, all);
            (a.hypot(b), b.atan2(a).to_degrees())
        };
        let ((light_chroma, light), (dark_chroma, dark)) = (polar(&fill[0]), polar(&fill[1]));
        let turn = ((light - dark + 180.0).rem_euclid(360.0) - 180.0).abs();
        // Hardly any colour has hardly any hue.
        assert!(turn <= SAME_HUE || light_chroma.min(dark_chroma) < 8.0, "slot {slot} turns by {turn:.0} degrees");
    }
}
