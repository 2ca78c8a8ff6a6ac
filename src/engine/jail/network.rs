//! The network of a sandbox: loopback, and listening sockets whose other side is the engine's.

use std::{
    io,
    net::{Ipv4Addr, TcpListener},
    os::fd::{AsRawFd, OwnedFd},
};

use rustix::net::{AddressFamily, SocketFlags, SocketType, listen, socket_with};

use crate::engine::spec::{ListenerName, Network};

/// Connections that wait while no engine accepts: the kernel's own bound (`net.core.somaxconn`).
const BACKLOG: i32 = 4096;

/// Brings loopback up.
pub fn up() -> io::Result<()> {
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    // SAFETY: all zeros is a valid request.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(c"lo".to_bytes()) {
        *to = from.cast_signed();
    }
    request.ifr_ifru.ifru_flags = libc::IFF_UP as libc::c_short;
    // SAFETY: the descriptor is open and the request is what this ioctl reads.
    if unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Makes the listening sockets, nonblocking.
pub fn listeners(network: &Network) -> Result<Vec<(ListenerName, OwnedFd)>, String> {
    let proxy = network.proxy_port.map(|port| (ListenerName::Proxy, port));
    let forwards = network.forwards.iter().map(|port| (ListenerName::Forward(*port), *port));
    proxy
        .into_iter()
        .chain(forwards)
        .map(|(name, port)| {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
                .and_then(|l| listen(&l, BACKLOG).map_err(Into::into).map(|()| l))
                .and_then(|l| l.set_nonblocking(true).map(|()| l))
                .map_err(|e| format!("cannot listen on port {port} in the sandbox: {e}"))?;
            Ok((name, listener.into()))
        })
        .collect()
}
