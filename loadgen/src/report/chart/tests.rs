//! Each picture against a golden file, and what pictures must withstand. `GOLDEN=write cargo test -p loadgen golden` writes
//! the files anew; look at them then.

use super::*;
use crate::compare::report::Finding;

fn matches_golden(name: &str, found: &Markup) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/report/chart/golden").join(name);
    // An element a line, so that a difference is readable.
    let found = found.0.replace("><", ">\n<") + "\n";
    if std::env::var("GOLDEN").is_ok_and(|wish| wish == "write") {
        std::fs::write(&path, &found).expect("the golden folder is there");
    }
    let expected = std::fs::read_to_string(&path).expect("the golden file is there");
    assert!(found == expected, "{name} differs; found:\n{found}");
}

fn axis(label: &str, quantity: Quantity, scale: Scale) -> Axis {
    Axis { label: label.to_owned(), quantity, scale }
}

fn load_curve() -> XyChart {
    let line =
        |label: &str, look, points: &[(f64, f64)]| Line { label: label.to_owned(), look, points: points.to_vec() };
    XyChart {
        name: "response latency over load".to_owned(),
        x: axis("offered load", Quantity::PerSecond, Scale::Linear),
        y: axis("p99 response latency", Quantity::Microseconds, Scale::Log),
        lines: vec![
            line("acks=1", 0, &[(1e4, 900.0), (5e4, 1_100.0), (9e4, 4_000.0), (1e5, 250_000.0)]),
            line("acks=all", 1, &[(1e4, 1_900.0), (5e4, 2_500.0), (8e4, f64::NAN), (1e5, 2_500_000.0)]),
        ],
        marks: vec![],
    }
}

fn heat_map() -> HeatMap {
    let cell = |value, detail: &str, doubtful| Some(Cell { value, detail: detail.to_owned(), doubtful });
    HeatMap {
        name: "records a second by acks and partitions".to_owned(),
        column_label: "partitions".to_owned(),
        columns: ["1", "12", "1000"].map(str::to_owned).to_vec(),
        row_label: "acks".to_owned(),
        rows: ["0", "all"].map(str::to_owned).to_vec(),
        cells: vec![
            vec![cell(812_000.0, "p99 1 ms", false), cell(790_000.0, "p99 2 ms", true), None],
            vec![cell(301_000.0, "", false), cell(299_000.0, "", false), cell(40_000.0, "p99 > 1 s", false)],
        ],
        quantity: Quantity::PerSecond,
        scale: Scale::Log,
        ends: None,
    }
}

fn ratio(label: &str, value: f64, interval: Option<(f64, f64)>, finding: Finding) -> Ratio {
    let points = vec![value * 0.9, value * 1.1];
    Ratio { label: label.to_owned(), value, interval, points, spread: Some(1.08), finding }
}

#[test]
fn golden_load_curve() {
    matches_golden("load-curve.svg", &load_curve().draw());
}

#[test]
fn golden_percentile_curve() {
    let points = [(0.0, 80.0), (0.5, 210.0), (0.9, 480.0), (0.99, 2_000.0), (0.999, 9_100.0)].to_vec();
    let chart = XyChart {
        name: "latency by percentile".to_owned(),
        x: axis("percentile", Quantity::Count, Scale::Nines),
        y: axis("response latency", Quantity::Microseconds, Scale::Log),
        lines: vec![Line { label: "acks=all".to_owned(), look: 2, points }],
        marks: vec![],
    };
    matches_golden("percentile-curve.svg", &chart.draw());
}

#[test]
fn golden_time_series_with_events() {
    let points = (0..40).map(|second| (f64::from(second), if second == 12 { 0.0 } else { 50_000.0 })).collect();
    let chart = XyChart {
        name: "records delivered each second".to_owned(),
        x: axis("since the start", Quantity::Seconds, Scale::Time),
        y: axis("delivered", Quantity::PerSecond, Scale::Linear),
        lines: vec![Line { label: "group g1".to_owned(), look: 3, points }],
        marks: vec![Mark { x: 12.0, label: "member 2 <killed>".to_owned() }],
    };
    matches_golden("time-series.svg", &chart.draw());
}

#[test]
fn golden_heat_map() {
    matches_golden("heat-map.svg", &heat_map().draw());
}

#[test]
fn golden_bars() {
    let bar = |label: &str, look, value, interval| Bar {
        label: label.to_owned(),
        look,
        value,
        interval,
        points: vec![value],
    };
    let bars = vec![bar("partita, acks=all", 0, 1.23, Some((1.1, 1.4))), bar("kafka, acks=all", 1, 3.5, None)];
    let chart = BarChart { name: "CPU".to_owned(), quantity: Quantity::CpuSecondsPerGigabyte, bars };
    matches_golden("bars.svg", &chart.draw());
}

#[test]
fn golden_ratios() {
    let ratios = vec![
        ratio("throughput", 3.25, Some((1.89, 5.6)), Finding::Better),
        ratio("p99 response", 0.215, Some((0.196, 0.236)), Finding::Worse),
        ratio("peak memory", 1.05, Some((0.98, 1.12)), Finding::Open),
        ratio("flushes", 7.0, None, Finding::Open),
    ];
    let (first, second) = ("partita".to_owned(), "kafka".to_owned());
    let chart = RatioChart { name: "partita / kafka".to_owned(), first, second, ratios };
    matches_golden("ratios.svg", &chart.draw());
}

#[test]
fn names_from_outside_cannot_leave_the_text_that_they_stand_in() {
    let evil = "</text></svg><script>alert(1)</script>\"'&";
    let mut chart = load_curve();
    (chart.name, chart.lines[0].label, chart.x.label) = (evil.to_owned(), evil.to_owned(), evil.to_owned());
    chart.marks.push(Mark { x: 2e4, label: evil.to_owned() });
    let mut map = heat_map();
    (map.rows[0], map.columns[0], map.name) = (evil.to_owned(), evil.to_owned(), evil.to_owned());
    let ratios = vec![ratio(evil, 2.0, None, Finding::Open)];
    let (first, second) = (evil.to_owned(), evil.to_owned());
    let ratios = RatioChart { name: evil.to_owned(), first, second, ratios };
    let bars = vec![Bar { label: evil.to_owned(), look: 0, value: 1.0, interval: None, points: vec![] }];
    let bars = BarChart { name: evil.to_owned(), quantity: Quantity::Count, bars };
    for drawn in [chart.draw(), map.draw(), ratios.draw(), bars.draw()] {
        assert!(!drawn.0.contains("<script") && !drawn.0.contains("\"'&\""), "{}", drawn.0);
        assert!(drawn.0.contains("&lt;/text&gt;"), "the name is there: {}", drawn.0);
        assert_eq!(drawn.0.matches("</svg>").count(), 1);
    }
}

#[test]
fn values_that_no_axis_can_show_are_left_out() {
    let mut chart = load_curve();
    let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -1.0, 1e308, 1e-308];
    chart.lines[0].points = odd.iter().flat_map(|x| odd.iter().map(|y| (*x, *y))).collect();
    let bars = odd.map(|value| Bar {
        label: String::new(),
        look: 9,
        value,
        interval: Some((value, value)),
        points: vec![value],
    });
    let bars = BarChart { name: String::new(), quantity: Quantity::Bytes, bars: bars.to_vec() };
    let mut map = heat_map();
    for (cell, value) in map.cells.iter_mut().flatten().flatten().zip(odd) {
        cell.value = value;
    }
    let ratios = odd.map(|value| ratio("", value, Some((value, value)), Finding::Better)).to_vec();
    let names = || (String::new(), String::new(), String::new());
    let (name, first, second) = names();
    let ratios = RatioChart { name, first, second, ratios };
    for drawn in [chart.draw(), bars.draw(), map.draw(), ratios.draw()] {
        let numbers = drawn.0.split(['"', ' ', 'M', 'L']).filter(|word| ["NaN", "inf", "-inf"].contains(word));
        assert_eq!(numbers.count(), 0, "{}", drawn.0);
    }
}

#[test]
fn a_long_series_is_thinned_out() {
    let mut chart = load_curve();
    chart.lines.truncate(1);
    chart.lines[0].points = (1..100_000).map(|x| (f64::from(x), f64::from(x))).collect();
    let drawn = chart.draw().0;
    assert!(drawn.len() < 20_000, "{} bytes", drawn.len());
    let marks = drawn.matches("class=\"mark").count();
    assert!((3..20).contains(&marks), "{marks} marks tell the line from others, and no more");
}
