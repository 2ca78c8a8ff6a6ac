"""Secrets: from a map, by name, of the sandbox and of one command; later ones win."""
import modal
from common import app, create, sh

# Before from_name: what the package calls a deployed secret.
modal.Secret.objects.create("heron", {"HERON": "grey", "BOTH": "named"}, allow_existing=True)
named = modal.Secret.from_name("heron")
mapped = modal.Secret.from_dict({"BOTH": "mapped", "EMPTY": "", "LINES": "a\nb"})

sandbox = create(app("secrets"), secrets=[named, mapped])
assert sh(sandbox, 'echo "$HERON $BOTH [$EMPTY] $LINES"') == "grey mapped [] a\nb\n"
one = modal.Secret.from_dict({"BOTH": "of the command"})
assert sh(sandbox, "echo $BOTH", secrets=[one]) == "of the command\n"
assert sh(sandbox, "echo $BOTH") == "mapped\n"
sandbox.terminate()

try:
    create(app("secrets"), secrets=[modal.Secret.from_name("nobody")])
    raise AssertionError("a secret that isn't there was found")
except modal.exception.NotFoundError:
    pass
