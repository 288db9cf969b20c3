//! Connections on the core's ring.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use io_uring::{opcode, types};
use shard::world::{CoreId, Stream};

use super::Linux;
use super::ring::Ring;

/// The most pieces that one send takes (IOV_MAX).
const CHUNKS_MAX: usize = 1024;

/// A client's connection.
pub(crate) struct TcpStream {
    world: Linux,
    /// The core that counts this connection.
    core: CoreId,
    socket: Rc<OwnedFd>,
    peer_host: String,
}

impl Drop for TcpStream {
    fn drop(&mut self) {
        self.world.inboxes()[usize::from(self.core.0)].disconnected();
    }
}

/// Memory of one send, at addresses that stay.
struct Outgoing {
    header: Box<libc::msghdr>,
    vectors: Vec<libc::iovec>,
    #[expect(dead_code, reason = "kept alive for the kernel")]
    chunks: Vec<Bytes>,
    #[expect(dead_code, reason = "kept open for the kernel")]
    socket: Rc<OwnedFd>,
}

impl TcpStream {
    /// Takes over an accepted socket.
    pub(crate) fn new(world: Linux, core: CoreId, socket: OwnedFd) -> TcpStream {
        let socket = std::net::TcpStream::from(socket);
        // Without these two a connection still works: a delay of small answers, an unknown address in logs.
        let _ = socket.set_nodelay(true);
        let peer_host = socket.peer_addr().map_or_else(|_| "unknown".into(), |address| address.ip().to_string());
        TcpStream { world, core, socket: Rc::new(OwnedFd::from(socket)), peer_host }
    }

    fn fd(&self) -> types::Fd {
        types::Fd(self.socket.as_raw_fd())
    }

    async fn send(&self, chunks: Vec<Bytes>) -> io::Result<()> {
        let mut left: usize = chunks.iter().map(Bytes::len).sum();
        let mut outgoing = self.outgoing(chunks);
        while left > 0 {
            outgoing.header.msg_iov = outgoing.vectors.as_mut_ptr();
            outgoing.header.msg_iovlen = outgoing.vectors.len();
            let flags = (libc::MSG_NOSIGNAL | libc::MSG_WAITALL) as u32;
            let entry = opcode::SendMsg::new(self.fd(), &raw const *outgoing.header).flags(flags).build();
            // SAFETY: header, vectors and chunks are on the heap, owned by `outgoing` like the socket.
            let (result, kept) = unsafe { self.world.ring().start_endless(entry, outgoing) }.await;
            outgoing = kept;
            let sent = result? as usize;
            left -= sent;
            super::iovec::advance(&mut outgoing.vectors, sent);
        }
        Ok(())
    }

    fn outgoing(&self, chunks: Vec<Bytes>) -> Outgoing {
        let vectors = chunks.iter().filter(|chunk| !chunk.is_empty()).map(|chunk| super::iovec::of(chunk)).collect();
        // SAFETY: an all-zero msghdr is valid: no address, no control data.
        let header = Box::new(unsafe { std::mem::zeroed() });
        Outgoing { header, vectors, chunks, socket: self.socket.clone() }
    }
}

impl Stream for TcpStream {
    async fn read(&self, mut buffer: BytesMut) -> (io::Result<usize>, BytesMut) {
        let spare = buffer.spare_capacity_mut();
        assert!(!spare.is_empty(), "a read needs room");
        let entry = opcode::Recv::new(self.fd(), spare.as_mut_ptr().cast(), spare.len() as u32).build();
        // SAFETY: the target is the buffer's heap memory, which the operation keeps together with the socket.
        let operation = unsafe { self.world.ring().start_endless(entry, (buffer, self.socket.clone())) };
        let (result, (mut buffer, _)) = operation.await;
        let result = result.map(|count| {
            let count = count as usize;
            // SAFETY: the kernel has filled `count` bytes of the spare capacity.
            unsafe { buffer.set_len(buffer.len() + count) };
            count
        });
        (result, buffer)
    }

    async fn write(&self, chunks: Vec<Bytes>) -> io::Result<()> {
        let mut rest = chunks;
        while !rest.is_empty() {
            let later = rest.split_off(rest.len().min(CHUNKS_MAX));
            self.send(rest).await?;
            rest = later;
        }
        Ok(())
    }

    fn shutdown(&self) {
        // SAFETY: shutdown has no memory arguments. An error means that the connection is gone already.
        let _ = unsafe { libc::shutdown(self.socket.as_raw_fd(), libc::SHUT_RDWR) };
    }

    fn peer_host(&self) -> String {
        self.peer_host.clone()
    }
}

/// The next connection of a listener.
pub(crate) async fn accept(ring: &Rc<Ring>, listener: &Rc<TcpListener>) -> io::Result<OwnedFd> {
    let null = std::ptr::null_mut();
    let entry =
        opcode::Accept::new(types::Fd(listener.as_raw_fd()), null, null.cast()).flags(libc::SOCK_CLOEXEC).build();
    // SAFETY: the entry points to no memory, and the operation keeps the listener.
    let (result, _) = unsafe { ring.start_endless(entry, listener.clone()) }.await;
    let fd = RawFd::try_from(result?).expect("descriptors are small");
    // SAFETY: the kernel has just made the descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
