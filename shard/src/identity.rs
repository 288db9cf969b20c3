//! Who a data folder belongs to: `meta.properties`, as Kafka writes it, with the version of our own formats beside it.
//!
//! The file is written once, on the first start. A folder of another node, or one that a newer release has written, is
//! refused: a mixed-up folder would serve one cluster's records under another's names.

use std::collections::BTreeMap;
use std::path::Path;

use engine::disk::Disk;
use engine::error::EngineError;
use wire::Uuid;

use crate::start::StartError;

/// Kafka's file of that name (`MetaProperties`, version 1).
const FILE: &str = "meta.properties";
const FILE_BYTES_MAX: usize = 64 << 10;
/// The version of what this release writes: journal, checkpoint, segments and their neighbours.
const FORMAT_VERSION: u32 = 1;

/// A data folder's owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The cluster's id: a [`Uuid`] in Kafka's text form, or what another tool has formatted the folder with.
    pub cluster_id: String,
    /// This node's id.
    pub node_id: i32,
    /// The folder's own id.
    pub directory_id: Uuid,
}

/// Reads the folder's identity, or gives it one. `random` makes the ids of a new folder.
pub(crate) async fn establish<D: Disk>(
    disk: &D,
    data_dir: &Path,
    node_id: i32,
    mut random: impl FnMut() -> u128,
) -> Result<Identity, StartError> {
    let path = data_dir.join(FILE);
    if let Some(identity) = read(disk, data_dir).await? {
        if identity.node_id != node_id {
            let reason = format!("it belongs to node {}, but node.id is {node_id}", identity.node_id);
            return Err(StartError::Identity { path, reason });
        }
        return Ok(identity);
    }
    let identity = Identity {
        cluster_id: Uuid::from_u128(random()).to_string(),
        node_id,
        directory_id: Uuid::from_u128(random()),
    };
    write(disk, &path, &identity).await?;
    Ok(identity)
}

/// The folder's identity, if it has one.
pub(crate) async fn read<D: Disk>(disk: &D, data_dir: &Path) -> Result<Option<Identity>, StartError> {
    let path = data_dir.join(FILE);
    match engine::files::read_file(disk, &path, FILE_BYTES_MAX).await {
        Ok(bytes) => match parse(&String::from_utf8_lossy(&bytes)) {
            Ok(identity) => Ok(Some(identity)),
            Err(reason) => Err(StartError::Identity { path, reason }),
        },
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn write<D: Disk>(disk: &D, path: &Path, identity: &Identity) -> Result<(), EngineError> {
    let Identity { cluster_id, node_id, directory_id } = identity;
    let text = format!(
        "version=1\ncluster.id={cluster_id}\nnode.id={node_id}\ndirectory.id={directory_id}\n\
         partita.format.version={FORMAT_VERSION}\npartita.format.version.reader.min={FORMAT_VERSION}\n\
         partita.format.version.writer.min={FORMAT_VERSION}\n"
    );
    engine::files::write_file(disk, path, text.as_bytes()).await
}

fn parse(text: &str) -> Result<Identity, String> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let properties: BTreeMap<&str, &str> =
        lines.filter_map(|line| line.split_once('=')).map(|(key, value)| (key.trim(), value.trim())).collect();
    let property = |key: &str| properties.get(key).copied().ok_or_else(|| format!("{key} is missing"));
    let writer_min = property("partita.format.version.writer.min")?;
    if writer_min.parse::<u32>().map_or(true, |version| version > FORMAT_VERSION) {
        return Err(format!(
            "the folder needs a release that writes format {writer_min}, and this one writes {FORMAT_VERSION}: \
             start it with the newer release"
        ));
    }
    let node_id = property("node.id")?;
    let directory_id = property("directory.id")?;
    Ok(Identity {
        cluster_id: property("cluster.id")?.to_owned(),
        node_id: node_id.parse().map_err(|_| format!("node.id is {node_id:?}, not a number"))?,
        directory_id: directory_id.parse().map_err(|_| format!("directory.id is {directory_id:?}, not an id"))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: &str = "#comment\nversion=1\ncluster.id=abc\nnode.id=1\ndirectory.id=AAAAAAAAAAAAAAAAAAAAAQ\n\
                       partita.format.version.writer.min=1\n";

    #[test]
    fn a_newer_format_is_refused() {
        assert_eq!(parse(NEW).map(|identity| identity.cluster_id), Ok("abc".into()));
        let newer = NEW.replace("writer.min=1", "writer.min=2");
        assert!(parse(&newer).unwrap_err().contains("newer release"));
    }

    #[test]
    fn what_is_missing_or_no_number_is_named() {
        assert_eq!(parse("node.id=1\npartita.format.version.writer.min=1"), Err("directory.id is missing".into()));
        assert!(parse(&NEW.replace("node.id=1", "node.id=one")).unwrap_err().contains("\"one\""));
    }
}
