//! What the command line takes and refuses.

use clap::CommandFactory;

use super::*;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split(' '))
}

#[test]
fn the_commands_are_well_formed() {
    Cli::command().debug_assert();
}

#[test]
fn a_topic_is_named_either_way_and_exactly_once() {
    parse("partita topic create --topic demo_1 --bootstrap-server localhost:9092 --partitions 2")
        .expect("as Kafka's tool");
    parse("partita topic create demo_1 --partitions 2").expect("positional");
    parse("partita consume --topic t --from-beginning --group g --max-messages 3").expect("as Kafka's tool");
    parse("partita consume t --group g --client-id c --commit-interval-ms 100 --heartbeat-interval-ms 500")
        .expect("a member");
    parse("partita consume t --group g --group-protocol consumer --group-instance-id i").expect("a static member");
    parse("partita produce t --acks all --compression zstd --header a=b --key-separator :").expect("positional");
    for line in [
        "partita topic create --partitions 2",
        "partita topic create a --topic b",
        "partita produce",
        "partita consume a --topic b",
        "partita consume a --group g --partition 1",
        "partita consume a --commit-interval-ms 100",
        "partita consume a --group-protocol consumer",
        "partita consume a --group-instance-id i",
        "partita consume a --group g --group-protocol eager",
        "partita topic create a --partitions 0",
        "partita topic create a --config novalue",
        "partita produce a --acks 2",
    ] {
        let error = parse(line).expect_err(line);
        assert_eq!(error.exit_code(), 2, "{line}");
    }
}

#[test]
fn a_reset_needs_one_target_and_one_scope() {
    for line in [
        "partita group reset g --topic t:0,2-4 --topic u --to-earliest",
        "partita group reset --group g --all-topics --shift-by -5 --execute",
        "partita group reset g --from-file f --dry-run",
        "partita group reset g --topic t --by-duration PT1H --export",
    ] {
        parse(line).expect(line);
    }
    for line in [
        "partita group reset --topic t --to-earliest",
        "partita group reset g --topic t",
        "partita group reset g --to-earliest",
        "partita group reset g --topic t --to-earliest --to-latest",
        "partita group reset g --topic t --all-topics --to-earliest",
        "partita group reset g --topic t --from-file f",
        "partita group reset g --topic t:x --to-earliest",
        "partita group reset g --topic t --to-offset -1",
        "partita group reset g --topic t --to-earliest --execute --dry-run",
        "partita group delete",
        "partita group delete g --topic t",
        "partita group delete g --offsets",
        "partita group list --state Unheard",
    ] {
        assert_eq!(parse(line).expect_err(line).exit_code(), 2, "{line}");
    }
}

#[test]
fn plain_partita_serves_and_takes_its_flags() {
    for line in ["partita", "partita --listen 127.0.0.1:1 --cores 1 --set num.partitions=3 --log-format json"] {
        assert!(parse(line).expect(line).command.is_none(), "{line}");
    }
    let serve = parse("partita serve --data-dir d --config f.toml --log-level debug").expect("the same flags");
    assert!(matches!(serve.command, Some(Command::Serve(_))));
    assert!(parse("partita --listen 127.0.0.1:1 topic list").is_err(), "flags of serve go with serve only");
}

#[test]
fn completions_know_the_subcommands() {
    for shell in [clap_complete::Shell::Bash, clap_complete::Shell::Zsh, clap_complete::Shell::Fish] {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "partita", &mut script);
        let script = String::from_utf8(script).expect("text");
        assert!(script.contains("describe") && script.contains("bootstrap-server"), "{shell}");
    }
}

#[test]
fn tables_align_and_leave_no_trailing_spaces() {
    let mut table = output::Table::new(&["A", "LONGER"]);
    table.row(["value".to_owned(), String::new()]);
    assert_eq!(table.render(), "A      LONGER\nvalue\n");
}
