"""Independent oracles and TAP output for the tests that work on whole images.

A test module calls point(ok, name, detail) for each thing it shows and ends
with finish(). Images and mounts live in a private directory that is removed
at the end.
"""
import atexit
import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

_count = 0
_failed = 0
_work = None


def work_dir():
    """A private directory below TMPDIR, removed at exit unless KEEP_WORK is set."""
    global _work
    if _work is None:
        _work = tempfile.mkdtemp(prefix="uext4-test-")
        atexit.register(_remove_work)
    return _work


def _remove_work():
    if os.environ.get("KEEP_WORK"):
        print(f"# kept {_work}")
    else:
        shutil.rmtree(_work, ignore_errors=True)


def point(ok, name, detail=""):
    """One TAP point."""
    global _count, _failed
    _count += 1
    if not ok:
        _failed += 1
        for line in str(detail).splitlines()[:60]:
            print(f"# {line}")
    print(f"{'ok' if ok else 'not ok'} {_count} - {name}", flush=True)
    return ok


def skip(name, why):
    global _count
    _count += 1
    print(f"ok {_count} - {name} # SKIP {why}", flush=True)


def finish():
    print(f"1..{_count}")
    sys.exit(1 if _failed else 0)


def run(*args, timeout=600, check=True, **kwargs):
    """Runs a program; raises with its output when it fails and check is set."""
    result = subprocess.run([str(a) for a in args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            timeout=timeout, text=True, errors="replace", **kwargs)
    if check and result.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, args))}: exit {result.returncode}\n{result.stdout}")
    return result


def can_mount():
    return os.geteuid() == 0 and os.path.exists("/dev/loop-control")


def make_image(path, size, *mke2fs_args):
    """A sparse file with a fresh file system."""
    with open(path, "wb") as f:
        f.truncate(size)
    run("mke2fs", "-q", "-F", *mke2fs_args, path)
    return path


BAD_LINE = re.compile(r"\? no|WARNING|differences|wrong|yes", re.I)


# An offer to optimise a sound tree, not damage: Linux leaves such trees behind too (seen after
# rounds that only the kernel wrote).
OFFER = re.compile(r"Inode (\d+) extent tree \(at level \d+\) could be (?:shorter|narrower)\.  Optimize\? no")


# A tree that could be shorter is no fault; e2fsck would rewrite it, and blocks would differ.
E2FSCK = ["e2fsck", "-E", "no_optimize_extents"]


def fsck_problems(image):
    """What e2fsck -fn has to say by rule OC-2: exit code 0 alone is not clean. Empty = clean.

    Never -p, which repairs in silence (OC-4), nor -E journal_only, which leaves orphans (OC-5); and what it
    can't see, contents above all, the callers compare by themselves (OC-7)."""
    r = run(*E2FSCK, "-fn", image, check=False)
    if r.returncode == 0 and not any(BAD_LINE.search(line) and not OFFER.search(line)
                                     for line in r.stdout.splitlines()):
        return ""
    return f"exit {r.returncode}\n{r.stdout}"


def fsck_offers(image):
    """The inodes, as text, of which e2fsck would make the extent tree lower."""
    return set(OFFER.findall(run("e2fsck", "-fn", image, check=False).stdout))


def check_problems(image):
    """What our own checker has to say, which shares no code with what wrote the image but the format."""
    r = run(built("uext4"), "check", image, check=False)
    return "" if r.returncode == 0 else f"uext4 check: exit {r.returncode}\n{r.stdout}"


REPAIR_OK = re.compile(
    r"^(e2fsck |Pass |.*recovering journal|.*Clearing orphaned inode|.*Truncating orphaned inode|"
    r"Free (blocks|inodes) count wrong \(|Fix\? yes|.*FILE SYSTEM WAS MODIFIED|.*: \d+/\d+ files|"
    r".*Orphan file .*not clean.*|Feature orphan_present is set but orphan file is clean\.|Clear\? yes|.*Setting free|\s*$|.*was not cleanly unmounted.*)")


def fsck_recovers(image):
    """OC-3: e2fsck -fy may only finish what the journal and the orphans left; then it is silent."""
    r = run(*E2FSCK, "-fy", image, check=False)
    odd = [line for line in r.stdout.splitlines() if not REPAIR_OK.match(line)]
    if r.returncode not in (0, 1) or odd:
        return f"exit {r.returncode}\n{r.stdout}"
    return fsck_problems(image)


def _kernel_log():
    """The kernel's log from now on; a reader of its own sees all that comes, whoever else reads."""
    log = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
    os.lseek(log, 0, os.SEEK_END)
    return log


def _rest_of(log):
    """The messages since then; those that were overwritten meanwhile are lost."""
    lines = []
    while True:
        try:
            record = os.read(log, 8192).decode(errors="replace")
            lines.append(record.partition(";")[2].splitlines()[0])
        except BrokenPipeError:
            continue
        except BlockingIOError:
            os.close(log)
            return lines


# Linux 6.18 says so, once in a while, of files whose contents are all there after the next mount; who
# goes on with what Linux wrote compares what it showed before the unmount with what is there afterwards.
DATA_LOST = re.compile(r"ext4_evict_inode:\d+: inode #\d+: comm umount: data will be lost")


def _kernel_complaints(log, device):
    """What the kernel has said of the device; other tests have devices of their own."""
    return [line for line in _rest_of(log) if re.search(rf"\b{device}\b", line) and
            re.search(r"EXT4-fs (error|warning)|JBD2: .*(error|fail|invalid)|Aborting", line, re.I)]


def _attach(image, options):
    """A loop device for the image that goes with its last user."""
    read_only = ["-r"] if "ro" in options.split(",") else []
    return run("losetup", "-f", "--show", *read_only, image).stdout.strip()


@contextlib.contextmanager
def kernel_mount(image, options="noatime", fstype="ext4", may_complain=False):
    """
    The kernel's own mount of an image; its complaints fail the run (OC-9) if nobody provokes them.
    """
    where = tempfile.mkdtemp(prefix="mnt-", dir=work_dir())
    device = _attach(image, options)
    log = _kernel_log()
    try:
        run("mount", "-t", fstype, "-o", options, device, where)
    finally:
        run("losetup", "-d", device)
    try:
        yield where
    finally:
        for attempt in range(50):
            if run("umount", where, check=False).returncode == 0:
                break
            time.sleep(0.1)
        else:
            run("umount", "-l", where)
        os.rmdir(where)
        bad = [line for line in _kernel_complaints(log, os.path.basename(device))
               if not DATA_LOST.search(line)]
        if bad and not may_complain:
            raise RuntimeError("kernel log:\n" + "\n".join(bad))


def built(name):
    """A program of the build: meson gives its directory in BUILD_DIR."""
    return os.path.join(os.environ["BUILD_DIR"], name)


def first_difference(a, b, names=("ours", "kernel")):
    """Text of the first lines in which two strings differ, or an empty string."""
    if a == b:
        return ""
    left, right = a.splitlines(), b.splitlines()
    out = []
    for i in range(max(len(left), len(right))):
        x = left[i] if i < len(left) else "(nothing)"
        y = right[i] if i < len(right) else "(nothing)"
        if x != y:
            out += [f"line {i + 1}", f"  {names[0]}: {x}", f"  {names[1]}: {y}"]
        if len(out) > 12:
            break
    return "\n".join(out)
