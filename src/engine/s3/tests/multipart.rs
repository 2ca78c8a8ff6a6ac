use aws_sdk_s3::{
    operation::create_multipart_upload::CreateMultipartUploadOutput,
    primitives::ByteStream,
    types::{ChecksumAlgorithm, ChecksumMode, ChecksumType, CompletedMultipartUpload, CompletedPart},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

use super::*;

const PART: usize = 5 << 20;

fn body(n: i32) -> Vec<u8> {
    vec![b'a' + n as u8; if n == 3 { 100 } else { PART }]
}

impl Bench {
    async fn begin(&self, key: &str, algorithm: ChecksumAlgorithm) -> CreateMultipartUploadOutput {
        let create = self.client.create_multipart_upload().bucket(BUCKET).key(key).content_type("x/y");
        create.checksum_algorithm(algorithm).send().await.unwrap()
    }

    async fn part(&self, key: &str, id: &str, n: i32, algorithm: ChecksumAlgorithm) -> CompletedPart {
        let upload = self.client.upload_part().bucket(BUCKET).key(key).upload_id(id).part_number(n);
        let sent = upload.checksum_algorithm(algorithm).body(ByteStream::from(body(n))).send().await.unwrap();
        CompletedPart::builder()
            .part_number(n)
            .set_e_tag(sent.e_tag)
            .set_checksum_sha256(sent.checksum_sha256)
            .set_checksum_crc32(sent.checksum_crc32)
            .build()
    }
}

fn all(parts: Vec<CompletedPart>) -> CompletedMultipartUpload {
    CompletedMultipartUpload::builder().set_parts(Some(parts)).build()
}

#[tokio::test]
async fn parts_make_an_object_with_a_composite_checksum() {
    let bench = bench().await;
    let id = bench.begin("big", ChecksumAlgorithm::Sha256).await.upload_id.unwrap();
    let mut parts = Vec::new();
    // Out of order, as parallel senders do.
    for n in [2, 3, 1] {
        parts.push(bench.part("big", &id, n, ChecksumAlgorithm::Sha256).await);
    }
    parts.sort_by_key(|part| part.part_number);
    let listed = bench.client.list_parts().bucket(BUCKET).key("big").upload_id(&id).send().await.unwrap();
    let sums: Vec<_> = listed.parts().iter().filter_map(|p| p.checksum_sha256().map(str::to_owned)).collect();
    let digests: Vec<Vec<u8>> = (1..=3).map(|n| Sha256::digest(body(n)).to_vec()).collect();
    assert_eq!(sums, digests.iter().map(|d| STANDARD.encode(d)).collect::<Vec<_>>());
    assert!(bench.get("big").await.is_none());

    let complete = || {
        let complete = bench.client.complete_multipart_upload().bucket(BUCKET).key("big").upload_id(&id);
        complete.if_none_match("*").multipart_upload(all(parts.clone())).send()
    };
    let done = complete().await.unwrap();
    let composite = format!("{}-3", STANDARD.encode(Sha256::digest(digests.concat())));
    assert_eq!(done.checksum_sha256.as_deref(), Some(composite.as_str()));
    assert!(done.e_tag.as_deref().unwrap().ends_with("-3\""));
    // Its answer may have been lost.
    assert_eq!(complete().await.unwrap().e_tag, done.e_tag);

    let get = || bench.client.get_object().bucket(BUCKET).key("big");
    let got = get().checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
    assert_eq!(got.checksum_type, Some(ChecksumType::Composite));
    assert_eq!(got.content_type.as_deref(), Some("x/y"));
    let whole = [body(1), body(2), body(3)].concat();
    assert!(got.body.collect().await.unwrap().to_vec() == whole);
    let across = get().range(format!("bytes={}-{}", PART - 2, PART + 1)).send().await.unwrap();
    assert_eq!(across.body.collect().await.unwrap().to_vec(), b"bbcc");
    let second = get().part_number(2).send().await.unwrap();
    assert_eq!((second.parts_count, second.content_length), (Some(3), Some(PART as i64)));

    bench.client.delete_object().bucket(BUCKET).key("big").send().await.unwrap();
    assert_eq!(disk::blobs(bench.dir.path()), 0);
}

#[tokio::test]
async fn a_completion_that_does_not_fit_can_be_asked_for_again() {
    let bench = bench().await;
    let id = bench.begin("big", ChecksumAlgorithm::Crc32).await.upload_id.unwrap();
    let parts = [
        bench.part("big", &id, 1, ChecksumAlgorithm::Crc32).await,
        bench.part("big", &id, 3, ChecksumAlgorithm::Crc32).await,
    ];
    let complete = |parts: Vec<CompletedPart>| {
        let complete = bench.client.complete_multipart_upload().bucket(BUCKET).key("big").upload_id(&id);
        complete.if_none_match("*").multipart_upload(all(parts)).send()
    };
    let [one, three] = parts.clone();
    let wrong_tag = CompletedPart::builder().part_number(1).e_tag("\"00\"").build();
    let wrong_sum = CompletedPart::builder().part_number(1).set_e_tag(one.e_tag.clone()).checksum_crc32("AAAAAA==");
    for (list, want) in [
        (vec![three.clone(), one.clone()], "InvalidPartOrder"),
        (vec![wrong_tag], "InvalidPart"),
        (vec![wrong_sum.build()], "InvalidPart"),
        (vec![CompletedPart::builder().part_number(2).set_e_tag(one.e_tag.clone()).build()], "InvalidPart"),
    ] {
        assert_eq!(code(&complete(list).await.unwrap_err()), want);
    }
    bench.put("big", "first").await;
    assert_eq!(code(&complete(parts.to_vec()).await.unwrap_err()), "PreconditionFailed");
    bench.client.delete_object().bucket(BUCKET).key("big").send().await.unwrap();
    complete(parts.to_vec()).await.unwrap();
    assert_eq!(bench.get("big").await.unwrap().len(), PART + 100);
}

#[tokio::test]
async fn an_aborted_upload_leaves_nothing() {
    let bench = bench().await;
    let id = bench.begin("gone", ChecksumAlgorithm::Crc64Nvme).await.upload_id.unwrap();
    bench.part("gone", &id, 1, ChecksumAlgorithm::Crc64Nvme).await;
    let uploads = || bench.client.list_multipart_uploads().bucket(BUCKET).send();
    assert_eq!(uploads().await.unwrap().uploads()[0].upload_id(), Some(id.as_str()));
    let abort = || bench.client.abort_multipart_upload().bucket(BUCKET).key("gone").upload_id(&id).send();
    abort().await.unwrap();
    assert_eq!(code(&abort().await.unwrap_err()), "NoSuchUpload");
    assert!(uploads().await.unwrap().uploads().is_empty());
    assert_eq!(disk::blobs(bench.dir.path()), 0);
}

#[tokio::test]
async fn parts_can_be_copied() {
    let bench = bench().await;
    bench.put("from", body(1)).await;
    let id = bench.begin("to", ChecksumAlgorithm::Crc64Nvme).await.upload_id.unwrap();
    let mut parts = Vec::new();
    for (n, range) in [(1, None), (2, Some("bytes=10-19"))] {
        let copy = bench.client.upload_part_copy().bucket(BUCKET).key("to").upload_id(&id).part_number(n);
        let copied = copy.copy_source(format!("{BUCKET}/from")).set_copy_source_range(range.map(str::to_owned));
        let etag = copied.send().await.unwrap().copy_part_result.unwrap().e_tag;
        parts.push(CompletedPart::builder().part_number(n).set_e_tag(etag).build());
    }
    let complete = bench.client.complete_multipart_upload().bucket(BUCKET).key("to").upload_id(&id);
    complete.multipart_upload(all(parts)).send().await.unwrap();
    assert_eq!(bench.get("to").await.unwrap(), vec![b'b'; PART + 10]);
}
