"""Sandboxes: names, tags, lists, ends, limits, and the environment that a first command gets."""
import modal
from common import app, create, sh

app = app("sandboxes")
first = create(app, name="heron", tags={"bird": "grey"})
second = create(app, tags={"bird": "white"})
try:
    create(app, name="heron")
    raise AssertionError("a name was taken twice")
except modal.exception.AlreadyExistsError:
    pass


def listed(**options):
    return {s.object_id for s in modal.Sandbox._experimental_list(app_id=app.app_id, **options)}


assert listed() == {first.object_id, second.object_id}
assert listed(tags={"bird": "white"}) == {second.object_id}
assert modal.Sandbox._experimental_from_name("app-sandboxes", "heron").object_id == first.object_id
found = modal.Sandbox.from_id(first.object_id)
assert sh(found, "echo here") == "here\n"
first.set_tags({"bird": "blue"})
assert first.get_tags() == {"bird": "blue"}
assert listed(tags={"bird": "blue"}) == {first.object_id}

assert first.poll() is None
first.terminate()
first.wait(raise_on_termination=False)
assert first.poll() is not None
assert listed() == {second.object_id}
# Its name is free again.
third = create(app, name="heron")
assert third.object_id != first.object_id
third.terminate()
second.terminate()

ended = create(app, "sh", "-c", "exit 3")
ended.wait()
assert ended.returncode == 3, ended.returncode

late = create(app, "sleep", "600", timeout=1)
try:
    late.wait()
    raise AssertionError("a sandbox whose time was over ended otherwise")
except modal.exception.SandboxTimeoutError:
    pass
