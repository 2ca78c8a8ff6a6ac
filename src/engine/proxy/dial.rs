//! A connection to a host outside: the address that was checked is the one that is dialled, so a name that changes its
//! mind between two questions gains nothing.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};

use super::address;

/// One address that doesn't answer: TCP repeats its first packet after 1, 3 and 7 seconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// Addresses of one name that are tried: beyond these a browser gives up as well.
const ADDRESSES: usize = 6;

/// Mail: what a sandbox under a stranger's command would send.
const MAIL: u16 = 25;

/// Why there is no connection.
#[derive(Debug, PartialEq, Eq)]
pub enum DialError {
    /// It is not allowed.
    Refused(String),
    /// It is, but nobody answers.
    Failed(String),
}

/// Connects to a host, by name or address (version 6 in brackets or not).
pub async fn dial(host: &str, port: u16) -> Result<TcpStream, DialError> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if port == MAIL {
        return Err(DialError::Refused(format!("port {MAIL} is closed for sandboxes")));
    }
    let failed = |why: String| DialError::Failed(format!("cannot reach {host}:{port}: {why}"));
    let found = lookup_host((host, port)).await.map_err(|e| failed(e.to_string()))?;
    let allowed = allowed(host, found)?;
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in allowed.into_iter().take(ADDRESSES) {
        match timeout(PATIENCE, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // What goes through is somebody else's conversation, whose pauses it knows best.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(e)) => last = e,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(failed(last.to_string()))
}

/// The addresses of a host that may be dialled.
fn allowed(host: &str, found: impl IntoIterator<Item = SocketAddr>) -> Result<Vec<SocketAddr>, DialError> {
    let mut why = None;
    let mut allowed = Vec::new();
    for address in found {
        match address::refusal(address.ip()) {
            None => allowed.push(address),
            Some(reason) => why = Some((address.ip(), reason)),
        }
    }
    match why {
        Some((ip, reason)) if allowed.is_empty() => Err(DialError::Refused(format!(
            "{host} is {ip}, which is {reason}: a sandbox reaches public addresses only"
        ))),
        _ => Ok(allowed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_name_with_both_kinds_only_the_public_one_is_dialled() {
        let both: [SocketAddr; 2] = ["127.0.0.1:80".parse().unwrap(), "1.1.1.1:80".parse().unwrap()];
        assert_eq!(allowed("two.example", both).unwrap(), [both[1]]);
        let Err(DialError::Refused(why)) = allowed("one.example", [both[0]]) else { panic!("it was to be refused") };
        assert!(why.contains("one.example") && why.contains("loopback"), "{why}");
    }

    #[tokio::test]
    async fn names_and_forms_of_loopback_are_refused() {
        for host in ["localhost", "127.0.0.1", "[::1]", "::ffff:127.0.0.1", "0.0.0.0", "127.1", "2130706433"] {
            let Err(DialError::Refused(_) | DialError::Failed(_)) = dial(host, 80).await else {
                panic!("{host} was reached")
            };
        }
        assert!(matches!(dial("127.0.0.1", 80).await, Err(DialError::Refused(_))));
        assert!(matches!(dial("1.1.1.1", 25).await, Err(DialError::Refused(_))));
    }
}
