//! The table of sandboxes: every statement that touches it.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, OptionalExtension, Row as SqlRow, params};
use serde::{Deserialize, Serialize};

use crate::engine::{
    spec::End,
    state::{StateError, now},
};

/// What a sandbox was made from, as far as somebody asks for it later.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Its image.
    pub image_id: String,
    /// Seconds that it lives.
    pub timeout_secs: u32,
    /// Ids of its volumes.
    pub volumes: Vec<String>,
    /// Whether it has a way out.
    pub network: bool,
}

/// A sandbox as it is remembered.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// `sb-…`
    pub id: String,
    /// `ap-…`
    pub app_id: String,
    /// Unique among the running ones of the app.
    pub name: Option<String>,
    /// Unix seconds.
    pub created_at: f64,
    /// What it was made from.
    pub facts: Facts,
    /// To find it by.
    pub tags: BTreeMap<String, String>,
    /// Its jail stood.
    pub started: bool,
    /// When and how it ended.
    pub ended: Option<(f64, End)>,
}

const COLUMNS: &str = "sandbox_id, app_id, name, created_at, facts, tags, started, ended_at, ending";

fn read(row: &SqlRow<'_>) -> Result<Row, StateError> {
    let ended = match (row.get::<_, Option<f64>>(7)?, row.get::<_, Option<String>>(8)?) {
        (Some(at), Some(how)) => Some((at, serde_json::from_str(&how)?)),
        _ => None,
    };
    Ok(Row {
        id: row.get(0)?,
        app_id: row.get(1)?,
        name: row.get(2)?,
        created_at: row.get(3)?,
        facts: serde_json::from_str(&row.get::<_, String>(4)?)?,
        tags: serde_json::from_str(&row.get::<_, String>(5)?)?,
        started: row.get(6)?,
        ended,
    })
}

fn one(db: &Connection, condition: &str, values: impl rusqlite::Params) -> Result<Option<Row>, StateError> {
    let sql = format!("SELECT {COLUMNS} FROM sandboxes WHERE {condition} ORDER BY created_at DESC LIMIT 1");
    db.prepare_cached(&sql)?.query_row(values, |row| Ok(read(row))).optional()?.transpose()
}

/// Notes a sandbox before anything of it is made. False when another one of its name runs.
pub fn insert(db: &Connection, row: &Row, env: &[u8], key: Option<&str>) -> Result<bool, StateError> {
    let done = db.execute(
        // Times that differ by less than a microsecond are one number when clients send them back.
        "INSERT INTO sandboxes (sandbox_id, app_id, name, created_at, facts, tags, env, idempotency_key, started)
         VALUES (?1, ?2, ?3, max(?4, (SELECT coalesce(max(created_at), 0) + 0.000001 FROM sandboxes)), ?5, ?6, ?7, ?8, 0)",
        params![
            row.id,
            row.app_id,
            row.name,
            row.created_at,
            serde_json::to_string(&row.facts)?,
            serde_json::to_string(&row.tags)?,
            env,
            key
        ],
    );
    match done {
        Ok(_) => Ok(true),
        Err(rusqlite::Error::SqliteFailure(e, _)) if e.code == rusqlite::ErrorCode::ConstraintViolation => Ok(false),
        Err(e) => Err(e.into()),
    }
}

/// One by its id.
pub fn by_id(db: &Connection, id: &str) -> Result<Option<Row>, StateError> {
    one(db, "sandbox_id = ?1", [id])
}

/// One by the key of the call that made it.
pub fn by_key(db: &Connection, key: &str) -> Result<Option<Row>, StateError> {
    one(db, "idempotency_key = ?1", [key])
}

/// The newest of a name in an app; only a running one unless told otherwise.
pub fn by_name(
    db: &Connection,
    environment: &str,
    app: &str,
    name: &str,
    ended_too: bool,
) -> Result<Option<Row>, StateError> {
    let condition = "name = ?1 AND (?2 OR ended_at IS NULL) AND app_id IN
        (SELECT app_id FROM apps WHERE apps.name = ?3 AND (?4 = '' OR apps.environment = ?4))";
    one(db, condition, params![name, ended_too, app, environment])
}

/// What a list asks for.
#[derive(Debug, Default)]
pub struct Filter {
    /// Empty: all apps.
    pub app_id: String,
    /// Only older ones; 0: all.
    pub before: f64,
    /// Ended ones too.
    pub ended_too: bool,
    /// All of them must fit.
    pub tags: Vec<(String, String)>,
    /// At most so many.
    pub limit: usize,
}

/// Newest first.
pub fn list(db: &Connection, filter: &Filter) -> Result<Vec<Row>, StateError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM sandboxes WHERE (?1 = '' OR app_id = ?1) AND (?2 = 0 OR created_at < ?2)
         AND (?3 OR ended_at IS NULL) ORDER BY created_at DESC"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query(params![filter.app_id, filter.before, filter.ended_too])?;
    let mut found = Vec::new();
    while found.len() < filter.limit
        && let Some(row) = rows.next()?
    {
        let row = read(row)?;
        if filter.tags.iter().all(|(name, value)| row.tags.get(name) == Some(value)) {
            found.push(row);
        }
    }
    Ok(found)
}

/// All that have not ended, with their sealed environments.
pub fn running(db: &Connection) -> Result<Vec<(Row, Vec<u8>)>, StateError> {
    let sql = format!("SELECT {COLUMNS}, env FROM sandboxes WHERE ended_at IS NULL");
    let mut statement = db.prepare(&sql)?;
    let rows = statement.query_map([], |row| Ok((read(row), row.get::<_, Option<Vec<u8>>>(9)?)))?;
    rows.map(|row| row.map_err(StateError::from).and_then(|(row, env)| Ok((row?, env.unwrap_or_default())))).collect()
}

/// Ids of those that ended before a time, and of all that ever were.
pub fn ended_before(db: &Connection, time: f64) -> Result<HashMap<String, bool>, StateError> {
    let mut statement = db.prepare("SELECT sandbox_id, coalesce(ended_at < ?1, 0) FROM sandboxes")?;
    let rows = statement.query_map([time], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Its jail stands.
pub fn started(db: &Connection, id: &str) -> Result<(), StateError> {
    db.execute("UPDATE sandboxes SET started = 1 WHERE sandbox_id = ?1", [id])?;
    Ok(())
}

/// It has ended; what was secret of it goes. The first word counts.
pub fn ended(db: &mut Connection, id: &str, end: &End) -> Result<(), StateError> {
    let transaction = db.transaction()?;
    transaction.execute(
        "UPDATE sandboxes SET ended_at = ?2, ending = ?3, env = NULL WHERE sandbox_id = ?1 AND ended_at IS NULL",
        params![id, now(), serde_json::to_string(end)?],
    )?;
    transaction.execute("DELETE FROM exec_keys WHERE sandbox_id = ?1", [id])?;
    Ok(transaction.commit()?)
}

/// It never was.
pub fn delete(db: &Connection, id: &str) -> Result<(), StateError> {
    db.execute("DELETE FROM sandboxes WHERE sandbox_id = ?1", [id])?;
    Ok(())
}

/// Replaces its tags; false if there is no such sandbox.
pub fn set_tags(db: &Connection, id: &str, tags: &BTreeMap<String, String>) -> Result<bool, StateError> {
    let tags = serde_json::to_string(tags)?;
    Ok(db.execute("UPDATE sandboxes SET tags = ?2 WHERE sandbox_id = ?1", params![id, tags])? > 0)
}

/// Notes a command's sealed keys.
pub fn put_keys(db: &Connection, id: &str, exec_id: &str, sealed: &[u8]) -> Result<(), StateError> {
    db.execute("INSERT OR IGNORE INTO exec_keys VALUES (?1, ?2, ?3)", params![id, exec_id, sealed])?;
    Ok(())
}

/// The command has ended.
pub fn delete_keys(db: &Connection, id: &str, exec_id: &str) -> Result<(), StateError> {
    db.execute("DELETE FROM exec_keys WHERE sandbox_id = ?1 AND exec_id = ?2", [id, exec_id])?;
    Ok(())
}

/// Sealed keys of a sandbox's commands, by exec id.
pub fn keys(db: &Connection, id: &str) -> Result<Vec<(String, Vec<u8>)>, StateError> {
    let mut statement = db.prepare("SELECT exec_id, sealed FROM exec_keys WHERE sandbox_id = ?1")?;
    let rows = statement.query_map([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn db() -> Connection {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch("CREATE TABLE apps (app_id TEXT, environment TEXT, name TEXT)").unwrap();
        db.execute_batch("INSERT INTO apps VALUES ('ap-1', 'main', 'one')").unwrap();
        db.execute_batch(include_str!("schema.sql")).unwrap();
        db
    }

    fn row(id: &str, name: Option<&str>) -> Row {
        Row {
            id: id.to_owned(),
            app_id: "ap-1".to_owned(),
            name: name.map(str::to_owned),
            created_at: 1_000.0,
            facts: Facts { image_id: "im-1".to_owned(), timeout_secs: 60, ..Facts::default() },
            tags: [("kind".to_owned(), id.to_owned())].into(),
            started: false,
            ended: None,
        }
    }

    #[test]
    fn a_name_is_free_again_when_its_sandbox_has_ended() {
        let mut db = db();
        assert!(insert(&db, &row("sb-1", Some("heron")), b"sealed", Some("k")).unwrap());
        assert!(!insert(&db, &row("sb-2", Some("heron")), b"", None).unwrap());
        assert_eq!(by_key(&db, "k").unwrap().unwrap(), row("sb-1", Some("heron")));
        ended(&mut db, "sb-1", &End::Terminated).unwrap();
        ended(&mut db, "sb-1", &End::Lost).unwrap();
        assert_eq!(by_id(&db, "sb-1").unwrap().unwrap().ended.unwrap().1, End::Terminated);
        assert!(insert(&db, &row("sb-2", Some("heron")), b"", None).unwrap());
        assert_eq!(by_name(&db, "", "one", "heron", true).unwrap().unwrap().id, "sb-2");
        ended(&mut db, "sb-2", &End::Timeout).unwrap();
        assert_eq!(by_name(&db, "main", "one", "heron", false).unwrap(), None);
        assert_eq!(by_name(&db, "other", "one", "heron", true).unwrap(), None);
    }

    #[test]
    fn pages_of_a_list_miss_nobody_though_all_were_made_at_once() {
        let mut db = db();
        for i in 0..7 {
            assert!(insert(&db, &row(&format!("sb-{i}"), None), b"", None).unwrap());
        }
        ended(&mut db, "sb-3", &End::Lost).unwrap();
        let mut filter = Filter { app_id: "ap-1".to_owned(), limit: 2, ..Filter::default() };
        let mut seen = Vec::new();
        loop {
            let page = list(&db, &filter).unwrap();
            let Some(last) = page.last() else { break };
            filter.before = last.created_at;
            seen.extend(page.into_iter().map(|r| r.id));
        }
        assert_eq!(seen, ["sb-6", "sb-5", "sb-4", "sb-2", "sb-1", "sb-0"]);
        let tagged = Filter { tags: vec![("kind".into(), "sb-4".into())], limit: 10, ..Filter::default() };
        assert_eq!(list(&db, &tagged).unwrap().len(), 1);
    }

    #[test]
    fn what_is_secret_goes_with_the_end() {
        let mut db = db();
        insert(&db, &row("sb-1", None), b"sealed", None).unwrap();
        put_keys(&db, "sb-1", "e", b"keys").unwrap();
        assert_eq!(running(&db).unwrap()[0].1, b"sealed");
        assert_eq!(keys(&db, "sb-1").unwrap(), [("e".to_owned(), b"keys".to_vec())]);
        ended(&mut db, "sb-1", &End::Lost).unwrap();
        assert!(running(&db).unwrap().is_empty() && keys(&db, "sb-1").unwrap().is_empty());
        let left: i64 = db.query_row("SELECT count(env) FROM sandboxes", [], |r| r.get(0)).unwrap();
        assert_eq!(left, 0);
    }
}
