//! Codes with what one of them is in the canonical unit, equal amounts, and hostile input.

use super::*;

fn exact(text: &str) -> Exact {
    Exact::parse(text).unwrap_or_else(|| panic!("{text}"))
}

fn amount(value: &str, code: &str) -> (f64, String) {
    let conversion = canonical(code).unwrap_or_else(|| panic!("{code} is not understood"));
    (conversion.apply(&exact(value)), conversion.unit().to_owned())
}

#[test]
fn codes_have_the_value_that_the_specification_gives_them() {
    for (code, unit, value) in FACTS {
        assert_eq!(amount("1", code), (*value, (*unit).to_owned()), "{code}");
    }
}

#[test]
fn equal_amounts_are_the_same_double() {
    let cases = [
        ("1", "[lb_av]", "453.59237", "g"),
        ("154.3", "[lb_av]", "69.989302691", "kg"),
        ("120", "mm[Hg]", "15.99864", "kPa"),
        ("37", "Cel", "98.6", "[degF]"),
        ("37.0", "Cel", "310.15", "K"),
        ("-40", "Cel", "-40", "[degF]"),
        ("100", "Cel", "80", "[degRe]"),
        ("36600", "mCel", "97.88", "[degF]"),
        ("559.67", "[degR]", "100", "[degF]"),
        ("126", "mg/dL", "1.26", "g/L"),
        ("0.3", "mmol/L", "300", "umol/L"),
        ("140", "meq/L", "140", "mmol/L"),
        ("4.5", "10*3/uL", "4500", "/mm3"),
        ("4.5", "10*3/uL", "4.5", "10*9/L"),
        ("72", "[in_i]", "6", "[ft_i]"),
        ("72", "[in_i]", "182.88", "cm"),
        ("16", "[oz_av]", "1", "[lb_av]"),
        ("0.1", "kcal", "418.4", "J"),
        ("180", "deg", "200", "gon"),
        ("1", "deg", "3600", "''"),
        ("15", "U/L", "15", "umol/min/L"),
        ("60", "U/L", "1", "umol/L/s"),
        ("5", "%", "50", "mg/g"),
        ("20", "[iU]/L", "20", "m[IU]/mL"),
        ("65", "dB", "6.5", "B"),
        ("1", "ug/kg/h", "1", "ug.kg-1.h-1"),
        ("1000000", "ug/kg/h", "1", "g/kg/h"),
        ("290", "mosm/kg", "0.290", "osm/kg"),
        ("3", "[ft_us]", "1", "[yd_us]"),
        ("3937", "[ft_us]", "1200", "m"),
        ("1", "mo", "30.4375", "d"),
        ("1e3", "m", "1", "km"),
        ("0.000", "Cel", "32", "[degF]"),
    ];
    for (value, code, other, other_code) in cases {
        assert_eq!(amount(value, code), amount(other, other_code), "{value} {code} and {other} {other_code}");
    }
}

#[test]
fn all_hundredths_of_a_pound_are_the_grams_that_they_are() {
    let (pound, gram) = (canonical("[lb_av]").unwrap(), canonical("g").unwrap());
    for hundredths in 1..=30_000_u64 {
        // A hundredth of a pound has seven digits behind the point.
        let grams = hundredths * 45_359_237;
        let grams = format!("{}.{:07}", grams / 10_000_000, grams % 10_000_000);
        let pounds = format!("{}.{:02}", hundredths / 100, hundredths % 100);

        assert_eq!(pound.apply(&exact(&pounds)), gram.apply(&exact(&grams)), "{pounds}");
        assert_eq!(gram.apply(&exact(&grams)), grams.parse::<f64>().unwrap(), "{grams}");
    }
}

#[test]
fn what_measures_something_else_has_another_canonical_unit() {
    let different = [
        ("g", "m"),
        ("[iU]", "1"),
        ("[iU]", "[arb'U]"),
        ("[iU]/L", "U/L"),
        ("[USP'U]", "[arb'U]"),
        ("B", "Np"),
        ("B", "1"),
        ("B[V]", "B[mV]"),
        ("[pH]", "mol/L"),
        ("mg/dL", "mmol/L"),
        ("rad", "1"),
        ("%[slope]", "%"),
        ("[hp_X]", "[kp_X]"),
        ("Bq", "Gy"),
        ("J/K", "J"),
    ];
    for (left, right) in different {
        assert_ne!(amount("1", left).1, amount("1", right).1, "{left} and {right}");
    }
}

#[test]
fn what_is_no_unit_is_not_understood() {
    let deep = format!("{}m{}", "(".repeat(1000), ")".repeat(1000));
    let long = vec!["m"; 500].join(".");
    let many = vec!["m999"; 60].join(".");
    let wide = vec!["10*99"; 40].join(".");
    let zeros = "0".repeat(200);
    let cases = [
        "",
        " ",
        "mg ",
        " mg",
        "lbs",
        "MG/DL",
        "mg/dl/",
        "mg//dL",
        "m.",
        ".m",
        "/",
        "()",
        "(m",
        "m)",
        "(m)2",
        "{",
        "}",
        "{a",
        "a}",
        "{a{b}}",
        "{a b}",
        "{\u{e4}}",
        "m{a}2",
        "[",
        "]",
        "[lb_av",
        "lb_av]",
        "[foo]",
        "k[lb_av]",
        "kmin",
        "kk",
        "kkg",
        "k",
        "da",
        "0",
        "00",
        "-1",
        "m-",
        "m+",
        "m--2",
        "m2m",
        "2m",
        "m1000",
        "10*999",
        "10*-999",
        "[k]99",
        "[h]99",
        "99999999999999999999",
        "\u{b5}g",
        "\u{2126}",
        "\u{b0}C",
        "m\u{b2}",
        "m\0",
        "1/0",
        "Cel2",
        "Cel-1",
        "W/Cel",
        "Cel.m",
        "/Cel",
        "[pH]/L",
        "dB2",
        "dB/m",
        "[degF]/h",
        "k[pH]",
        "m[Hg",
        "percent",
        "cc",
        &deep,
        &long,
        &many,
        &wide,
        &zeros,
    ];
    for code in cases {
        assert!(canonical(code).is_none(), "{code:?}");
    }
}

#[test]
fn grammar_at_its_limits_is_understood() {
    let deep = format!("{}m{}", "(".repeat(16), ")".repeat(16));
    for code in [&*deep, "((m))", "m+2", "(/m)", "m.(/s)", "10*3{a}", "1{a}", "Cel{oral}", "(Cel)", "m{}", "10"] {
        assert!(canonical(code).is_some(), "{code}");
    }
    assert!(canonical("{a}{b}").is_none());
    // A point is a product, between numbers, too.
    assert_eq!(amount("1", "1.5"), amount("5", "1"));
    assert_eq!(amount("1", "m2.5"), amount("5", "m2"));
    assert_eq!(amount("1", "m+2"), amount("1", "m2"));
    assert_eq!(amount("1", "g/m.s"), amount("1", "g.s/m"));
}

#[test]
fn what_no_double_holds_is_infinite_or_zero() {
    assert_eq!(amount("1e308", "kg").0, f64::INFINITY);
    assert_eq!(amount("-1e308", "kg").0, f64::NEG_INFINITY);
    assert_eq!(amount("1e-320", "yg").0, 0.0);
    assert_eq!(amount("1e99999", "Cel").0, f64::INFINITY);
    assert_eq!(amount("1e-99999", "K").0, 0.0);
    assert_eq!(amount("0e99999", "kg").0, 0.0);
    assert!(amount("-0", "kg").0.is_sign_positive());
    assert_eq!(amount("1", "[h]12").0, 0.0);
}

#[test]
fn ratios_are_whole_numbers_where_they_exist() {
    let ratio = |code: &str, other: &str| canonical(code).unwrap().ratio_to(&canonical(other).unwrap());

    assert_eq!(ratio("kg", "mg"), Some((1_000_000, 1)));
    assert_eq!(ratio("mmol/L", "mol/dL"), Some((1, 10_000)));
    assert_eq!(ratio("[ft_us]", "m"), Some((1200, 3937)));
    assert_eq!(ratio("dB", "B"), Some((1, 10)));
    assert_eq!(ratio("Cel", "K"), None);
    assert_eq!(ratio("g", "m"), None);
    assert_eq!(ratio("Yg", "yg"), None);
}

#[test]
fn usual_units_keep_their_numbers_and_others_become_them() {
    let cases = [
        ("15.99864", "kPa", "mm[Hg]", "120"),
        ("1.1", "g/dL", "mg/dL", "1100"),
        ("0.3", "g/L", "mg/dL", "30"),
        ("31.1", "pg", "kg", "3.11e-14"),
        ("154.3", "[lb_av]", "kg", "69.989302691"),
        ("71", "[in_i]", "cm", "180.34"),
        ("98.6", "[degF]", "Cel", "37"),
        ("310.15", "K", "Cel", "37"),
        ("0", "K", "Cel", "-273.15"),
        ("37.0", "Cel", "Cel", "37"),
        ("36600", "mCel", "Cel", "36.6"),
        ("0.45", "1", "%", "45"),
        ("3", "{score}", "%", "300"),
        ("72", "{beats}/min", "/min", "72"),
        ("1.2", "Hz", "/min", "72"),
        ("0.1", "kU/L", "U/L", "100"),
        ("5", "mL", "fL", "5e12"),
        ("2", "h", "s", "7200"),
        ("7.4", "[pH]", "[pH]", "7.4"),
        ("5", "[iU]/L", "m[IU]/L", "5000"),
    ];
    for (value, code, unit, expected) in cases {
        let conversion = usual(code).unwrap();
        let found = (conversion.apply(&exact(value)), conversion.unit());

        assert_eq!(found, (expected.parse().unwrap(), unit), "{value} {code}");
    }
    for code in USUAL {
        for value in ["0.1", "5.40", "1e23", "123456789.123", "0.000000000000000000123"] {
            let conversion = usual(code).unwrap();
            assert_eq!((conversion.apply(&exact(value)), conversion.unit()), (value.parse().unwrap(), *code), "{code}");
        }
    }
    assert_eq!(USUAL_WAYS.len(), USUAL.len());
}

/// Codes with the canonical unit and what one of them is in it, from the definitions in SI.
const FACTS: &[(&str, &str, f64)] = &[
    ("m", "m", 1.0),
    ("cm", "m", 0.01),
    ("mm", "m", 0.001),
    ("um", "m", 1e-06),
    ("nm", "m", 1e-09),
    ("km", "m", 1000.0),
    ("dam", "m", 10.0),
    ("g", "g", 1.0),
    ("kg", "g", 1000.0),
    ("mg", "g", 0.001),
    ("ug", "g", 1e-06),
    ("ng", "g", 1e-09),
    ("pg", "g", 1e-12),
    ("fg", "g", 1e-15),
    ("t", "g", 1000000.0),
    ("dag", "g", 10.0),
    ("Yg", "g", 1e+24),
    ("Zg", "g", 1e+21),
    ("Eg", "g", 1e+18),
    ("Pg", "g", 1000000000000000.0),
    ("Tg", "g", 1000000000000.0),
    ("Gg", "g", 1000000000.0),
    ("Mg", "g", 1000000.0),
    ("hg", "g", 100.0),
    ("dg", "g", 0.1),
    ("cg", "g", 0.01),
    ("ag", "g", 1e-18),
    ("zg", "g", 1e-21),
    ("yg", "g", 1e-24),
    ("s", "s", 1.0),
    ("ms", "s", 0.001),
    ("us", "s", 1e-06),
    ("min", "s", 60.0),
    ("h", "s", 3600.0),
    ("d", "s", 86400.0),
    ("wk", "s", 604800.0),
    ("mo", "s", 2629800.0),
    ("a", "s", 31557600.0),
    ("a_t", "s", 31556925.216),
    ("a_g", "s", 31556952.0),
    ("mo_s", "s", 2551442.976),
    ("mo_g", "s", 2629746.0),
    ("K", "K", 1.0),
    ("mK", "K", 0.001),
    ("[degR]", "K", 0.5555555555555556),
    ("C", "C", 1.0),
    ("A", "C.s-1", 1.0),
    ("mA", "C.s-1", 0.001),
    ("V", "C-1.g.m2.s-2", 1000.0),
    ("mV", "C-1.g.m2.s-2", 1.0),
    ("uV", "C-1.g.m2.s-2", 0.001),
    ("Ohm", "C-2.g.m2.s-1", 1000.0),
    ("S", "C2.g-1.m-2.s", 0.001),
    ("F", "C2.g-1.m-2.s2", 0.001),
    ("Wb", "C-1.g.m2.s-1", 1000.0),
    ("T", "C-1.g.s-1", 1000.0),
    ("G", "C-1.g.s-1", 0.1),
    ("H", "C-2.g.m2", 1000.0),
    ("eV", "g.m2.s-2", 1.602176634e-16),
    ("cd", "cd", 1.0),
    ("lm", "cd.rad2", 1.0),
    ("lx", "cd.m-2.rad2", 1.0),
    ("rad", "rad", 1.0),
    ("sr", "rad2", 1.0),
    ("deg", "rad", 0.017453292519943295),
    ("'", "rad", 0.0002908882086657216),
    ("''", "rad", 4.84813681109536e-06),
    ("gon", "rad", 0.015707963267948967),
    ("circ", "rad", std::f64::consts::TAU),
    ("sph", "rad2", 12.566370614359172),
    ("Hz", "s-1", 1.0),
    ("kHz", "s-1", 1000.0),
    ("Bq", "s-1", 1.0),
    ("Ci", "s-1", 37000000000.0),
    ("/min", "s-1", 0.016666666666666666),
    ("{beats}/min", "s-1", 0.016666666666666666),
    ("/h", "s-1", 0.0002777777777777778),
    ("/d", "s-1", 1.1574074074074073e-05),
    ("Bd", "s-1", 1.0),
    ("N", "g.m.s-2", 1000.0),
    ("dyn", "g.m.s-2", 0.01),
    ("gf", "g.m.s-2", 9.80665),
    ("kgf", "g.m.s-2", 9806.65),
    ("[lbf_av]", "g.m.s-2", 4448.2216152605),
    ("Pa", "g.m-1.s-2", 1000.0),
    ("kPa", "g.m-1.s-2", 1000000.0),
    ("hPa", "g.m-1.s-2", 100000.0),
    ("bar", "g.m-1.s-2", 100000000.0),
    ("mbar", "g.m-1.s-2", 100000.0),
    ("atm", "g.m-1.s-2", 101325000.0),
    ("att", "g.m-1.s-2", 98066500.0),
    ("mm[Hg]", "g.m-1.s-2", 133322.0),
    ("m[Hg]", "g.m-1.s-2", 133322000.0),
    ("cm[H2O]", "g.m-1.s-2", 98066.5),
    ("[in_i'Hg]", "g.m-1.s-2", 3386378.8),
    ("[in_i'H2O]", "g.m-1.s-2", 249088.91),
    ("[psi]", "g.m-1.s-2", 6894757.293168361),
    ("J", "g.m2.s-2", 1000.0),
    ("kJ", "g.m2.s-2", 1000000.0),
    ("erg", "g.m2.s-2", 0.0001),
    ("cal", "g.m2.s-2", 4184.0),
    ("kcal", "g.m2.s-2", 4184000.0),
    ("[Cal]", "g.m2.s-2", 4184000.0),
    ("cal_IT", "g.m2.s-2", 4186.8),
    ("cal_[15]", "g.m2.s-2", 4185.8),
    ("kcal_[20]", "g.m2.s-2", 4181900.0),
    ("[Btu]", "g.m2.s-2", 1054350.0),
    ("[Btu_IT]", "g.m2.s-2", 1055055.85262),
    ("W", "g.m2.s-3", 1000.0),
    ("mW", "g.m2.s-3", 1.0),
    ("[HP]", "g.m2.s-3", 745699.8715822703),
    ("Gy", "m2.s-2", 1.0),
    ("mSv", "m2.s-2", 0.001),
    ("RAD", "m2.s-2", 0.01),
    ("REM", "m2.s-2", 0.01),
    ("R", "C.g-1", 2.58e-07),
    ("P", "g.m-1.s-1", 100.0),
    ("cP", "g.m-1.s-1", 1.0),
    ("St", "m2.s-1", 0.0001),
    ("Gal", "m.s-2", 0.01),
    ("[g]", "m.s-2", 9.80665),
    ("[c]", "m.s-1", 299792458.0),
    ("[kn_i]", "m.s-1", 0.5144444444444445),
    ("L", "m3", 0.001),
    ("l", "m3", 0.001),
    ("mL", "m3", 1e-06),
    ("dL", "m3", 0.0001),
    ("uL", "m3", 1e-09),
    ("fL", "m3", 1e-18),
    ("cm3", "m3", 1e-06),
    ("st", "m3", 1.0),
    ("m2", "m2", 1.0),
    ("cm2", "m2", 0.0001),
    ("ar", "m2", 100.0),
    ("har", "m2", 10000.0),
    ("b", "m2", 1e-28),
    ("[in_i]", "m", 0.0254),
    ("[ft_i]", "m", 0.3048),
    ("[yd_i]", "m", 0.9144),
    ("[mi_i]", "m", 1609.344),
    ("[nmi_i]", "m", 1852.0),
    ("[hd_i]", "m", 0.1016),
    ("[mil_i]", "m", 2.54e-05),
    ("[sin_i]", "m2", 0.00064516),
    ("[in_i]2", "m2", 0.00064516),
    ("[cml_i]", "m2", 5.067074790974977e-10),
    ("[ft_us]", "m", 0.3048006096012192),
    ("[acr_us]", "m2", 4046.872609874252),
    ("[mi_us]", "m", 1609.3472186944373),
    ("[in_br]", "m", 0.02539998),
    ("[acr_br]", "m2", 4046.850049400269),
    ("[smoot]", "m", 1.7018),
    ("[pnt]", "m", 0.00035277777777777776),
    ("[didot]", "m", 0.00037592592592592593),
    ("Ao", "m", 1e-10),
    ("[ly]", "m", 9460730472580800.0),
    ("AU", "m", 149597870691.0),
    ("pc", "m", 3.085678e+16),
    ("[Ch]", "m", 0.0003333333333333333),
    ("[gal_us]", "m3", 0.003785411784),
    ("[foz_us]", "m3", 2.95735295625e-05),
    ("[tsp_us]", "m3", 4.92892159375e-06),
    ("[cup_us]", "m3", 0.0002365882365),
    ("[pt_us]", "m3", 0.000473176473),
    ("[min_us]", "m3", 6.1611519921875e-08),
    ("[bu_us]", "m3", 0.03523907016688),
    ("[dpt_us]", "m3", 0.0005506104713575),
    ("[gal_br]", "m3", 0.00454609),
    ("[foz_br]", "m3", 2.84130625e-05),
    ("[tsp_m]", "m3", 5e-06),
    ("[drp]", "m3", 5e-08),
    ("[gr]", "g", 0.06479891),
    ("[lb_av]", "g", 453.59237),
    ("[oz_av]", "g", 28.349523125),
    ("[dr_av]", "g", 1.7718451953125),
    ("[stone_av]", "g", 6350.29318),
    ("[ston_av]", "g", 907184.74),
    ("[lton_av]", "g", 1016046.9088),
    ("[oz_tr]", "g", 31.1034768),
    ("[lb_tr]", "g", 373.2417216),
    ("[dr_ap]", "g", 3.8879346),
    ("[car_m]", "g", 0.2),
    ("u", "g", 1.6605390666e-24),
    ("1", "1", 1.0),
    ("%", "1", 0.01),
    ("[ppth]", "1", 0.001),
    ("[ppm]", "1", 1e-06),
    ("[ppb]", "1", 1e-09),
    ("[pptr]", "1", 1e-12),
    ("{score}", "1", 1.0),
    ("10*3", "1", 1000.0),
    ("10^-2", "1", 0.01),
    ("10*", "1", 10.0),
    ("100", "1", 100.0),
    ("[pi]", "1", std::f64::consts::PI),
    ("[car_Au]", "1", 0.041666666666666664),
    ("KiBy", "1", 8192.0),
    ("[HPF]", "1", 1.0),
    ("/[HPF]", "1", 1.0),
    ("/[LPF]", "1", 0.01),
    ("[hnsf'U]", "1", 1.0),
    ("mol", "1", 6.02214076e+23),
    ("mmol", "1", 6.02214076e+20),
    ("meq", "1", 6.02214076e+20),
    ("mosm", "1", 6.02214076e+20),
    ("mmol/mol", "1", 0.001),
    ("mmol/L", "m-3", 6.02214076e+23),
    ("umol/L", "m-3", 6.02214076e+20),
    ("meq/L", "m-3", 6.02214076e+23),
    ("mosm/kg", "g-1", 6.02214076e+17),
    ("mosm/L", "m-3", 6.02214076e+23),
    ("mmol/kg", "g-1", 6.02214076e+17),
    ("kat", "s-1", 6.02214076e+23),
    ("nkat", "s-1", 602214076000000.0),
    ("U", "s-1", 1.0036901266666666e+16),
    ("U/L", "m-3.s-1", 1.0036901266666666e+19),
    ("mU/mL", "m-3.s-1", 1.0036901266666666e+19),
    ("kU/L", "m-3.s-1", 1.0036901266666667e+22),
    ("mg/dL", "g.m-3", 10.0),
    ("g/L", "g.m-3", 1000.0),
    ("g/dL", "g.m-3", 10000.0),
    ("g%", "g.m-3", 10000.0),
    ("ug/mL", "g.m-3", 1.0),
    ("ng/mL", "g.m-3", 0.001),
    ("pg/mL", "g.m-3", 1e-06),
    ("mg/L", "g.m-3", 1.0),
    ("10*3/uL", "m-3", 1000000000000.0),
    ("10*9/L", "m-3", 1000000000000.0),
    ("10*6/uL", "m-3", 1000000000000000.0),
    ("/uL", "m-3", 1000000000.0),
    ("{cells}/uL", "m-3", 1000000000.0),
    ("10*12/L", "m-3", 1000000000000000.0),
    ("kg/m2", "g.m-2", 1000.0),
    ("mL/min", "m3.s-1", 1.6666666666666667e-08),
    ("mL/min/{1.73_m2}", "m3.s-1", 1.6666666666666667e-08),
    ("L/min/m2", "m.s-1", 1.6666666666666667e-05),
    ("ug/kg/h", "s-1", 2.777777777777778e-13),
    ("ug/kg/min", "s-1", 1.6666666666666667e-11),
    ("mg/kg", "1", 1e-06),
    ("mg/g{creat}", "1", 0.001),
    ("ug/(kg.h)", "s-1", 2.777777777777778e-13),
    ("mL/kg", "g-1.m3", 1e-09),
    ("mg/(24.h)", "g.s-1", 1.1574074074074074e-08),
    ("m/s", "m.s-1", 1.0),
    ("km/h", "m.s-1", 0.2777777777777778),
    ("mm/h", "m.s-1", 2.7777777777777776e-07),
    ("kg.m/s2", "g.m.s-2", 1000.0),
    ("dyn.s/cm5", "g.m-4.s-1", 100000000.0),
    ("[wood'U]", "g.m-4.s-1", 7999320000.0),
    ("[PRU]", "g.m-4.s-1", 133322000000.0),
    ("[MET]", "g-1.m3.s-1", 5.833333333333334e-11),
    ("[diop]", "m-1", 1.0),
    ("[mesh_i]", "m-1", 39.37007874015748),
    ("Ky", "m-1", 100.0),
    ("[S]", "s", 1e-13),
    ("tex", "g.m-1", 0.001),
    ("[den]", "g.m-1", 0.00011111111111111112),
    ("m0", "1", 1.0),
    ("4.[pi]", "1", 12.566370614359172),
    ("/m/s", "m-1.s-1", 1.0),
    ("m/(s/m)", "m2.s-1", 1.0),
    ("[iU]", "[iU]", 1.0),
    ("[IU]", "[iU]", 1.0),
    ("[iU]/L", "[iU].m-3", 1000.0),
    ("m[iU]/mL", "[iU].m-3", 1000.0),
    ("k[IU]/L", "[iU].m-3", 1000000.0),
    ("[arb'U]/mL", "[arb'U].m-3", 1000000.0),
    ("[CFU]/mL", "[CFU].m-3", 1000000.0),
    ("ug{FEU}/mL", "g.m-3", 1.0),
    ("[pH]", "[pH]", 1.0),
    ("dB", "B", 0.1),
    ("dB[SPL]", "B[SPL]", 0.1),
    ("Np", "Np", 1.0),
    ("B[10.nV]", "B[10.nV]", 1.0),
    ("[m/s2/Hz^(1/2)]", "[m/s2/Hz^(1/2)]", 1.0),
    ("%[slope]", "%[slope]", 1.0),
];
