"""What the crash tests share: three ways to recover one image, and what must be equal after them."""
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import oracle

MIB = 1 << 20
SECTOR = 512
CSUM_OFF = "^metadata_csum,^metadata_csum_seed,^orphan_file"
NEW = "metadata_csum,metadata_csum_seed,orphan_file"
OLD = "metadata_csum,^metadata_csum_seed,^orphan_file"

# name: (size in MiB, mke2fs arguments)
SETS = {
    "default": (24, ["-t", "ext4", "-b", "4096", "-O", OLD, "-J", "size=4"]),
    "orphan-file": (24, ["-t", "ext4", "-b", "4096", "-O", NEW, "-J", "size=4"]),
    "1k-tiny-journal": (16, ["-t", "ext4", "-b", "1024", "-O", OLD, "-J", "size=1"]),
    "1k-orphan-file": (16, ["-t", "ext4", "-b", "1024", "-O", NEW, "-J", "size=1"]),
    "no-csum": (16, ["-t", "ext4", "-b", "1024", "-O", CSUM_OFF, "-J", "size=1"]),
    "ext3-1k": (16, ["-t", "ext3", "-b", "1024", "-J", "size=1"]),
}


def tool(*args):
    r = subprocess.run([oracle.built("tests/interop/" + args[0]), *map(str, args[1:])], timeout=300,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace", check=False)
    if r.returncode:
        raise RuntimeError(f"{args}: exit {r.returncode}\n{r.stderr[-2000:]}")
    return r.stdout


def copy(image, to):
    oracle.run("cp", "--sparse=always", image, to)
    return to


def same_bytes(a, b):
    return subprocess.run(["cmp", "-s", a, b], check=False).returncode == 0


def recover_ours(image):
    """Mounting read-write and closing: the tree is read in between."""
    return tool("tree", f"image:{image}")


def recover_kernel(image, look=None):
    """The tree, and what look(root directory) complains about."""
    with oracle.kernel_mount(image) as where:
        return tool("tree", f"posix:{where}"), look(where) if look else ""


def debugfs(image, pattern, *request):
    return re.findall(pattern, oracle.run("debugfs", "-R", " ".join(request), image).stdout, re.M)


def tear_commit(image, byte):
    """Fills the log's last commit block behind its first sector; whether that changed anything."""
    commits = debugfs(image, r"type 2 \(commit block\) at block (\d+)", "logdump")
    if not commits:
        return False
    block = int(debugfs(image, r"^\d+$", "bmap", "<8>", commits[-1])[0])
    size = int(debugfs(image, r"^Block size: +(\d+)", "stats", "-h")[0])
    with open(image, "r+b") as f:
        f.seek(block * size + SECTOR)
        before, after = f.read(size - SECTOR), byte * (size - SECTOR)
        f.seek(block * size + SECTOR)
        f.write(after)
    return before != after


def e2fsck_recovers(image):
    """e2fsck -fy of a crash image. 1.47.0 gives a log up whose last commit block reached the device with its
    first sector only; Linux and uext4 take that for a commit (RC-6), so e2fsck gets it whole then."""
    torn = copy(image, image + ".torn")
    why = oracle.fsck_recovers(image)
    if "was corrupt, replay was aborted" in why and tear_commit(torn, b"\0"):
        os.replace(torn, image)
        return oracle.fsck_recovers(image)
    os.unlink(torn)
    return why


TIMES = re.compile(r" [mc]=\S+")
BLOCKS = re.compile(r" blocks=(\d+)")
INODE = re.compile(r" ino=(\d+)|$")


def finished(tree, read_only):
    """What was read without finishing any truncation, with the blocks behind the new ends taken off."""
    ours, theirs = tree.splitlines(), read_only.splitlines()
    for k, (a, b) in enumerate(zip(ours, theirs)):
        x, y = BLOCKS.search(a), BLOCKS.search(b)
        if x and y and int(y[1]) > int(x[1]):
            theirs[k] = BLOCKS.sub(x[0], b)
    return "".join(line + "\n" for line in theirs)


def without_blocks(tree, inodes):
    return "".join(BLOCKS.sub("", line) if INODE.search(line)[1] in inodes else line
                   for line in tree.splitlines(keepends=True))


def compare(names, trees, images):
    """What differs from the first tree. Linux alone sets times when it finishes a truncation, and it
    and e2fsck leave an extent tree as high as it was; uext4 frees the blocks that it does not need."""
    out = ""
    for name, tree, image in zip(names[1:], trees[1:], images[1:]):
        pair = [TIMES.sub("", t) if name == "kernel" else t for t in (trees[0], tree)]
        if name == "uext4 read-only":
            pair[1] = finished(*pair)
        elif pair[0] != pair[1]:
            high = oracle.fsck_offers(image)
            pair = [without_blocks(t, high) for t in pair]
        if why := oracle.first_difference(*pair, (names[0], name)):
            out += f"{names[0]} and {name} differ:\n{why}\n"
    return out


def verdict(image, keep=None, read_only=True, look=None):
    """OC-1 for one crash image; empty = good. keep: where the image that uext4 recovered goes;
    look: checks the files, given their root directory."""
    work = image + ".d"
    os.mkdir(work)
    try:
        return _verdict(image, work, keep, read_only, look)
    except (RuntimeError, subprocess.SubprocessError) as e:
        return str(e)
    finally:
        shutil.rmtree(work)


def _verdict(image, work, keep, read_only, look):
    ours, kernel, fsck = (copy(image, f"{work}/{n}") for n in ("ours", "kernel", "fsck"))
    names, images, trees, problems = ["uext4", "kernel", "e2fsck"], [ours, kernel, fsck], [], ""
    if why := oracle.check_problems(image):
        problems += f"before any recovery: {why}\n"
    trees.append(recover_ours(ours))
    if why := oracle.check_problems(ours):
        problems += f"after uext4's recovery: {why}\n"
    if why := oracle.fsck_problems(ours):
        problems += f"e2fsck after uext4's recovery: {why}\n"
    tree, why = recover_kernel(kernel, look)
    trees.append(tree)
    problems += why
    if why := oracle.fsck_problems(kernel):
        problems += f"e2fsck after the kernel's recovery: {why}\n"
    if why := e2fsck_recovers(fsck):
        problems += f"e2fsck's own recovery: {why}\n"
    trees.append(tool("tree", f"image-ro:{fsck}"))
    if read_only:
        again = copy(image, f"{work}/ro")
        names.append("uext4 read-only")
        images.append(again)
        trees.append(tool("tree", f"image-ro:{again}"))
        if not same_bytes(image, again):
            problems += "a read-only open changed the image (RC-12)\n"
    problems += compare(names, trees, images)
    if keep:
        os.replace(ours, keep)
    return problems


def save(image, name):
    """Keeps a failing image if KEEP_CRASH names a directory."""
    where = os.environ.get("KEEP_CRASH")
    if where:
        os.makedirs(where, exist_ok=True)
        shutil.copy(image, os.path.join(where, name))
