//! Addresses to listen on and to be told to clients: `NAME://host:port`.
//!
//! Deviation: the name may be left out (`host:port` is `PLAINTEXT://host:port`), and any name that is not one of Kafka's
//! encrypted or authenticated protocols stands for plain text; there is no listener.security.protocol.map.

use std::fmt;

use super::ConfigError;

const PLAINTEXT: &str = "PLAINTEXT";
const UNSUPPORTED_PROTOCOLS: &[&str] = &["SSL", "SASL_PLAINTEXT", "SASL_SSL", "CONTROLLER"];

/// A named address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// What ties a listener to what is advertised for it.
    pub name: String,
    /// A host name or an address, without brackets; empty for all interfaces.
    pub host: String,
    /// The port; 0 lets the system choose one.
    pub port: u16,
}

impl Listener {
    /// Reads one entry of the key named `key`.
    pub(super) fn parse(key: &'static str, text: &str) -> Result<Listener, ConfigError> {
        let invalid =
            |reason: &str| ConfigError::Invalid { name: key.into(), value: text.into(), reason: reason.into() };
        let (name, address) = text.split_once("://").unwrap_or((PLAINTEXT, text));
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-') {
            return Err(invalid("a listener's name is made of letters, digits, _ and -"));
        }
        let name = name.to_ascii_uppercase();
        if UNSUPPORTED_PROTOCOLS.contains(&name.as_str()) {
            return Err(invalid("Partita supports only PLAINTEXT listeners"));
        }
        let (host, port) = address.rsplit_once(':').ok_or_else(|| invalid("expected host:port"))?;
        let port = port.parse().map_err(|_| invalid("the port is a number from 0 to 65535"))?;
        let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(host) => host,
            None if host.contains(':') => return Err(invalid("an IPv6 address stands in brackets: [::1]:9092")),
            None => host,
        };
        Ok(Listener { name, host: host.to_owned(), port })
    }

    /// Whether it listens on all interfaces, so that its host tells clients nothing.
    pub fn is_wildcard(&self) -> bool {
        matches!(self.host.as_str(), "" | "0.0.0.0" | "::")
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "{}://[{}]:{}", self.name, self.host, self.port)
        } else {
            write!(f, "{}://{}:{}", self.name, self.host, self.port)
        }
    }
}
