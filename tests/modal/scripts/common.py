"""What the scripts share. Each is one program of a user of Modal's package; assertions are its checks."""
import modal

#: The engine's default image: the machine's own programs.
HOST = modal.Image.from_registry("host")


def app(name):
    return modal.App.lookup(f"app-{name}", create_if_missing=True)


def create(app, *args, **options):
    """A sandbox of the second generation, which ends by itself if a script fails."""
    options.setdefault("timeout", 120)
    return modal.Sandbox._experimental_create(*args, app=app, image=options.pop("image", HOST), **options)


def sh(sandbox, script, **options):
    """Runs a script that must succeed; its output."""
    process = sandbox.exec("sh", "-c", script, **options)
    out, err = process.stdout.read(), process.stderr.read()
    code = process.wait()
    assert code == 0, f"{script}: {code}\n{out}{err}"
    return out
