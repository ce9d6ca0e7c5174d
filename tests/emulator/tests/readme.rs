//! What the README shows is what the crate takes.

use junfeiai_emulator::{Scenario, TaskSpec};

fn blocks(language: &str) -> Vec<String> {
    let readme = include_str!("../README.md");
    let start = format!("```{language}\n");
    readme.split(start.as_str()).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn examples_are_valid() {
    let scenarios = blocks("json");
    assert_eq!(scenarios.len(), 2);
    for text in scenarios {
        let scenario = Scenario::from_json(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        // What the emulator shows of a scenario can be given back to it.
        let shown = serde_json::to_string(&scenario).unwrap();
        assert_eq!(Scenario::from_json(&shown).unwrap(), scenario);
    }
    for text in blocks("json task") {
        assert_eq!(TaskSpec::from_json(&text).unwrap().plan.video_bytes, Some(8 << 20));
    }
}

#[test]
fn the_full_example_names_every_field() {
    let text = blocks("json").remove(0);
    let example: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut full = serde_json::to_value(Scenario::from_json(&text).unwrap()).unwrap();
    full["rules"] = example["rules"].clone();
    compare("", &full, &example);
}

fn compare(at: &str, full: &serde_json::Value, example: &serde_json::Value) {
    match full {
        serde_json::Value::Object(fields) => {
            for (name, value) in fields {
                let shown = example.get(name).unwrap_or_else(|| panic!("{at}{name} is not in the README"));
                compare(&format!("{at}{name}."), value, shown);
            }
        }
        serde_json::Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                compare(at, item, &example[index]);
            }
        }
        _ => {}
    }
}

/// The table of what was observed: every row, each with a test that there is.
#[test]
fn every_row_of_what_was_observed_names_its_test() {
    let (readme, tests) = (include_str!("../README.md"), include_str!("truth.rs"));
    let rows: Vec<Vec<&str>> = readme
        .lines()
        .filter(|line| line.starts_with("| ") && line.as_bytes()[2].is_ascii_digit())
        .map(|line| line.split(" | ").collect())
        .collect();
    let numbers: Vec<String> = rows.iter().map(|row| row[0].trim_start_matches("| ").to_owned()).collect();
    assert_eq!(numbers, (1..=38).map(|number| number.to_string()).collect::<Vec<_>>());
    for row in rows {
        assert_eq!(row.len(), 4, "{row:?}");
        for name in row[3].split('`').skip(1).step_by(2) {
            assert!(tests.contains(&format!("#[test]\nfn {name}()")), "{row:?}");
        }
        assert!(row[3].contains('`'), "{row:?}");
    }
}
