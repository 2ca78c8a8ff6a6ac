"""Files that the package brings along (mounts): read-only, by content, also a large one."""
import os
import tempfile

from common import HOST, app, create, sh

with tempfile.TemporaryDirectory() as folder:
    os.mkdir(f"{folder}/nested")
    with open(f"{folder}/nested/heron.txt", "w") as file:
        file.write("grey\n")
    with open(f"{folder}/large", "wb") as file:
        file.write(b"\x5a" * (5 << 20))
    image = HOST.add_local_dir(folder, "/srv/birds")
    sandbox = create(app("files"), image=image)
    assert sh(sandbox, "cat /srv/birds/nested/heron.txt; wc -c < /srv/birds/large") == "grey\n5242880\n"
    sandbox.terminate()
