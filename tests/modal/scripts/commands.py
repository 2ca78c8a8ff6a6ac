"""exec: output, errors, exit codes, input, environment, folders, time, a terminal."""
from common import app, create, sh

sandbox = create(app("commands"), env={"HERON": "grey"}, workdir="/tmp")

process = sandbox.exec("sh", "-c", "echo out; echo err >&2; exit 7")
assert process.stdout.read() == "out\n"
assert process.stderr.read() == "err\n"
assert process.wait() == 7, process.returncode
assert process.poll() == 7

process = sandbox.exec("cat")
process.stdin.write("one\n")
process.stdin.drain()
process.stdin.write("two\n")
process.stdin.write_eof()
process.stdin.drain()
assert process.stdout.read() == "one\ntwo\n"
assert process.wait() == 0

# Lines come while the command runs.
process = sandbox.exec("sh", "-c", "echo first; read line; echo $line", bufsize=1)
lines = iter(process.stdout)
assert next(lines) == "first\n"
process.stdin.write("second\n")
process.stdin.drain()
assert next(lines) == "second\n"
assert process.wait() == 0

# More than any buffer on the way, as bytes.
process = sandbox.exec("head", "-c", "5000000", "/dev/zero", text=False)
assert len(process.stdout.read()) == 5_000_000
assert process.wait() == 0

assert sh(sandbox, "pwd; echo $HERON") == "/tmp\ngrey\n"
assert sh(sandbox, "pwd; echo $HERON $EGRET", workdir="/usr", env={"EGRET": "white"}) == "/usr\ngrey white\n"

assert sandbox.exec("sh", "-c", "kill -9 $$").wait() == 137
process = sandbox.exec("sleep", "600", timeout=1)
assert process.wait() == -1, process.returncode  # what the package makes of a command whose time was over

process = sandbox.exec("sh", "-c", "tty; stty size", pty=True)
out = process.stdout.read()
assert "/dev/pts/" in out, out
assert process.wait() == 0

missing = sandbox.exec("heron-is-no-program")
assert missing.wait() == 127
assert "heron-is-no-program" in missing.stderr.read()

# Nothing of the host's is in it.
assert sh(sandbox, "ls -A /home /root | grep -v : | tr -d '\\n'") == ""
sandbox.terminate()
