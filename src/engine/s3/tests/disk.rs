use std::{fs, path::Path};

use aws_sdk_s3::types::ChecksumAlgorithm;

use super::*;

/// Files of contents.
pub(super) fn blobs(dir: &Path) -> usize {
    let folders = fs::read_dir(dir.join("blobs")).unwrap();
    folders.map(|folder| fs::read_dir(folder.unwrap().path()).unwrap().count()).sum()
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let (source, target) = {
            let entry = entry.unwrap();
            (entry.path(), to.join(entry.file_name()))
        };
        if source.is_dir() {
            fs::create_dir(&target).unwrap();
            copy(&source, &target);
        } else {
            fs::copy(&source, &target).unwrap();
        }
    }
}

#[tokio::test]
async fn what_was_answered_outlives_a_crash_and_its_rest_goes() {
    let bench = bench().await;
    bench.put("small", "kept").await;
    bench.put("large", vec![7; 100_000]).await;
    let create = bench.client.create_multipart_upload().bucket(BUCKET).key("big");
    let id = create.checksum_algorithm(ChecksumAlgorithm::Sha256).send().await.unwrap().upload_id.unwrap();
    let part = bench.client.upload_part().bucket(BUCKET).key("big").upload_id(&id).part_number(1);
    part.body(ByteStream::from(vec![9; 100_000])).checksum_algorithm(ChecksumAlgorithm::Sha256).send().await.unwrap();
    // What lies on the disk at this moment is what a killed process leaves, beside a file that no row names yet.
    let after = tempfile::tempdir().unwrap();
    copy(bench.dir.path(), after.path());
    fs::write(after.path().join("blobs/ab/abandoned"), "half a file").unwrap();
    assert_eq!(blobs(after.path()), 3);

    let again = start(after, RESERVE).await;
    assert_eq!(blobs(again.dir.path()), 2);
    assert_eq!(again.get("small").await.as_deref(), Some(&b"kept"[..]));
    assert_eq!(again.get("large").await, Some(vec![7; 100_000]));
    let listed = again.client.list_parts().bucket(BUCKET).key("big").upload_id(&id).send().await.unwrap();
    let etag = listed.parts()[0].e_tag().unwrap().to_owned();
    let list = aws_sdk_s3::types::CompletedPart::builder().part_number(1).e_tag(etag).build();
    let list = aws_sdk_s3::types::CompletedMultipartUpload::builder().parts(list).build();
    let complete = again.client.complete_multipart_upload().bucket(BUCKET).key("big").upload_id(&id);
    complete.multipart_upload(list).send().await.unwrap();
    assert_eq!(again.get("big").await, Some(vec![9; 100_000]));
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing() {
    use tokio::io::AsyncWriteExt;
    let bench = bench().await;
    let url = bench.presign("PUT", "cut", &[("content-length", "1000000")], 60);
    let path = url.split_once(&bench.address.to_string()).unwrap().1;
    let mut stream = tokio::net::TcpStream::connect(bench.address).await.unwrap();
    let head = format!("PUT {path} HTTP/1.1\r\nhost: {}\r\ncontent-length: 1000000\r\n\r\n", bench.address);
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&[1; 500_000]).await.unwrap();
    wait_for(|| blobs(bench.dir.path()) == 1).await;
    drop(stream);
    wait_for(|| blobs(bench.dir.path()) == 0).await;
    assert_eq!(bench.get("cut").await, None);
}

async fn wait_for(condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), wait).await.expect("the condition did not come true");
}

#[tokio::test]
async fn a_full_store_says_so_and_goes_on_giving() {
    let bench = bench().await;
    bench.put("there", "kept").await;
    let bench = start(bench.close().await, u64::MAX).await;
    let put = || bench.client.put_object().bucket(BUCKET).key("there").body(ByteStream::from_static(b"new"));
    let refused = put().send().await.unwrap_err();
    assert_eq!(code(&refused), "InsufficientStorage");
    assert_eq!(refused.raw_response().unwrap().status().as_u16(), 507);
    let copy = bench.client.copy_object().bucket(BUCKET).key("copy").copy_source("bank/there").send().await;
    assert_eq!(code(&copy.unwrap_err()), "InsufficientStorage");
    assert_eq!(bench.get("there").await.as_deref(), Some(&b"kept"[..]));
    bench.client.delete_object().bucket(BUCKET).key("there").send().await.unwrap();
    assert_eq!(bench.get("there").await, None);
}

#[tokio::test]
async fn a_store_has_one_owner() {
    let bench = bench().await;
    let second = Store::open(settings(bench.dir.path())).await.unwrap_err();
    assert!(second.contains("open in another sandbank"), "{second}");
    let dir = bench.close().await;
    assert!(Store::open(settings(dir.path())).await.is_ok());
}

#[tokio::test]
async fn deleting_gives_the_disk_back() {
    let bench = bench().await;
    for n in 0..100 {
        bench.put(&format!("k{n}"), vec![n; 60_000]).await;
    }
    let size = || fs::metadata(bench.dir.path().join("index.db")).unwrap().len();
    wait_for(|| size() > 5 << 20).await;
    for n in 0..100 {
        bench.client.delete_object().bucket(BUCKET).key(format!("k{n}")).send().await.unwrap();
    }
    wait_for(|| size() < 1 << 20).await;
}

#[tokio::test]
async fn a_newer_format_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let db = rusqlite::Connection::open(dir.path().join("index.db")).unwrap();
    db.execute_batch("PRAGMA user_version = 9").unwrap();
    let error = Store::open(settings(dir.path())).await.unwrap_err();
    assert!(error.contains("format 9") && error.contains("newer"), "{error}");
    assert!(Store::make_bucket(&bench().await.store, "No Bucket").await.unwrap_err().contains("small letters"));
}
