use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::Method;
use reqwest::Response;
use rstest::rstest;
use sha2::{Digest, Sha256};

use super::*;

async fn send(method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let mut request = reqwest::Client::new().request(method, url).body(body.to_vec());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

async fn refused(response: Response, status: u16, code: &str) {
    assert_eq!(response.status().as_u16(), status);
    let text = response.text().await.unwrap();
    assert!(text.contains(&format!("<Code>{code}</Code>")), "{text}");
}

/// Each operation that a URL can be made for, with each header that would make it another one.
#[rstest]
#[case("PUT", "mine", "x-amz-copy-source", "bank/theirs")]
#[case("PUT", "mine", "x-amz-acl", "public-read")]
#[case("PUT", "mine", "x-amz-meta-a", "b")]
#[case("PUT", "mine", "x-amz-tagging", "a=b")]
#[case("PUT", "mine", "x-amz-checksum-crc32", "AAAAAA==")]
#[case("PUT", "mine", "x-amz-sdk-checksum-algorithm", "SHA256")]
#[case("PUT", "mine", "x-amz-storage-class", "GLACIER")]
#[case("PUT", "mine", "x-amz-write-offset-bytes", "0")]
#[case("PUT", "mine", "x-amz-decoded-content-length", "1")]
#[case("PUT", "mine", "x-amz-trailer", "x-amz-checksum-crc32")]
#[case("PUT", "mine?partNumber=1&uploadId=u", "x-amz-copy-source", "bank/theirs")]
#[case("PUT", "mine?partNumber=1&uploadId=u", "x-amz-copy-source-range", "bytes=0-1")]
#[case("PUT", "mine?partNumber=1&uploadId=u", "x-amz-checksum-sha256", "AA==")]
#[case("GET", "theirs", "x-amz-expected-bucket-owner", "1")]
#[case("GET", "theirs", "x-amz-server-side-encryption-customer-key", "k")]
#[case("HEAD", "theirs", "x-amz-request-payer", "requester")]
#[case("DELETE", "theirs", "x-amz-bypass-governance-retention", "true")]
#[case("DELETE", "mine?uploadId=u", "x-amz-mfa", "1")]
#[case("POST", "mine?uploads", "x-amz-meta-a", "b")]
#[case("POST", "mine?uploadId=u", "x-amz-mp-object-size", "1")]
#[case("GET", "?list-type=2", "x-amz-optional-object-attributes", "RestoreStatus")]
#[tokio::test]
async fn an_unsigned_header_is_refused(
    #[case] method: &str,
    #[case] path: &str,
    #[case] name: &str,
    #[case] value: &str,
) {
    let bench = bench().await;
    bench.put("theirs", "secret").await;
    let url = bench.presign(method, path, &[], 60);
    let response = send(method, &url, &[(name, value)], b"").await;
    assert_eq!(response.status().as_u16(), 403);
    if method != "HEAD" {
        let text = response.text().await.unwrap();
        assert!(text.contains("<Code>AccessDenied</Code>") && text.contains(name), "{text}");
    }
    assert_eq!(bench.get("theirs").await.as_deref(), Some(&b"secret"[..]));
    assert_eq!(bench.get("mine").await, None);
}

#[tokio::test]
async fn the_presigned_put_of_a_save_takes_exactly_its_bytes() {
    let bench = bench().await;
    let body = b"a file of the workspace";
    let sum = STANDARD.encode(Sha256::digest(body));
    let length = body.len().to_string();
    let headers = [("content-length", length.as_str()), ("x-amz-checksum-sha256", sum.as_str())];
    let url = bench.presign("PUT", "file", &headers, 300);
    let sum_only = [("x-amz-checksum-sha256", sum.as_str())];
    refused(send("PUT", &url, &sum_only, b"a file of the workspacE").await, 400, "BadDigest").await;
    // Another length, another digest, none: no longer what was signed.
    refused(send("PUT", &url, &sum_only, b"longer than what was signed").await, 403, "SignatureDoesNotMatch").await;
    let other = STANDARD.encode(Sha256::digest(b"a file of the workspacE"));
    let other = [("x-amz-checksum-sha256", other.as_str())];
    refused(send("PUT", &url, &other, b"a file of the workspacE").await, 403, "SignatureDoesNotMatch").await;
    refused(send("PUT", &url, &[], body).await, 403, "SignatureDoesNotMatch").await;
    let twice = [sum_only[0], ("x-amz-checksum-sha256", "AA==")];
    refused(send("PUT", &url, &twice, body).await, 400, "InvalidRequest").await;
    refused(send("PUT", &url.replace("/file", "/other"), &sum_only, body).await, 403, "SignatureDoesNotMatch").await;
    assert_eq!(bench.get("file").await, None);
    assert_eq!(send("PUT", &url, &sum_only, body).await.status(), 200);
    assert_eq!(bench.get("file").await.as_deref(), Some(&body[..]));
}

#[tokio::test]
async fn presigned_parts_and_reads_work() {
    let bench = bench().await;
    let create = bench.client.create_multipart_upload().bucket(BUCKET).key("big");
    let create = create.checksum_algorithm(aws_sdk_s3::types::ChecksumAlgorithm::Sha256).send().await.unwrap();
    let sum = STANDARD.encode(Sha256::digest(b"part"));
    let headers = [("content-length", "4"), ("x-amz-checksum-sha256", sum.as_str())];
    let path = format!("big?partNumber=1&uploadId={}", create.upload_id().unwrap());
    let url = bench.presign("PUT", &path, &headers, 300);
    refused(send("PUT", &url, &headers[1..], b"trap").await, 400, "BadDigest").await;
    assert_eq!(send("PUT", &url, &headers[1..], b"part").await.status(), 200);
    bench.put("small", "bytes").await;
    let got = send("GET", &bench.presign("GET", "small", &[], 60), &[("x-amz-checksum-mode", "ENABLED")], b"").await;
    assert_eq!(got.text().await.unwrap(), "bytes");
    assert_eq!(send("HEAD", &bench.presign("HEAD", "small", &[], 60), &[], b"").await.status(), 200);
    refused(send("DELETE", &bench.presign("GET", "small", &[], 60), &[], b"").await, 403, "SignatureDoesNotMatch")
        .await;
    assert_eq!(send("DELETE", &bench.presign("DELETE", "small", &[], 60), &[], b"").await.status(), 204);
}

#[tokio::test]
async fn a_url_lives_a_week_at_most() {
    let bench = bench().await;
    bench.put("a", "x").await;
    assert_eq!(send("GET", &bench.presign("GET", "a", &[], 604_800), &[], b"").await.status(), 200);
    let long = bench.presign("GET", "a", &[], 604_801);
    refused(send("GET", &long, &[], b"").await, 400, "AuthorizationQueryParametersError").await;
    let short = bench.presign("GET", "a", &[], 60);
    let stretched = short.replace("X-Amz-Expires=60", "X-Amz-Expires=6000");
    refused(send("GET", &stretched, &[], b"").await, 403, "SignatureDoesNotMatch").await;
    let twice = format!("{short}&X-Amz-Expires=60");
    refused(send("GET", &twice, &[], b"").await, 400, "AuthorizationQueryParametersError").await;
}

#[tokio::test]
async fn other_ways_in_are_closed() {
    let bench = bench().await;
    let url = format!("http://{}/{BUCKET}/a", bench.address);
    let old = format!("{url}?AWSAccessKeyId={KEY_ID}&Expires=9999999999&Signature=abc");
    refused(send("GET", &old, &[], b"").await, 400, "InvalidRequest").await;
    let header = format!("AWS {KEY_ID}:abc");
    refused(send("GET", &url, &[("authorization", &header)], b"").await, 400, "InvalidRequest").await;
    let form = [("content-type", "Multipart/Form-Data; boundary=x")];
    refused(send("POST", &url, &form, b"--x--").await, 501, "NotImplemented").await;
    let both = bench.presign("GET", "a", &[], 60);
    let header = [("authorization", "AWS4-HMAC-SHA256 Credential=x")];
    refused(send("GET", &both, &header, b"").await, 400, "InvalidRequest").await;
    // The parameter's name may be written in other ways.
    let hidden = both.replace("X-Amz-Signature", "X-Amz-%53ignature");
    refused(send("GET", &hidden, &[("x-amz-acl", "private")], b"").await, 403, "AccessDenied").await;
}
