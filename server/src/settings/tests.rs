//! Which word counts, and what a wrong one is told.

use std::io::Write;

use super::*;

fn flags(set: &[&str]) -> SettingFlags {
    SettingFlags { set: set.iter().map(|text| (*text).to_owned()).collect(), ..SettingFlags::default() }
}

fn environment(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(text.as_bytes()).expect("written");
    file
}

fn with_file(text: &str) -> Result<Settings, SettingsError> {
    let file = file(text);
    Settings::gather(&SettingFlags { config: Some(file.path().to_owned()), ..SettingFlags::default() }, [])
}

#[test]
fn a_flag_outweighs_the_environment_which_outweighs_the_file() {
    let file = file("num.partitions = 2\nmessage.max.bytes = 2000\nnode.id = 2\n");
    let flags = SettingFlags { config: Some(file.path().to_owned()), ..flags(&["num.partitions=4"]) };
    let environment = environment(&[("PARTITA_NUM_PARTITIONS", "3"), ("PARTITA_MESSAGE_MAX_BYTES", "3000")]);
    let settings = Settings::gather(&flags, environment).expect("all known");
    let value = |name| settings.get(name).map(|(value, _)| value);
    assert_eq!(value("num.partitions"), Some("4"));
    assert_eq!(value("message.max.bytes"), Some("3000"));
    assert_eq!(value("node.id"), Some("2"));
    assert_eq!(value("cores"), None);
    let config = settings.broker_config().expect("valid");
    assert_eq!((config.num_partitions, config.node_id), (4, 2));
}

#[test]
fn dotted_keys_tables_and_quoted_keys_are_the_same() {
    for text in [
        "log.retention.ms = 5",
        "[log.retention]\nms = 5",
        "\"log.retention.ms\" = \"5\"",
        "log = { retention.ms = 0x5 }",
    ] {
        let settings = with_file(text).expect("valid");
        assert_eq!(settings.get("log.retention.ms").map(|(value, _)| value), Some("5"), "{text}");
    }
    let settings =
        with_file("listeners = [\"A://h:1\", \"B://h:2\"]\nauto.create.topics.enable = false").expect("valid");
    let config = settings.broker_config().expect("valid");
    assert_eq!(config.listeners.len(), 2);
    assert!(!config.auto_create_topics_enable);
}

#[test]
fn an_unknown_key_names_its_place_and_the_nearest_one() {
    let error = with_file("node.id = 1\n\nnum.partition = 3\n").expect_err("no such key").to_string();
    assert!(error.contains(", line 3: ") && error.contains("did you mean num.partitions?"), "{error}");
    let error = Settings::gather(&flags(&["log.dirs=/x"]), []).expect_err("Kafka's name").to_string();
    assert!(error.contains("flag --set log.dirs=/x") && error.contains("did you mean data.dir?"), "{error}");
    let typo = environment(&[("PARTITA_NUM_PARTITION", "3")]);
    let error = Settings::gather(&flags(&[]), typo).expect_err("no such key").to_string();
    assert!(error.contains("PARTITA_NUM_PARTITION") && error.contains("num.partitions"), "{error}");
}

#[test]
fn a_wrong_value_names_its_place() {
    let error = with_file("num.partitions = 0").expect_err("below 1").to_string();
    assert!(error.contains("line 1") && error.contains("at least 1"), "{error}");
    let error = with_file("num.partitions = 1.5").expect_err("a float").to_string();
    assert!(error.contains("num.partitions is a TOML float"), "{error}");
    let error = with_file("num.partitions =").expect_err("no TOML").to_string();
    assert!(error.contains("is not valid TOML"), "{error}");
    let error = Settings::gather(&flags(&["cores"]), []).expect_err("no value").to_string();
    assert!(error.contains("KEY=VALUE"), "{error}");
}

#[test]
fn a_contradiction_names_the_place_of_the_one_that_was_written() {
    let flags = SettingFlags { listen: Some("0.0.0.0:9092".into()), ..SettingFlags::default() };
    let settings = Settings::gather(&flags, []).expect("all known");
    let error = settings.broker_config().expect_err("a wildcard tells clients nothing").to_string();
    assert!(error.contains("advertised.listeners"), "{error}");
    let ok = SettingFlags { set: vec!["advertised.listeners=PLAINTEXT://h:9092".into()], ..flags };
    Settings::gather(&ok, []).expect("all known").broker_config().expect("valid");
}

#[test]
fn variables_that_are_not_settings_are_passed_over() {
    let others = environment(&[
        ("PATH", "/bin"),
        ("PARTITA_BOOTSTRAP_SERVER", "h:1"),
        ("PARTITA_PORT", "tcp://10.0.0.1:9092"),
        ("PARTITA_PORT_9092_TCP_ADDR", "10.0.0.1"),
        ("PARTITA_SERVICE_HOST", "10.0.0.1"),
    ]);
    assert_eq!(Settings::gather(&flags(&[]), others).expect("nothing of ours"), Settings::default());
}

#[test]
fn every_key_has_a_variable_of_its_own() {
    let variables: std::collections::BTreeSet<String> =
        BROKER_KEYS.iter().map(|key| environment_variable(key.name)).collect();
    assert_eq!(variables.len(), BROKER_KEYS.len());
    for variable in &variables {
        let rest = variable.strip_prefix(ENVIRONMENT_PREFIX).expect("ours");
        assert!(!OTHER_VARIABLES.contains(&variable.as_str()) && !is_kubernetes(rest), "{variable}");
    }
}
