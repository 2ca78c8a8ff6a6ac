"""A volume: made, mounted, committed, reloaded, seen by a second sandbox and after the first one's end."""
import modal
from common import app, create, sh

app = app("volumes")
volume = modal.Volume.from_name("heron", create_if_missing=True, version=2)
volume.hydrate()
again = modal.Volume.from_name("heron", version=2)
again.hydrate()
assert volume.object_id == again.object_id

first = create(app, volumes={"/mnt/workspace": volume})
second = create(app, volumes={"/data": volume})
assert sh(first, "cd /mnt/workspace && mkdir a && echo grey > a/heron && chmod 640 a/heron && sync . && ls a") == "heron\n"
second.reload_volumes()
assert sh(second, "cat /data/a/heron; stat -c %a /data/a/heron") == "grey\n640\n"
sh(second, "echo white > /data/a/egret")
second.terminate()
second.wait(raise_on_termination=False)
first.reload_volumes()
assert sh(first, "ls /mnt/workspace/a") == "egret\nheron\n"
first.terminate()
first.wait(raise_on_termination=False)

# It outlives the sandboxes.
third = create(app, volumes={"/data": volume})
assert sh(third, "cat /data/a/egret") == "white\n"
third.terminate()

try:
    modal.Volume.from_name("nobody").hydrate()
    raise AssertionError("a volume that isn't there was found")
except modal.exception.NotFoundError:
    pass
