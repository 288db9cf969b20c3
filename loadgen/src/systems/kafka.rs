//! Apache Kafka, one node in KRaft mode, with the settings of its own `config/server.properties` and the flags of its own scripts.
//!
//! Deviations from what is shipped, for both flavours: ports and folders; `group.initial.rebalance.delay.ms=0`, so that a group of a
//! known size does not wait for more; `broker.session.timeout.ms` of half an hour, because it is frozen while others are measured.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::fetch::{kafka_jars, kafka_version, run_to_end};
use super::page_cache::warm_page_cache;
use super::process::{ServerProcess, free_addresses, kept};
use super::{Options, Running, System, SystemError, wait_until_answering};
use crate::result::{Durability, SystemInfo};

/// `KAFKA_HEAP_OPTS` of kafka-server-start.sh.
const HEAP: [&str; 2] = ["-Xms1g", "-Xmx1g"];
/// `KAFKA_JVM_PERFORMANCE_OPTS` of kafka-run-class.sh.
const JVM: [&str; 7] = [
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
    "-XX:MaxInlineLevel=15",
    "-Djava.awt.headless=true",
];
/// Any will do: the cluster lives as long as its folder.
const CLUSTER_ID: &str = "4L6g3nShT-eMCtK--X86sw";

pub(super) fn start(system: &System, options: &Options) -> Result<Running, SystemError> {
    let java = java();
    check_java(&java)?;
    let jars = kafka_jars()?;
    let home = TempDir::with_prefix_in("loadgen-kafka-", &options.data)
        .map_err(SystemError::io(format!("cannot make a folder in {}", options.data.display())))?;
    if system.durability() != Durability::FlushedBeforeAck {
        warm_page_cache(home.path(), options.page_cache_bytes)
            .map_err(SystemError::io(format!("cannot warm the page cache in {}", options.data.display())))?;
    }
    let [listener, controller] = free_addresses().map_err(SystemError::io("cannot find free ports"))?;
    let properties = properties(system, listener, controller, &home.path().join("data"), &options.settings);
    let file = home.path().join("server.properties");
    fs::write(&file, &properties).map_err(SystemError::io(format!("cannot write {}", file.display())))?;
    format_storage(&java, &jars, &file)?;
    let mut command = Command::new(&java);
    command.args(HEAP).args(JVM).args(class_path(&jars)).arg("kafka.Kafka").arg(&file);
    let mut process = ServerProcess::start(command, options.cpus.as_ref(), home.path().join("log"))
        .map_err(SystemError::io(format!("cannot start {}", java.display())))?;
    wait_until_answering(&mut process, system.name(), &listener.to_string())?;
    let info = SystemInfo {
        name: system.name().to_owned(),
        version: kafka_version().to_owned(),
        revision: String::new(),
        durability: system.durability(),
    };
    let settings: Vec<String> = properties.lines().map(kept).collect();
    let conf = format!("# {}\n{}\n", kept(process.command()), settings.join("\n"));
    let (system, bootstrap) = (system.clone(), listener.to_string());
    Ok(Running { system, bootstrap, info, conf, process: Some(process), data: Some(home) })
}

fn java() -> PathBuf {
    match std::env::var_os("JAVA_HOME").filter(|home| !home.is_empty()) {
        Some(home) => Path::new(&home).join("bin/java"),
        None => PathBuf::from("java"),
    }
}

fn check_java(java: &Path) -> Result<(), SystemError> {
    let mut command = Command::new(java);
    command.arg("-version");
    run_to_end(command, "asking Java for its version", || SystemError::Missing {
        program: "Java",
        system: "kafka",
        remedy: "install version 17 or newer (Debian: apt-get install default-jre-headless), set JAVA_HOME to where it is, or give the \
                 address of a Kafka that runs",
    })
}

fn class_path(jars: &Path) -> [String; 3] {
    let log4j = format!("-Dlog4j2.configurationFile={}", jars.join("log4j2.xml").display());
    [log4j, "-cp".to_owned(), jars.join("*").display().to_string()]
}

/// Kafka's config/server.properties where it differs from the built-in defaults, our deviations, then what the user sets.
fn properties(
    system: &System,
    listener: SocketAddr,
    controller: SocketAddr,
    data: &Path,
    settings: &[(String, String)],
) -> String {
    let mut text = format!(
        "process.roles=broker,controller\n\
         node.id=1\n\
         controller.quorum.voters=1@{controller}\n\
         controller.listener.names=CONTROLLER\n\
         listeners=PLAINTEXT://{listener},CONTROLLER://{controller}\n\
         log.dirs={}\n\
         num.network.threads=3\n\
         num.io.threads=8\n\
         socket.send.buffer.bytes=102400\n\
         socket.receive.buffer.bytes=102400\n\
         num.recovery.threads.per.data.dir=1\n\
         offsets.topic.replication.factor=1\n\
         share.coordinator.state.topic.replication.factor=1\n\
         share.coordinator.state.topic.min.isr=1\n\
         transaction.state.log.replication.factor=1\n\
         transaction.state.log.min.isr=1\n\
         group.initial.rebalance.delay.ms=0\n\
         broker.session.timeout.ms=1800000\n",
        data.display()
    );
    if system.durability() == Durability::FlushedBeforeAck {
        text.push_str("log.flush.interval.messages=1\n");
    }
    for (key, value) in settings {
        text.push_str(&format!("{key}={value}\n"));
    }
    text
}

fn format_storage(java: &Path, jars: &Path, properties: &Path) -> Result<(), SystemError> {
    let mut command = Command::new(java);
    // The tool lives for a second: the cheap compiler and collector start fastest.
    command.args(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"]).args(class_path(jars));
    command.args(["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c"]).arg(properties);
    run_to_end(command, "formatting Kafka's folder", || SystemError::Missing {
        program: "Java",
        system: "kafka",
        remedy: "install version 17 or newer",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_flushed_flavour_flushes_and_the_users_word_comes_last() {
        let address = SocketAddr::from(([127, 0, 0, 1], 9));
        let settings = [("num.io.threads".to_owned(), "4".to_owned())];
        let text = |system| properties(&system, address, address, Path::new("/d"), &settings);
        assert!(!text(System::Kafka).contains("flush"));
        assert!(text(System::KafkaFlush).contains("\nlog.flush.interval.messages=1\n"));
        // java.util.Properties takes the last word.
        assert!(text(System::Kafka).ends_with("\nnum.io.threads=4\n"));
    }

    #[test]
    fn the_version_is_that_of_the_pom() {
        assert_eq!(kafka_version(), "4.3.1");
    }
}
