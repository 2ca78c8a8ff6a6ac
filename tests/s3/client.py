"""What programs do with boto3. The environment names the store."""

import hashlib
import io
import os
import urllib.request

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

s3 = boto3.client("s3")
BUCKET = "bank"


def refused(code, call, **args):
    try:
        call(**args)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
    else:
        raise AssertionError(f"{call.__name__} was not refused with {code}")


def read(key, **args):
    return s3.get_object(Bucket=BUCKET, Key=key, **args)["Body"].read()


# Empty, small and large bodies on one connection, checksums by the SDK's own choice (a trailer) and by ours.
for size in (0, 5, 100_000):
    body = os.urandom(size)
    put = s3.put_object(Bucket=BUCKET, Key="a", Body=body, Metadata={"nest": "reeds"}, ContentType="x/y")
    assert put["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    got = s3.get_object(Bucket=BUCKET, Key="a", ChecksumMode="ENABLED")
    assert got["Body"].read() == body and got["Metadata"] == {"nest": "reeds"} and got["ContentType"] == "x/y"
    # A stream of unknown digest goes out in chunks with a trailer.
    for algorithm in ("CRC32", "SHA1", "SHA256"):
        put = s3.put_object(Bucket=BUCKET, Key="a", Body=io.BytesIO(body), ChecksumAlgorithm=algorithm)
        head = s3.head_object(Bucket=BUCKET, Key="a", ChecksumMode="ENABLED")
        assert head[f"Checksum{algorithm}"] == put[f"Checksum{algorithm}"]
        assert read("a") == body
    refused("BadDigest", s3.put_object, Bucket=BUCKET, Key="a", Body=b"x", ChecksumSHA256="A" * 43 + "=")
    refused("BadDigest", s3.put_object, Bucket=BUCKET, Key="a", Body=b"x", ContentMD5="A" * 22 + "==")
    assert read("a") == body

assert read("a", Range="bytes=10-19") == body[10:20]
assert read("a", Range="bytes=-7") == body[-7:]
refused("InvalidRange", s3.get_object, Bucket=BUCKET, Key="a", Range="bytes=100000-")
refused("NoSuchKey", s3.get_object, Bucket=BUCKET, Key="none")
refused("404", s3.head_object, Bucket=BUCKET, Key="none")
refused("NoSuchBucket", s3.list_objects_v2, Bucket="nowhere")

# Conditions.
s3.put_object(Bucket=BUCKET, Key="claim", Body=b"1", IfNoneMatch="*")
refused("PreconditionFailed", s3.put_object, Bucket=BUCKET, Key="claim", Body=b"2", IfNoneMatch="*")
etag = s3.head_object(Bucket=BUCKET, Key="claim")["ETag"]
s3.put_object(Bucket=BUCKET, Key="claim", Body=b"3", IfMatch=etag)
refused("PreconditionFailed", s3.put_object, Bucket=BUCKET, Key="claim", Body=b"4", IfMatch=etag)
assert read("claim") == b"3"

# 30 MB in parts, several at a time; then a copy in parts.
big = os.urandom(30_000_000)
parts = TransferConfig(multipart_threshold=8 << 20, multipart_chunksize=8 << 20, max_concurrency=4)
s3.upload_fileobj(io.BytesIO(big), BUCKET, "big", Config=parts, ExtraArgs={"ChecksumAlgorithm": "SHA256"})
head = s3.head_object(Bucket=BUCKET, Key="big", ChecksumMode="ENABLED")
assert head["ChecksumType"] == "COMPOSITE" and head["ChecksumSHA256"].endswith("-4") and head["ETag"].endswith('-4"')
s3.copy({"Bucket": BUCKET, "Key": "big"}, BUCKET, "big copy", Config=parts)
for key in ("big", "big copy"):
    out = io.BytesIO()
    s3.download_fileobj(BUCKET, key, out, Config=parts)
    assert out.getvalue() == big, key
for kind in ("FULL_OBJECT", "COMPOSITE"):
    made = s3.create_multipart_upload(Bucket=BUCKET, Key=kind, ChecksumAlgorithm="CRC32", ChecksumType=kind)
    target = {"Bucket": BUCKET, "Key": kind, "UploadId": made["UploadId"]}
    for n in (1, 2):
        s3.upload_part(**target, PartNumber=n, Body=big[: 5 << 20], ChecksumAlgorithm="CRC32")
    assert s3.list_multipart_uploads(Bucket=BUCKET)["Uploads"][0]["UploadId"] == made["UploadId"]
    listed = [
        {k: part[k] for k in ("PartNumber", "ETag", "ChecksumCRC32")} for part in s3.list_parts(**target)["Parts"]
    ]
    s3.complete_multipart_upload(**target, MultipartUpload={"Parts": listed})
    got = s3.get_object(Bucket=BUCKET, Key=kind, ChecksumMode="ENABLED")
    assert got["ChecksumType"] == kind and got["Body"].read() == big[: 5 << 20] * 2

# Copies.
source = {"Bucket": BUCKET, "Key": "claim"}
copied = s3.copy_object(Bucket=BUCKET, Key="b", CopySource=source)
assert copied["CopyObjectResult"]["ETag"] == s3.head_object(Bucket=BUCKET, Key="claim")["ETag"]
refused("PreconditionFailed", s3.copy_object, Bucket=BUCKET, Key="b", CopySource=source, CopySourceIfMatch='"x"')

# Names, up to S3's bound.
odd = ["k" * 1024, "a/b", "a//b", "../up", "sp ace/+%&#?ü", "new\nline", "€" * 341]
for key in odd:
    s3.put_object(Bucket=BUCKET, Key="odd/" + key if len(key.encode()) < 1000 else key, Body=key.encode())
assert read("k" * 1024) == b"k" * 1024 and read("odd/new\nline") == b"new\nline"
refused("KeyTooLongError", s3.put_object, Bucket=BUCKET, Key="k" * 1025, Body=b"")
listed = [o["Key"] for o in s3.list_objects_v2(Bucket=BUCKET, Prefix="odd/")["Contents"]]
assert listed == sorted(("odd/" + k for k in odd if len(k.encode()) < 1000), key=str.encode), listed

# Pages.
for n in range(25):
    s3.put_object(Bucket=BUCKET, Key=f"page/{n:02}/x", Body=b"")
for kind in ("list_objects_v2", "list_objects"):
    pages = s3.get_paginator(kind).paginate(Bucket=BUCKET, Prefix="page/", PaginationConfig={"PageSize": 7})
    assert [o["Key"] for page in pages for o in page["Contents"]] == [f"page/{n:02}/x" for n in range(25)], kind
    pages = s3.get_paginator(kind).paginate(
        Bucket=BUCKET, Prefix="page/", Delimiter="/", PaginationConfig={"PageSize": 4}
    )
    assert [p["Prefix"] for page in pages for p in page["CommonPrefixes"]] == [f"page/{n:02}/" for n in range(25)]
after = s3.list_objects_v2(Bucket=BUCKET, Prefix="page/", StartAfter="page/22/x")
assert after["KeyCount"] == 2

# URLs.
url = s3.generate_presigned_url("put_object", Params={"Bucket": BUCKET, "Key": "by url"}, ExpiresIn=60)
urllib.request.urlopen(urllib.request.Request(url, data=b"hello", method="PUT", headers={"Content-Type": ""}))
url = s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "by url"}, ExpiresIn=60)
assert urllib.request.urlopen(url).read() == b"hello"

# The end of it all, by thousands.
keys = [{"Key": o["Key"]} for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET) for o in page["Contents"]]
done = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": keys + [{"Key": "never"}]})
assert len(done["Deleted"]) == len(keys) + 1 and "Errors" not in done
s3.delete_bucket(Bucket=BUCKET)
