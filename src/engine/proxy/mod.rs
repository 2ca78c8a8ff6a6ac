//! What a sandbox reaches outside: the public internet by a proxy, the store by its port, and, for a command with
//! withheld keys, their API. The keeper made the listening sockets inside; the engine accepts and dials.
//!
//! ```text
//! address  which addresses are public      egress  the HTTP proxy
//! dial     resolve, check, connect         keys    requests with the real key
//! ```

mod address;
mod dial;
mod egress;
mod http;
mod keys;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io,
    net::Ipv4Addr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

pub use keys::{Keys, Upstream};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    sync::Semaphore,
    time::sleep,
};
use tokio_util::{
    either::Either,
    sync::{CancellationToken, DropGuard},
};

use super::keeper::{KeeperError, KeeperHandle, Listener};

/// Port of the HTTP proxy on 127.0.0.1 inside: the one that people expect.
pub const PORT: u16 = 3128;

/// Connections that one sandbox has open at once, whatever they are for; more wait in the backlog. The mover has up to
/// 256 requests in flight and npm 50: with twice that nobody waits, and a hostile sandbox gets no further than 1,024 of
/// the engine's descriptors.
const CONNECTIONS: usize = 512;

/// When the engine itself has no descriptor left: how long until it looks again.
const EXHAUSTED: Duration = Duration::from_millis(100);

/// What tells programs in a sandbox about the proxy, and what needs none.
pub fn environment() -> BTreeMap<String, String> {
    let proxy = format!("http://127.0.0.1:{PORT}");
    let none = "localhost,127.0.0.1,::1,api.local";
    [
        ("HTTP_PROXY", proxy.as_str()),
        ("HTTPS_PROXY", &proxy),
        ("http_proxy", &proxy),
        ("https_proxy", &proxy),
        ("NO_PROXY", none),
        ("no_proxy", none),
        // Node reads the others only when told to.
        ("NODE_USE_ENV_PROXY", "1"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}

/// Accepts and serves what a sandbox's keeper listens on, until it is dropped; then connections wait for the next one
/// who attaches.
#[derive(Debug)]
pub struct Outside {
    /// The sandbox's id, for the log.
    who: String,
    upstream: Upstream,
    slots: Arc<Semaphore>,
    served: Mutex<Served>,
    /// The one port of this machine that sandboxes reach; none for builds.
    store: Option<u16>,
    stop: CancellationToken,
    _stop_when_dropped: DropGuard,
}

#[derive(Debug, Default)]
struct Served {
    proxy: bool,
    forwards: BTreeSet<u16>,
    keys: HashMap<String, (Arc<Keys>, Option<DropGuard>)>,
}

/// What a connection is for.
#[derive(Clone)]
enum Purpose {
    Egress,
    Forward(u16),
    Keys(Arc<Keys>, Upstream),
}

impl Purpose {
    /// For the log: an upstream's own words could show the password of a proxy.
    fn name(&self) -> &'static str {
        match self {
            Self::Egress => "proxy",
            Self::Forward(_) => "store",
            Self::Keys(..) => "keys",
        }
    }
}

#[derive(Debug)]
enum Door {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Door {
    async fn accept(&self) -> io::Result<Either<TcpStream, UnixStream>> {
        match self {
            Self::Tcp(listener) => listener.accept().await.map(|(stream, _)| Either::Left(stream)),
            Self::Unix(listener) => listener.accept().await.map(|(stream, _)| Either::Right(stream)),
        }
    }
}

/// Serves the listening sockets that a keeper has now, under a name for the log.
///
/// # Errors
/// The keeper's.
pub async fn attach(keeper: &KeeperHandle, who: &str, upstream: &Upstream) -> Result<Outside, KeeperError> {
    let outside = Outside::new(who, upstream, None);
    outside.pick_up(keeper).await?;
    Ok(outside)
}

impl Outside {
    /// For a sandbox whose sockets are picked up later. `store`: the store's port now.
    pub fn new(who: &str, upstream: &Upstream, store: Option<u16>) -> Self {
        let stop = CancellationToken::new();
        Self {
            who: who.to_owned(),
            upstream: upstream.clone(),
            slots: Arc::new(Semaphore::new(CONNECTIONS)),
            served: Mutex::default(),
            store,
            _stop_when_dropped: stop.clone().drop_guard(),
            stop,
        }
    }

    /// The keys that a command is about to be started with. Its socket is served once it is picked up.
    pub fn know_keys(&self, exec_id: &str, keys: Keys) {
        let mut served = self.served();
        served.keys.entry(exec_id.to_owned()).or_insert_with(|| (Arc::new(keys), None));
    }

    /// Whether a command's keys are known but its socket is not served yet.
    pub fn misses(&self, exec_id: &str) -> bool {
        self.served().keys.get(exec_id).is_some_and(|(_, served)| served.is_none())
    }

    /// The command has ended: nothing of it is sent any more.
    pub fn forget_keys(&self, exec_id: &str) {
        self.served().keys.remove(exec_id);
    }

    /// Serves the sockets that are new.
    pub async fn pick_up(&self, keeper: &KeeperHandle) -> Result<(), KeeperError> {
        for listener in keeper.listeners().await? {
            self.serve(listener)?;
        }
        Ok(())
    }

    fn serve(&self, listener: Listener) -> io::Result<()> {
        let mut served = self.served();
        match listener {
            Listener::Proxy(socket) if !served.proxy => {
                self.open(Door::Tcp(TcpListener::from_std(socket)?), Purpose::Egress, self.stop.clone());
                served.proxy = true;
            }
            // A sandbox outlives engines: the port it was given may be somebody else's by now.
            Listener::Forward(port, socket) if self.store == Some(port) && !served.forwards.contains(&port) => {
                self.open(Door::Tcp(TcpListener::from_std(socket)?), Purpose::Forward(port), self.stop.clone());
                served.forwards.insert(port);
            }
            Listener::Keys(exec, socket) => {
                // A socket whose keys nobody knows stays without an answer.
                if let Some((keys, guard @ None)) = served.keys.get_mut(&exec) {
                    let purpose = Purpose::Keys(keys.clone(), self.upstream.clone());
                    let stop = self.stop.child_token();
                    self.open(Door::Unix(UnixListener::from_std(socket)?), purpose, stop.clone());
                    *guard = Some(stop.drop_guard());
                }
            }
            Listener::Proxy(_) | Listener::Forward(..) => {}
        }
        Ok(())
    }

    fn open(&self, door: Door, purpose: Purpose, stop: CancellationToken) {
        let (slots, who) = (self.slots.clone(), self.who.clone());
        let accepting = async move |stop: CancellationToken| {
            // The semaphore is never closed.
            while let Ok(slot) = slots.clone().acquire_owned().await {
                match door.accept().await {
                    Ok(stream) => {
                        let (purpose, stop) = (purpose.clone(), stop.clone());
                        tokio::spawn(async move {
                            stop.run_until_cancelled(carry(stream, purpose)).await;
                            drop(slot);
                        });
                    }
                    Err(error) => {
                        tracing::warn!(sandbox = %who, purpose = purpose.name(), %error, "a connection of a sandbox was not accepted");
                        sleep(EXHAUSTED).await;
                    }
                }
            }
        };
        tokio::spawn(async move { stop.run_until_cancelled(accepting(stop.clone())).await });
    }

    fn served(&self) -> std::sync::MutexGuard<'_, Served> {
        self.served.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn carry(mut stream: Either<TcpStream, UnixStream>, purpose: Purpose) {
    match purpose {
        Purpose::Egress => egress::serve(stream).await,
        Purpose::Keys(keys, upstream) => keys::serve(stream, &keys, &upstream).await,
        Purpose::Forward(port) => {
            // Nobody there: the sandbox sees its connection closed.
            if let Ok(mut host) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
                let _ = host.set_nodelay(true);
                let _ = copy_bidirectional(&mut stream, &mut host).await;
            }
        }
    }
}
