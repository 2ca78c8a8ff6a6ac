use std::collections::HashMap;

use aws_sdk_s3::{
    primitives::{ByteStream, DateTime},
    types::{ChecksumAlgorithm, ChecksumMode, ChecksumType, Delete, EncodingType, MetadataDirective, ObjectIdentifier},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use md5::{Digest, Md5};

use super::*;

#[tokio::test]
async fn every_size_comes_back_with_its_headers() {
    let bench = bench().await;
    for size in [0, 1, 64 << 10, (64 << 10) + 1, 3 << 20] {
        let body: Vec<u8> = (0..size).map(|n: usize| (n % 251) as u8).collect();
        let put = bench.client.put_object().bucket(BUCKET).key("a/heron").body(ByteStream::from(body.clone()));
        let put = put.content_type("text/heron").cache_control("no-store").metadata("nest", "reeds");
        let etag = put.content_encoding("identity").send().await.unwrap().e_tag.unwrap();
        assert_eq!(etag, format!("\"{}\"", hex::encode(Md5::digest(&body))));
        let head = bench.client.head_object().bucket(BUCKET).key("a/heron").send().await.unwrap();
        assert_eq!(head.content_length, Some(size as i64));
        assert_eq!(head.e_tag.as_deref(), Some(etag.as_str()));
        let got = bench.client.get_object().bucket(BUCKET).key("a/heron").send().await.unwrap();
        assert_eq!(got.content_type.as_deref(), Some("text/heron"));
        assert_eq!(got.cache_control.as_deref(), Some("no-store"));
        assert_eq!(got.content_encoding.as_deref(), Some("identity"));
        assert_eq!(got.metadata, Some(HashMap::from([("nest".into(), "reeds".into())])));
        assert_eq!(got.body.collect().await.unwrap().to_vec(), body);
    }
}

#[tokio::test]
async fn ranges_and_conditions_of_a_read() {
    let bench = bench().await;
    let body: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
    let etag = bench.put("big", body.clone()).await;
    let get = || bench.client.get_object().bucket(BUCKET).key("big");
    for (range, want) in [("bytes=5-9", 5..10), ("bytes=199990-", 199_990..200_000), ("bytes=-3", 199_997..200_000)] {
        let got = get().range(range).checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
        let said = format!("bytes {}-{}/200000", want.start, want.end - 1);
        assert_eq!(got.content_range.as_deref(), Some(said.as_str()));
        assert_eq!(got.body.collect().await.unwrap().to_vec(), body[want]);
    }
    assert_eq!(code(&get().range("bytes=200000-").send().await.unwrap_err()), "InvalidRange");
    assert!(get().if_match(&etag).send().await.is_ok());
    assert_eq!(code(&get().if_match("\"other\"").send().await.unwrap_err()), "PreconditionFailed");
    let unchanged = get().if_none_match(&etag).send().await.unwrap_err();
    assert_eq!(unchanged.raw_response().unwrap().status().as_u16(), 304);
    let past = DateTime::from_secs(1_000_000_000);
    assert!(get().if_modified_since(past).send().await.is_ok());
    assert_eq!(code(&get().if_unmodified_since(past).send().await.unwrap_err()), "PreconditionFailed");
}

#[tokio::test]
async fn odd_keys_are_only_names() {
    let bench = bench().await;
    let long = format!("long/{}", "ä".repeat(509)) + "x";
    assert_eq!(long.len(), 1024);
    let mut keys = ["a", "a/b", "a//b", "a/./b", "../../etc/passwd", "..", "/", "sp ace + % & # ? ü", "x/", &long];
    for key in keys {
        bench.put(key, key).await;
    }
    keys.sort_unstable();
    for key in keys {
        assert_eq!(bench.get(key).await.as_deref(), Some(key.as_bytes()), "{key}");
    }
    let listed = bench.client.list_objects_v2().bucket(BUCKET).send().await.unwrap();
    assert_eq!(listed.contents().iter().filter_map(|o| o.key()).collect::<Vec<_>>(), keys);
    let encoded = bench.client.list_objects_v2().bucket(BUCKET).encoding_type(EncodingType::Url).send().await.unwrap();
    assert!(encoded.contents().iter().any(|o| o.key() == Some("sp%20ace%20%2B%20%25%20%26%20%23%20%3F%20%C3%BC")));
    let too_long = bench.client.put_object().bucket(BUCKET).key("k".repeat(1025)).send().await.unwrap_err();
    assert_eq!(code(&too_long), "KeyTooLongError");
}

#[tokio::test]
async fn one_of_many_writers_wins() {
    let bench = bench().await;
    let put = |n: usize| {
        let put = bench.client.put_object().bucket(BUCKET).key("claim").if_none_match("*");
        put.body(ByteStream::from(n.to_string().into_bytes())).send()
    };
    let results = futures::future::join_all((0..32).map(put)).await;
    let won: Vec<usize> = (0..32).filter(|n| results[*n].is_ok()).collect();
    assert_eq!(won.len(), 1);
    assert!(results.iter().filter_map(|r| r.as_ref().err()).all(|e| code(e) == "PreconditionFailed"));
    assert_eq!(bench.get("claim").await, Some(won[0].to_string().into_bytes()));
    let etag = results[won[0]].as_ref().unwrap().e_tag.clone().unwrap();
    let swap = |key: &str, etag: &str| {
        bench.client.put_object().bucket(BUCKET).key(key).if_match(etag).body(ByteStream::from_static(b"new")).send()
    };
    assert_eq!(code(&swap("claim", "\"other\"").await.unwrap_err()), "PreconditionFailed");
    assert_eq!(code(&swap("nothing", &etag).await.unwrap_err()), "NoSuchKey");
    assert!(swap("claim", &etag).await.is_ok());
    assert_eq!(bench.get("claim").await.as_deref(), Some(&b"new"[..]));
}

#[tokio::test]
async fn a_wrong_digest_changes_nothing() {
    let bench = bench().await;
    for size in [10, 200_000] {
        bench.put("kept", vec![b'k'; size]).await;
        let put = || bench.client.put_object().bucket(BUCKET).key("kept").body(ByteStream::from(vec![b'x'; size]));
        let four = STANDARD.encode([1; 4]);
        let wrong = [
            put().checksum_sha256(STANDARD.encode([1; 32])).send().await,
            put().checksum_sha1(STANDARD.encode([1; 20])).send().await,
            put().checksum_crc32(&four).send().await,
            put().checksum_crc32_c(&four).send().await,
            put().checksum_crc64_nvme(STANDARD.encode([1; 8])).send().await,
            put().content_md5(STANDARD.encode([1; 16])).send().await,
        ];
        for result in wrong {
            assert_eq!(code(&result.unwrap_err()), "BadDigest");
        }
        assert_eq!(bench.get("kept").await, Some(vec![b'k'; size]));
    }
}

#[tokio::test]
async fn checksums_are_kept_and_given_back() {
    let bench = bench().await;
    use ChecksumAlgorithm::{Crc32, Crc32C, Crc64Nvme, Sha1, Sha256};
    for algorithm in [Crc32, Crc32C, Crc64Nvme, Sha1, Sha256] {
        let put = bench.client.put_object().bucket(BUCKET).key("sum").body(ByteStream::from_static(b"heron"));
        let put = put.checksum_algorithm(algorithm.clone()).send().await.unwrap();
        let get = bench.client.get_object().bucket(BUCKET).key("sum").checksum_mode(ChecksumMode::Enabled);
        let got = get.send().await.unwrap();
        assert_eq!(got.checksum_type, Some(ChecksumType::FullObject));
        let (put, got_sums) = (
            [put.checksum_crc32, put.checksum_crc32_c, put.checksum_crc64_nvme, put.checksum_sha1, put.checksum_sha256],
            [got.checksum_crc32, got.checksum_crc32_c, got.checksum_crc64_nvme, got.checksum_sha1, got.checksum_sha256],
        );
        assert_eq!(put, got_sums);
        assert_eq!(put.iter().flatten().count(), 1, "{algorithm}");
        // The SDK compares while it reads.
        assert_eq!(got.body.collect().await.unwrap().to_vec(), b"heron");
    }
}

#[tokio::test]
async fn a_copy_shares_bytes_and_obeys_conditions() {
    let bench = bench().await;
    let body = vec![b'h'; 300_000];
    let etag = bench.put("from/ü %", body.clone()).await;
    let source = format!("{BUCKET}/from/%C3%BC%20%25");
    let copy = |to: &str| bench.client.copy_object().bucket(BUCKET).key(to).copy_source(&source);
    copy("to").copy_source_if_match(&etag).send().await.unwrap();
    assert_eq!(bench.get("to").await, Some(body.clone()));
    assert_eq!(code(&copy("to").copy_source_if_match("\"x\"").send().await.unwrap_err()), "PreconditionFailed");
    assert_eq!(code(&copy("from/ü %").send().await.unwrap_err()), "InvalidRequest");
    let replaced = copy("to").metadata_directive(MetadataDirective::Replace).metadata("a", "b").content_type("x/y");
    replaced.send().await.unwrap();
    let head = bench.client.head_object().bucket(BUCKET).key("to").send().await.unwrap();
    assert_eq!(head.content_type.as_deref(), Some("x/y"));
    bench.client.delete_object().bucket(BUCKET).key("from/ü %").send().await.unwrap();
    assert_eq!(bench.get("to").await, Some(body));
    assert_eq!(disk::blobs(bench.dir.path()), 1);
    bench.client.delete_object().bucket(BUCKET).key("to").send().await.unwrap();
    assert_eq!(disk::blobs(bench.dir.path()), 0);
}

#[tokio::test]
async fn many_are_deleted_and_buckets_only_when_empty() {
    let bench = bench().await;
    for key in ["a", "b", "c"] {
        bench.put(key, "x").await;
    }
    let drop_bucket = || bench.client.delete_bucket().bucket(BUCKET).send();
    assert_eq!(code(&drop_bucket().await.unwrap_err()), "BucketNotEmpty");
    let ids = ["a", "b", "c", "never"].map(|key| ObjectIdentifier::builder().key(key).build().unwrap());
    let delete = Delete::builder().set_objects(Some(ids.to_vec())).build().unwrap();
    let deleted = bench.client.delete_objects().bucket(BUCKET).delete(delete).send().await.unwrap();
    assert_eq!((deleted.deleted().len(), deleted.errors().len()), (4, 0));
    drop_bucket().await.unwrap();
    assert_eq!(code(&bench.client.list_objects_v2().bucket(BUCKET).send().await.unwrap_err()), "NoSuchBucket");
    assert!(bench.client.head_bucket().bucket(BUCKET).send().await.is_err());
    bench.client.create_bucket().bucket(BUCKET).send().await.unwrap();
    let again = bench.client.create_bucket().bucket(BUCKET).send().await.unwrap_err();
    assert_eq!(code(&again), "BucketAlreadyOwnedByYou");
    let buckets = bench.client.list_buckets().send().await.unwrap();
    assert_eq!(buckets.buckets().iter().filter_map(|b| b.name()).collect::<Vec<_>>(), [BUCKET]);
}

#[tokio::test]
async fn a_listing_goes_on_where_it_ended() {
    let bench = bench().await;
    for key in ["a/1", "a/2", "b", "c/1", "d"] {
        bench.put(key, key).await;
    }
    let mut pages = bench.client.list_objects_v2().bucket(BUCKET).delimiter("/").max_keys(2).into_paginator().send();
    let mut seen = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        seen.extend(page.common_prefixes().iter().filter_map(|p| p.prefix()).map(str::to_owned));
        seen.extend(page.contents().iter().filter_map(|o| o.key()).map(str::to_owned));
    }
    assert_eq!(seen, ["a/", "b", "c/", "d"]);
    let v1 = |marker: &str| bench.client.list_objects().bucket(BUCKET).delimiter("/").max_keys(1).marker(marker).send();
    assert_eq!(v1("").await.unwrap().next_marker(), Some("a/"));
    assert_eq!(v1("a/").await.unwrap().contents()[0].key(), Some("b"));
}

#[tokio::test]
async fn strangers_are_refused() {
    let bench = bench().await;
    bench.put("a", "secret").await;
    let wrong = client(bench.address, "not-the-secret");
    let refused = wrong.get_object().bucket(BUCKET).key("a").send().await.unwrap_err();
    assert_eq!(code(&refused), "SignatureDoesNotMatch");
    let said = refused.as_service_error().and_then(|e| e.meta().message()).unwrap_or_default();
    assert!(said.contains("`sandbank engine env` prints"), "{said}");
    // Also for a body that is still on its way: the reason arrives.
    let body = ByteStream::from(vec![0; 8 << 20]);
    let refused = wrong.put_object().bucket(BUCKET).key("a").body(body).send().await.unwrap_err();
    assert_eq!(refused.raw_response().unwrap().status().as_u16(), 403);
    let anonymous = reqwest::get(format!("http://{}/{BUCKET}/a", bench.address)).await.unwrap();
    assert_eq!(anonymous.status(), 403);
    assert_eq!(bench.get("a").await.as_deref(), Some(&b"secret"[..]));
}

#[tokio::test]
async fn only_others_count_as_outside() {
    let bench = bench().await;
    let url = bench.presign("GET", "a", &[], 60);
    let ours = reqwest::Client::builder().user_agent("sandbank/0.1").build().unwrap();
    ours.get(&url).send().await.unwrap();
    assert_eq!(bench.store.outside(), 0);
    reqwest::get(&url).await.unwrap();
    assert_eq!(bench.store.outside(), 1);
}
