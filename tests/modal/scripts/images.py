"""Images: environment, folder and commands as layers on the host; what can't be is said."""
import modal
from common import HOST, app, create, sh

app = app("images")
image = HOST.dockerfile_commands(
    ["ENV HERON=grey", "RUN mkdir -p /srv/heron && echo $HERON > /srv/heron/colour", "WORKDIR /srv/heron"]
)
sandbox = create(app, image=image)
assert sh(sandbox, "pwd; cat colour; echo $HERON") == "/srv/heron\ngrey\ngrey\n"
sh(sandbox, "echo white > colour && rm -r /srv/heron && echo '#!/bin/sh' > /usr/bin/heron && chmod +x /usr/bin/heron")
sandbox.terminate()

# What one sandbox did to its files is not in the next.
sandbox = create(app, image=image)
assert sh(sandbox, "cat /srv/heron/colour; test ! -e /usr/bin/heron") == "grey\n"
sandbox.terminate()

for broken, word in [
    (HOST.dockerfile_commands(["RUN echo the heron broke; exit 3"]), "failed"),
    (modal.Image.from_registry("alpine:3.21"), "stand_ins"),
]:
    try:
        create(app, image=broken)
        raise AssertionError("a broken image was built")
    except modal.exception.Error as e:
        assert word in str(e), (word, str(e))
