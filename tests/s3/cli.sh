# What people do with the aws cli. Runs in an empty folder, under `sh -eu`.

same() { test "$1" = "$2" || { echo "expected: $2"; echo "     got: $1"; exit 1; }; }

# A tree with an empty file among others: an empty upload must not hurt the next one on its connection.
mkdir -p tree/deep/er
for n in 1 2 3 4 5 6 7 8 9; do echo "heron $n" > "tree/file $n.txt"; : > "tree/empty-$n"; done
echo 'ü + %' > 'tree/deep/er/ü + % & #.txt'
head -c 30000000 /dev/urandom > tree/deep/big

began=$(date +%s)
"$AWS" s3 sync --only-show-errors tree s3://bank/up/tree
took=$(($(date +%s) - began))
test $took -lt 55 || { echo "the sync took $took s: an upload hung behind an empty one"; exit 1; }
same "$("$AWS" s3 ls --recursive s3://bank/ | wc -l)" 20
same "$("$AWS" s3 sync tree s3://bank/up/tree)" ''
same "$("$AWS" s3 ls s3://bank/up/tree/ | awk '$1 == "PRE" { print $2 }')" deep/
"$AWS" s3 sync --only-show-errors s3://bank/up/tree back
diff -r tree back

# The large one was sent, and is copied, in parts.
same "$("$AWS" s3api head-object --bucket bank --key up/tree/deep/big --query ContentLength)" 30000000
"$AWS" s3 cp --only-show-errors s3://bank/up/tree/deep/big s3://bank/copy
"$AWS" s3 cp --only-show-errors s3://bank/copy copy
cmp copy tree/deep/big

"$AWS" s3 mv --only-show-errors s3://bank/copy s3://bank/moved
same "$("$AWS" s3 ls s3://bank/copy || :)" ''
url=$("$AWS" s3 presign s3://bank/moved --expires-in 60)
python=$(command -v python3 || :)
if test -n "$python"; then
    "$python" -c 'import sys, urllib.request; sys.stdout.buffer.write(urllib.request.urlopen(sys.argv[1]).read())' "$url" > got
    cmp got tree/deep/big
fi

echo piped | "$AWS" s3 cp - s3://bank/piped
same "$("$AWS" s3 cp s3://bank/piped -)" piped
"$AWS" s3api get-object --bucket bank --key piped --range bytes=1-3 part > /dev/null
same "$(cat part)" ipe
if "$AWS" s3api put-object --bucket bank --key piped --body part --if-none-match '*' 2> said; then exit 1; fi
grep -q PreconditionFailed said
"$AWS" s3api put-object --bucket bank --key summed --body part --checksum-algorithm SHA256 > /dev/null
same "$("$AWS" s3api head-object --bucket bank --key summed --checksum-mode ENABLED --query ChecksumSHA256 --output text)" \
    "$("$AWS" s3api get-object --bucket bank --key summed --checksum-mode ENABLED got --query ChecksumSHA256 --output text)"

"$AWS" s3 rm --only-show-errors --recursive s3://bank/up
"$AWS" s3 mb s3://other > /dev/null
if "$AWS" s3 rb s3://bank 2> said; then exit 1; fi
grep -q BucketNotEmpty said
"$AWS" s3 rb --force s3://bank > /dev/null
same "$("$AWS" s3 ls | awk '{ print $3 }')" other

if AWS_SECRET_ACCESS_KEY=wrong "$AWS" s3 ls s3://other 2> said; then exit 1; fi
grep -q SignatureDoesNotMatch said
