"""What the tests of the faces share: TAP, images, other users, e2fsck."""
import atexit
import os
import pickle
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback

USER = 1  # daemon: fusermount3 wants a user with a name, and every Debian has this one
ROOT_DIR = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.dirname(os.path.abspath(sys.argv[1]))
points = 0
failed = False


def _open_dir():
    """A new directory, not below one that is closed to others: some tests run as another user."""
    path = tempfile.mkdtemp(prefix="uext4-face-", dir="/tmp")
    os.chmod(path, 0o755)
    return path


def _lend(program):
    """A copy for all users, who may have no way into the project's directory; nor do we stay there."""
    path = _open_dir()
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    os.chdir("/")
    copy = shutil.copy(program, path)
    os.chmod(copy, 0o755)
    return copy


UEXT4 = _lend(os.path.abspath(sys.argv[1]))


def ok(good, what, detail=""):
    """One TAP point."""
    global points, failed
    points += 1
    print(f"{'ok' if good else 'not ok'} {points} - {what}", flush=True)
    if not good:
        failed = True
        for line in str(detail).splitlines()[-30:]:
            print("#", line, flush=True)
    return good


def skip(what, why):
    global points
    points += 1
    print(f"ok {points} - {what} # SKIP {why}", flush=True)


def equal(got, want, what):
    return ok(got == want, what, f"got  {got!r}\nwant {want!r}")


def raises(errno, what, fn, *args, **named):
    """fn must fail with that errno."""
    try:
        got = fn(*args, **named)
    except OSError as e:
        return ok(e.errno == errno, what, f"errno {e.errno} instead of {errno}: {e}")
    return ok(False, what, f"no error but {got!r}")


def case(fn, *args):
    """Runs one test function; an exception fails it and the others go on."""
    try:
        fn(*args)
    except Exception:
        ok(False, fn.__name__, traceback.format_exc())


def done():
    print(f"1..{points}", flush=True)
    sys.exit(1 if failed else 0)


def skip_all(why):
    print(f"1..0 # SKIP {why}")
    sys.exit(0)


def run(*command, code=0, stdin=None, env=None, user=None, text=True, timeout=300):
    """Runs a command; its exit code must be code, or anything if that is None."""
    r = subprocess.run(command, input=stdin, capture_output=True, text=text, timeout=timeout,
                       env=env, preexec_fn=(lambda: become(user)) if user is not None else None)
    if code is not None and r.returncode != code:
        raise AssertionError(f"{command}: exit code {r.returncode}, not {code}\n"
                             f"{r.stdout[-2000:]}{r.stderr[-2000:]}")
    return r


def uext4(*args, **named):
    return run(UEXT4, *args, **named)


def become(user):
    """For a new process: that user, and no signal ignored, as a shell does to what it runs behind."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if os.getuid() == 0 and user != 0:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)


def as_user(user, fn, *args):
    """Runs fn in a process of that user; its points count here, its result comes back."""
    global points, failed
    sys.stdout.flush()
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(r)
        become(user)
        os.umask(0o022)
        result = None
        try:
            result = fn(*args)
        except Exception:
            ok(False, getattr(fn, "__name__", "as_user"), traceback.format_exc())
        with os.fdopen(w, "wb") as out:
            out.write(pickle.dumps((points, failed, result)))
        os._exit(0)
    os.close(w)
    with os.fdopen(r, "rb") as source:
        points, failed, result = pickle.loads(source.read())
    os.waitpid(pid, 0)
    return result


class Room:
    """A temporary directory, removed with all mounts in it."""

    def __init__(self):
        self.path = _open_dir()

    def __truediv__(self, name):
        return os.path.join(self.path, name)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        with open("/proc/self/mounts", encoding="utf-8", errors="replace") as mounts:
            for line in mounts:
                where = line.split()[1]
                if where.startswith(self.path + "/"):
                    run("fusermount3", "-uz", where, code=None)
                    run("umount", "-l", where, code=None)
        shutil.rmtree(self.path, ignore_errors=True)


def make_image(path, size="128M", user=None, *options):
    with open(path, "wb") as image:
        image.truncate(int(size[:-1]) << 20)
    if user is not None:
        options += ("-E", f"root_owner={user}:{user}")
        if os.getuid() == 0:
            os.chown(path, user, user)
    run("mke2fs", "-q", "-F", "-t", "ext4", *options, path)
    return path


FAULTS = ("? no", "WARNING", "differences", "wrong")


def clean(image, what, offset=0):
    """OC-2: e2fsck finds nothing, which its exit code alone does not tell."""
    name = f"{image}?offset={offset}" if offset else image
    r = run("e2fsck", "-fn", name, code=None)
    text = r.stdout + r.stderr
    return ok(r.returncode == 0 and not any(f in text for f in FAULTS), what + ": e2fsck", text)


def compare_trees(a, b, what):
    r = run("diff", "-r", "--no-dereference", a, b, code=None)
    return ok(r.returncode == 0, what, r.stdout + r.stderr)


def wait_gone(pid, seconds=60):
    """The exit status of a child, which must end."""
    signal.alarm(seconds)
    _, status = os.waitpid(pid, 0)
    signal.alarm(0)
    return os.waitstatus_to_exitcode(status)
