//! The addresses that the broker listens on, and those that it tells its clients.

use std::io;
use std::net::{TcpListener, ToSocketAddrs};
use std::rc::Rc;
use std::time::{Duration, Instant};

use broker::catalog::Endpoint;
use broker::config::{BrokerConfig, Listener};

use super::ServeError;

/// How long an address may be taken before it counts as another process's.
const BIND_PATIENCE: Duration = Duration::from_secs(2);
const BIND_PAUSE: Duration = Duration::from_millis(5);

/// A listener of the configuration, bound: a host name to all of its addresses.
pub(super) struct Bound {
    name: String,
    host: String,
    port: u16,
    sockets: Vec<TcpListener>,
}

impl Bound {
    /// The sockets, each with the listener's name.
    pub(super) fn into_sockets(self) -> impl Iterator<Item = (Rc<TcpListener>, Rc<str>)> {
        let name: Rc<str> = self.name.into();
        self.sockets.into_iter().map(move |socket| (Rc::new(socket), name.clone()))
    }

    /// What a person is told.
    pub(super) fn describe(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

/// Binds a listener. With port 0 the kernel chooses one.
pub(super) fn bind(listener: &Listener) -> Result<Bound, ServeError> {
    let Listener { name, host, port } = listener;
    let refuse = |error| refused(format!("{host}:{port}"), error);
    let mut sockets: Vec<TcpListener> = Vec::new();
    let mut chosen_port = *port;
    for mut address in (host.as_str(), *port).to_socket_addrs().map_err(refuse)? {
        address.set_port(chosen_port);
        match bind_patiently(address) {
            Ok(socket) => {
                chosen_port = socket.local_addr().map_err(refuse)?.port();
                sockets.push(socket);
            }
            // A name may stand for an address that this host does not have, such as ::1 without IPv6.
            Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable && !sockets.is_empty() => {}
            Err(error) => return Err(refuse(error)),
        }
    }
    if sockets.is_empty() {
        return Err(refuse(io::Error::from(io::ErrorKind::AddrNotAvailable)));
    }
    Ok(Bound { name: name.clone(), host: host.clone(), port: chosen_port, sockets })
}

/// Binds the address of `metrics.listen`.
pub(super) fn bind_address(address: &str) -> Result<TcpListener, ServeError> {
    bind_patiently(address).map_err(|error| refused(address.to_owned(), error))
}

/// Binds, and waits a little for an address that is taken: the kernel gives the sockets of a process that was killed back some
/// milliseconds after it has gone, when its io_uring is taken down, and a supervisor may be as fast.
fn bind_patiently(address: impl ToSocketAddrs) -> io::Result<TcpListener> {
    let begun = Instant::now();
    loop {
        match TcpListener::bind(&address) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && begun.elapsed() < BIND_PATIENCE => {
                std::thread::sleep(BIND_PAUSE);
            }
            bound => return bound,
        }
    }
}

/// What clients are told to connect to. An advertised port 0 is that of the listener.
pub(super) fn endpoints(config: &BrokerConfig, bound: &[Bound]) -> Vec<Endpoint> {
    let endpoint = |advertised: &Listener| {
        let listener = bound.iter().find(|bound| bound.name == advertised.name);
        let port = match advertised.port {
            0 => listener.map_or(0, |listener| listener.port),
            port => port,
        };
        Endpoint { listener: advertised.name.clone(), host: advertised.host.clone(), port }
    };
    config.advertised_listeners.iter().map(endpoint).collect()
}

fn refused(address: String, error: io::Error) -> ServeError {
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => "Another process listens there: stop it, or choose another address with --listen.",
        io::ErrorKind::PermissionDenied => "Ports below 1024 need a privilege: choose another with --listen.",
        io::ErrorKind::AddrNotAvailable => "No interface of this host has that address: see `ip address`.",
        _ => "Check the address given with --listen.",
    };
    ServeError::Listen { address, error, advice }
}
