//! Secrets: their values lie encrypted in the database, under a key file beside it. Only names of keys are ever shown.

use std::{collections::BTreeMap, sync::Arc};

use chacha20poly1305::{
    ChaCha20Poly1305, KeyInit,
    aead::{Aead, Payload},
};
use rusqlite::{Connection, OptionalExtension};
use tonic::Status;

use crate::{
    engine::{
        Shared, names, random,
        state::{State, StateError, now},
    },
    proto::client::{
        CreationInfo, ObjectCreationType, SecretDeleteRequest, SecretGetOrCreateRequest, SecretGetOrCreateResponse,
        SecretListItem, SecretListRequest, SecretListResponse, SecretMetadata,
    },
};

/// Bytes of a nonce: random ones of 96 bits are safe for 2^32 secrets under one key.
const NONCE: usize = 12;

/// Values without a name belong to one sandbox or image, whose commands have them from its start; kept for a month
/// so that a build can be repeated.
const UNNAMED_SECS: f64 = 30.0 * 86_400.0;

/// All secrets of a data dir.
pub struct Secrets {
    state: State,
    cipher: ChaCha20Poly1305,
}

/// The key is not shown.
impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets")
    }
}

impl Secrets {
    /// Secrets of a database under a key.
    ///
    /// # Errors
    /// The database's.
    pub async fn open(state: State, key: [u8; 32]) -> Result<Self, StateError> {
        let drop_old = |db: &mut Connection| {
            let sql = "DELETE FROM secrets WHERE name IS NULL AND used_at < ?1";
            Ok(db.execute(sql, [now() - UNNAMED_SECS])?)
        };
        state.call(drop_old).await?;
        Ok(Self { state, cipher: ChaCha20Poly1305::new(&key.into()) })
    }

    /// The values of a secret.
    ///
    /// # Errors
    /// NOT_FOUND, or the key file is not the one that it was sealed under.
    pub async fn values(&self, secret_id: &str) -> Result<BTreeMap<String, String>, Status> {
        let id = secret_id.to_owned();
        let read = move |db: &mut Connection| {
            db.execute("UPDATE secrets SET used_at = ?2 WHERE secret_id = ?1", (&id, now()))?;
            let sql = "SELECT sealed FROM secrets WHERE secret_id = ?1";
            Ok(db.query_row(sql, [&id], |row| row.get::<_, Vec<u8>>(0)).optional()?)
        };
        let sealed = self.state.call(read).await?.ok_or_else(|| names::missing("secret", secret_id))?;
        self.unseal(secret_id, &sealed).ok_or_else(|| {
            Status::data_loss(format!("the secret {secret_id} can't be read with the engine's key file: set it again"))
        })
    }

    /// Encrypts values for a row of this id: nonce and ciphertext. The id goes in, so that rows can't be exchanged.
    ///
    /// # Errors
    /// No randomness.
    pub fn seal(&self, secret_id: &str, values: &BTreeMap<String, String>) -> Result<Vec<u8>, Status> {
        let nonce: [u8; NONCE] = random::bytes()?;
        let text = serde_json::to_vec(values).map_err(|e| Status::internal(e.to_string()))?;
        let sealed = self
            .cipher
            .encrypt(&nonce.into(), Payload { msg: &text, aad: secret_id.as_bytes() })
            .map_err(|_| Status::internal("the secret can't be encrypted"))?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// Decrypts what [`Self::seal`] made for the same id under the same key.
    pub fn unseal(&self, secret_id: &str, sealed: &[u8]) -> Option<BTreeMap<String, String>> {
        let (nonce, text) = sealed.split_first_chunk::<NONCE>()?;
        let payload = Payload { msg: text, aad: secret_id.as_bytes() };
        serde_json::from_slice(&self.cipher.decrypt(&(*nonce).into(), payload).ok()?).ok()
    }
}

struct Row {
    id: String,
    environment: String,
    name: Option<String>,
    keys: String,
    created_at: f64,
    used_at: f64,
}

const COLUMNS: &str = "secret_id, environment, name, keys, created_at, used_at";

impl Row {
    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            environment: row.get(1)?,
            name: row.get(2)?,
            keys: row.get(3)?,
            created_at: row.get(4)?,
            used_at: row.get(5)?,
        })
    }

    fn keys(&self) -> Vec<String> {
        serde_json::from_str(&self.keys).unwrap_or_default()
    }

    fn metadata(&self) -> SecretMetadata {
        SecretMetadata {
            name: self.name.clone().unwrap_or_default(),
            creation_info: Some(CreationInfo { created_at: self.created_at, ..CreationInfo::default() }),
            keys: self.keys(),
            environment_name: self.environment.clone(),
            last_used_at: self.used_at,
            ..SecretMetadata::default()
        }
    }
}

/// SecretGetOrCreate: looks up by name, creates by name, or takes values for one app or call.
pub async fn get_or_create(
    shared: Arc<Shared>,
    request: SecretGetOrCreateRequest,
) -> Result<SecretGetOrCreateResponse, Status> {
    let how = names::creation(request.object_creation_type)?;
    let unnamed = matches!(how, ObjectCreationType::AnonymousOwnedByApp | ObjectCreationType::Ephemeral);
    let create = how != ObjectCreationType::Unspecified;
    let name = if unnamed { None } else { Some(request.deployment_name.clone()) };
    if create {
        name.iter().try_for_each(|name| names::check("a secret", name))?;
        request.env_dict.keys().try_for_each(|key| check_key(key))?;
    }
    let environment = names::environment(&request.environment_name);
    let id = random::id("st", 22)?;
    let values: BTreeMap<_, _> = request.env_dict.into_iter().collect();
    let sealed = shared.secrets.seal(&id, &values)?;
    let keys = serde_json::to_string(&values.keys().collect::<Vec<_>>()).unwrap_or_default();
    drop(values);
    let write = move |db: &mut Connection| {
        let db = db.transaction()?;
        let old = name.as_deref().map(|name| find(&db, &environment, name)).transpose()?.flatten();
        match old {
            Some(_) if how == ObjectCreationType::CreateFailIfExists => return Ok(Err(())),
            Some(old) if how != ObjectCreationType::CreateOverwriteIfExists => return Ok(Ok(Some(old))),
            None if !create => return Ok(Ok(None)),
            // The values are sealed for the new id, so an old one ends.
            Some(old) => db.execute("DELETE FROM secrets WHERE secret_id = ?1", [old.id])?,
            None => 0,
        };
        let sql = "INSERT INTO secrets VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)";
        db.execute(sql, (&id, &environment, &name, &keys, &sealed, now()))?;
        let sql = format!("SELECT {COLUMNS} FROM secrets WHERE secret_id = ?1");
        let row = db.query_row(&sql, [&id], Row::read)?;
        db.commit()?;
        Ok(Ok(Some(row)))
    };
    let row = shared.state.call(write).await?.map_err(|()| {
        Status::already_exists(format!("a secret {:?} already exists: choose to overwrite it", request.deployment_name))
    })?;
    let row = row.ok_or_else(|| {
        let name = &request.deployment_name;
        Status::not_found(format!("there is no secret {name:?} in this engine: create it with its values first"))
    })?;
    let has = row.keys();
    let lacks: Vec<_> = request.required_keys.iter().filter(|k| !has.contains(k)).map(String::as_str).collect();
    if !lacks.is_empty() {
        return Err(Status::failed_precondition(format!("Secret is missing key(s): {}", lacks.join(", "))));
    }
    Ok(SecretGetOrCreateResponse { metadata: Some(row.metadata()), secret_id: row.id })
}

/// SecretList, newest first.
pub async fn list(shared: Arc<Shared>, request: SecretListRequest) -> Result<SecretListResponse, Status> {
    let environment_name = names::environment(&request.environment_name);
    let page = names::Page::new(&environment_name, request.pagination);
    let rows = shared.state.call(move |db| page.read(db, "secrets", COLUMNS, Row::read)).await?;
    let items = rows.into_iter().map(|row| SecretListItem {
        metadata: Some(row.metadata()),
        label: row.name.unwrap_or_default(),
        created_at: row.created_at,
        last_used_at: row.used_at,
        environment_name: row.environment,
        secret_id: row.id,
    });
    Ok(SecretListResponse { items: items.collect(), environment_name })
}

/// SecretDelete.
pub async fn delete(shared: Arc<Shared>, request: SecretDeleteRequest) -> Result<(), Status> {
    let id = request.secret_id.clone();
    let gone = shared.state.call(move |db| Ok(db.execute("DELETE FROM secrets WHERE secret_id = ?1", [id])?)).await?;
    if gone == 0 { Err(names::missing("secret", &request.secret_id)) } else { Ok(()) }
}

fn find(db: &Connection, environment: &str, name: &str) -> Result<Option<Row>, StateError> {
    let sql = format!("SELECT {COLUMNS} FROM secrets WHERE environment = ?1 AND name = ?2");
    Ok(db.query_row(&sql, (environment, name), Row::read).optional()?)
}

/// Keys become names of environment variables.
fn check_key(key: &str) -> Result<(), Status> {
    let first = key.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    if first && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return Ok(());
    }
    Err(Status::invalid_argument(format!(
        "{key:?} can't be a key of a secret: it must be a name of an environment variable"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn values_are_sealed_for_their_secret_and_key() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open(&dir.path().join("engine.db")).unwrap();
        let secrets = Secrets::open(state.clone(), [1; 32]).await.unwrap();
        let values = BTreeMap::from([("TOKEN".to_owned(), "hunter2".to_owned())]);
        let sealed = secrets.seal("st-1", &values).unwrap();
        assert!(!sealed.windows(7).any(|w| w == b"hunter2"));
        assert_eq!(secrets.unseal("st-1", &sealed), Some(values.clone()));
        assert_eq!(secrets.unseal("st-2", &sealed), None);
        assert_eq!(Secrets::open(state, [2; 32]).await.unwrap().unseal("st-1", &sealed), None);
        assert_ne!(secrets.seal("st-1", &values).unwrap(), sealed, "a nonce is used once");
    }

    #[test]
    fn keys_are_names_of_variables() {
        assert!(["A", "_a1", "ANTHROPIC_API_KEY"].iter().all(|k| check_key(k).is_ok()));
        assert!(["", "1A", "A-B", "A=B", "Ä"].iter().all(|k| check_key(k).is_err()));
    }
}
