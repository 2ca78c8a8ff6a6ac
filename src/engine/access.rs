//! Ports, tokens and keys: made once for a data dir, kept in two files that only its owner may read.
//!
//! ```text
//! access.json   ports, the account's token, the store's keys
//! key           32 bytes: secrets at rest and short-lived tokens are under keys derived from it
//! ```

use std::{
    fs, io,
    io::Write,
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use tokio::net::TcpListener;

use super::{Access, EngineError, Settings, json_file, random};

const FILE: &str = "access.json";
const KEY: &str = "key";

/// The region that every S3 client takes without being told.
const REGION: &str = "us-east-1";

/// `access.json`.
#[derive(Serialize, Deserialize)]
struct Noted {
    modal_port: u16,
    s3_port: u16,
    token_id: String,
    token_secret: String,
    access_key_id: String,
    secret_access_key: String,
}

/// Both ports bound, and what callers must show.
#[derive(Debug)]
pub struct Bound {
    pub access: Access,
    pub modal: TcpListener,
    pub s3: TcpListener,
}

/// Binds the ports of a data dir: the configured one, or the last one if it is still free, or a new one.
///
/// # Errors
/// A configured port is taken, or the folder can't be written.
pub async fn bind(settings: &Settings) -> Result<Bound, EngineError> {
    let path = settings.dir.join(FILE);
    let say = |e: io::Error| EngineError::new(format!("cannot keep the engine's tokens in {}: {e}", path.display()));
    let mut noted = match json_file::read(&path).map_err(say)? {
        Some(noted) => noted,
        None => fresh().map_err(say)?,
    };
    let modal = listen(settings.modal_port, noted.modal_port, "modal_port").await?;
    let s3 = listen(settings.s3_port, noted.s3_port, "s3_port").await?;
    let port = |listener: &TcpListener| listener.local_addr().map(|a| a.port()).map_err(say);
    (noted.modal_port, noted.s3_port) = (port(&modal)?, port(&s3)?);
    json_file::write(&path, &noted).map_err(say)?;
    let access = Access {
        modal_url: format!("http://127.0.0.1:{}", noted.modal_port),
        token_id: noted.token_id,
        token_secret: noted.token_secret,
        s3_url: format!("http://127.0.0.1:{}", noted.s3_port),
        access_key_id: noted.access_key_id,
        secret_access_key: noted.secret_access_key,
        region: REGION.to_owned(),
    };
    Ok(Bound { access, modal, s3 })
}

fn fresh() -> io::Result<Noted> {
    Ok(Noted {
        modal_port: 0,
        s3_port: 0,
        token_id: random::id("ak", 22)?,
        token_secret: random::id("as", 32)?,
        // The lengths of AWS's own, which some tools check.
        access_key_id: random::id("AKIA", 16)?.replace('-', "").to_ascii_uppercase(),
        secret_access_key: random::id("", 40)?[1..].to_owned(),
    })
}

async fn listen(asked: u16, last: u16, key: &str) -> Result<TcpListener, EngineError> {
    let at = |port: u16| TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    if asked != 0 {
        return at(asked).await.map_err(|e| EngineError::new(taken(asked, key, &e)));
    }
    if last != 0
        && let Ok(listener) = at(last).await
    {
        return Ok(listener);
    }
    at(0).await.map_err(|e| EngineError::new(format!("no port of 127.0.0.1 can be used: {e}")))
}

fn taken(port: u16, key: &str, e: &io::Error) -> String {
    format!(
        "port {port} of 127.0.0.1 can't be used ({e}): free it, or set another as `[engine] {key}` (0: any free one)"
    )
}

/// Whether the configured ports could be bound now; they are free again at once.
///
/// # Errors
/// "What is wrong: what to do".
pub fn check_ports(settings: &Settings) -> Result<String, String> {
    let mut bound = Vec::new();
    for (port, key) in [(settings.modal_port, "modal_port"), (settings.s3_port, "s3_port")] {
        if port != 0 {
            let at = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            // Held until both are, so that one number for both is seen.
            bound.push(std::net::TcpListener::bind(at).map_err(|e| taken(port, key, &e))?);
        }
    }
    Ok(if bound.is_empty() { "any that are free" } else { "those that are set are free" }.to_owned())
}

/// The key of a data dir, made by the first engine.
///
/// # Errors
/// The file can't be read or made, or isn't a key.
pub fn key(dir: &Path) -> Result<[u8; 32], EngineError> {
    let path = dir.join(KEY);
    let say = |e: io::Error| EngineError::new(format!("cannot keep the engine's key in {}: {e}", path.display()));
    match fs::read(&path) {
        Ok(bytes) => bytes.try_into().map_err(|_| {
            EngineError::new(format!(
                "{} is damaged: put it back, or remove it and set the local secrets again",
                path.display()
            ))
        }),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let key = random::bytes().map_err(say)?;
            let new = path.with_extension("new");
            let mut file = fs::OpenOptions::new();
            let mut file = file.write(true).create(true).truncate(true).mode(0o600).open(&new).map_err(say)?;
            // Without it every secret is lost, so it must be on the disk before the first one.
            file.write_all(&key).and_then(|()| file.sync_all()).map_err(say)?;
            fs::rename(&new, &path).map_err(say)?;
            Ok(key)
        }
        Err(e) => Err(say(e)),
    }
}

/// A key of its own for one purpose.
pub fn derive(key: &[u8; 32], purpose: &str) -> [u8; 32] {
    let mut mac = keyed(key);
    mac.update(purpose.as_bytes());
    mac.finalize().into_bytes().into()
}

/// HMAC-SHA-256 under a key.
pub fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    // It takes keys of any length, so the empty one never stands in.
    Hmac::new_from_slice(key).unwrap_or_else(|_| Hmac::new(&Default::default()))
}
