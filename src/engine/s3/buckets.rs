//! Buckets.

use rusqlite::params;
use s3s::{
    S3Result,
    dto::{Bucket, BucketLocationConstraint, GetBucketLocationOutput, HeadBucketOutput, ListBucketsOutput},
    s3_error,
};

use super::{
    Api,
    fault::Fault,
    index::Tx,
    list,
    numbers::{now, time},
    rows, uploads,
};

/// Makes a bucket; true if there was none of this name.
pub(super) async fn make(api: &Api, name: String) -> S3Result<bool> {
    let make = move |tx: &mut Tx<'_>| {
        let sql = "INSERT OR IGNORE INTO bucket (name, made) VALUES (?, ?)";
        Ok(tx.db.execute(sql, params![name, now()])? == 1)
    };
    api.index.write(make).await
}

pub(super) async fn list(api: &Api) -> S3Result<ListBucketsOutput> {
    let look = |db: &rusqlite::Connection| -> Result<Vec<(String, i64)>, Fault> {
        let mut query = db.prepare_cached("SELECT name, made FROM bucket ORDER BY name")?;
        let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    };
    let buckets = api.index.read(look).await?.into_iter().map(|(name, made)| Bucket {
        name: Some(name),
        creation_date: Some(time(made)),
        ..Default::default()
    });
    Ok(ListBucketsOutput { buckets: Some(buckets.collect()), owner: Some(list::owner()), ..Default::default() })
}

pub(super) async fn head(api: &Api, name: String) -> S3Result<HeadBucketOutput> {
    api.index.read(move |db| rows::bucket(db, &name)).await?;
    Ok(HeadBucketOutput { bucket_region: Some(api.region.to_string()), ..Default::default() })
}

pub(super) async fn location(api: &Api, name: String) -> S3Result<GetBucketLocationOutput> {
    api.index.read(move |db| rows::bucket(db, &name)).await?;
    // S3's oldest region has no name here.
    let region = Some(api.region.to_string()).filter(|region| region != "us-east-1");
    Ok(GetBucketLocationOutput { location_constraint: region.map(BucketLocationConstraint::from) })
}

/// Removes a bucket that holds nothing; uploads under way go with it.
pub(super) async fn remove(api: &Api, name: String) -> S3Result<()> {
    let remove = move |tx: &mut Tx<'_>| -> Result<(), Fault> {
        let id = rows::bucket(tx.db, &name)?;
        let count = "SELECT EXISTS (SELECT 1 FROM object WHERE bucket = ?1)";
        if tx.db.query_row(count, [id], |row| row.get(0))? {
            return Err(s3_error!(BucketNotEmpty, "The bucket {name} holds objects. Delete them first.").into());
        }
        uploads::end_all(tx, id)?;
        tx.db.execute("DELETE FROM bucket WHERE id = ?", [id])?;
        Ok(())
    };
    api.index.write(remove).await
}
