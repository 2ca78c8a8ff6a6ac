//! Names of objects and lists of named ones, by Modal's rules.

use rusqlite::{Connection, Row};
use tonic::Status;

use super::state::{State, StateError};
use crate::proto::client::{ListPagination, ObjectCreationType};

/// The environment that no name means.
pub const ENVIRONMENT: &str = "main";

/// An environment's name as rows have it.
pub fn environment(asked: &str) -> String {
    if asked.is_empty() { ENVIRONMENT.to_owned() } else { asked.to_owned() }
}

/// A name for a new object: 1–64 of `[a-zA-Z0-9-_.]`.
///
/// # Errors
/// INVALID_ARGUMENT.
pub fn check(kind: &str, name: &str) -> Result<(), Status> {
    let fine = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if (1..=64).contains(&name.len()) && name.bytes().all(fine) {
        return Ok(());
    }
    Err(Status::invalid_argument(format!(
        "{name:?} can't be the name of {kind}: names have 1 to 64 letters, digits, dashes, underscores or dots"
    )))
}

/// There is such an app.
///
/// # Errors
/// NOT_FOUND.
pub async fn app(state: &State, app_id: &str) -> Result<(), Status> {
    let id = app_id.to_owned();
    let exists = state.call(move |db| Ok(db.prepare_cached("SELECT 1 FROM apps WHERE app_id = ?1")?.exists([id])?));
    if exists.await? { Ok(()) } else { Err(missing("app", app_id)) }
}

/// What a get-or-create call wants.
///
/// # Errors
/// INVALID_ARGUMENT for one that doesn't exist.
pub fn creation(asked: i32) -> Result<ObjectCreationType, Status> {
    ObjectCreationType::try_from(asked).map_err(|_| Status::invalid_argument("unknown object_creation_type"))
}

/// Most rows in one page of a list, as Modal's have.
const PAGE: i32 = 100;

/// What a caller wants of a list: one page, newest first.
#[derive(Debug)]
pub struct Page {
    environment: String,
    before: f64,
    max: i32,
}

impl Page {
    /// Of an environment by its name in rows.
    pub fn new(environment: &str, asked: Option<ListPagination>) -> Self {
        let asked = asked.unwrap_or_default();
        Self {
            environment: environment.to_owned(),
            before: if asked.created_before > 0.0 { asked.created_before } else { f64::MAX },
            max: if asked.max_objects > 0 { asked.max_objects.min(PAGE) } else { PAGE },
        }
    }

    /// The rows of a table that are on it; those without a name are not listed.
    ///
    /// # Errors
    /// The database's.
    pub fn read<T>(
        &self,
        db: &Connection,
        table: &str,
        columns: &str,
        read: fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StateError> {
        let sql = format!(
            "SELECT {columns} FROM {table} WHERE environment = ?1 AND name IS NOT NULL AND created_at < ?2 \
             ORDER BY created_at DESC LIMIT ?3"
        );
        let mut rows = db.prepare_cached(&sql)?;
        Ok(rows.query_map((&self.environment, self.before, self.max), read)?.collect::<Result<_, _>>()?)
    }
}

/// An object that a caller named is not there.
pub fn missing(kind: &str, name: &str) -> Status {
    Status::not_found(format!("there is no {kind} {name:?} in this engine"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_have_named_rows_of_their_environment_newest_first() {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(
            "CREATE TABLE things (name TEXT, environment TEXT, created_at REAL);
             INSERT INTO things VALUES ('a', 'main', 1), ('b', 'main', 2), ('c', 'main', 3), (NULL, 'main', 4), ('d', 'other', 5)",
        )
        .unwrap();
        let read = |created_before, max_objects| {
            let page = Page::new(&environment(""), Some(ListPagination { created_before, max_objects }));
            page.read(&db, "things", "name", |row| row.get::<_, String>(0)).unwrap()
        };
        assert_eq!(read(0.0, 0), ["c", "b", "a"]);
        assert_eq!(read(0.0, 2), ["c", "b"]);
        assert_eq!(read(2.0, 2), ["a"]);
    }
}
