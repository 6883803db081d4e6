"""A FUSE mount of ours for the tests of this folder, and what is compared after it."""
import filecmp
import os
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import oracle

# These tests sync all the time: their images are in memory where there is room.
MEMORY = "/dev/shm"
if os.path.isdir(MEMORY) and shutil.disk_usage(MEMORY).free > 1 << 30:
    os.environ.setdefault("TMPDIR", MEMORY)

# What a mount says of a crash that was before it.
RECOVERED = re.compile("journal: (replayed|transaction .* taken as complete)")


def mounted(where):
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        return any(line.split()[1] == where for line in mounts)


def can_fuse():
    return os.path.exists("/dev/fuse") and (os.geteuid() == 0 or os.access("/dev/fuse", os.W_OK))


class Mount:
    """An image, or what serve says, by a server in the foreground."""

    def __init__(self, image, *options, serve=None):
        self.where = image + ".mnt"
        self.log = image + ".log"
        os.makedirs(self.where, exist_ok=True)
        command = serve or [oracle.built("uext4"), "mount"]
        command = [*command, image, self.where, "-f"]
        if options:
            command += ["-o", ",".join(options)]
        with open(self.log, "wb") as log:
            self.server = subprocess.Popen(command, stdout=log, stderr=log)
        while not mounted(self.where):
            if self.server.poll() is not None:
                raise RuntimeError("no mount: " + self.messages())
            time.sleep(0.02)

    def messages(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        """The server must end well; after an exception it only has to go."""
        try:
            if not error[0]:
                self.stop()
        finally:
            if self.server.poll() is None:
                oracle.run("umount", "-l", self.where, check=False)
                self.server.kill()
                self.server.wait()

    def stop(self):
        oracle.run(oracle.built("uext4"), "umount", self.where)
        code = self.server.wait(600)
        said = [line for line in self.messages().splitlines() if not RECOVERED.search(line)]
        if code or said:
            raise RuntimeError(f"the server ended with {code}: {self.messages()}")


def kernel_differs(image, models):
    """What Linux reads otherwise than it must be; an empty text if nothing."""
    names = sorted(os.listdir(models))
    with oracle.kernel_mount(image, "ro,noatime") as where:
        bad = [n for n in names if not filecmp.cmp(os.path.join(models, n), os.path.join(where, n), shallow=False)]
    return f"Linux reads other bytes in {bad}" if bad else ""


def image_differs(image, models):
    """OC-2, and the contents as Linux reads them."""
    if why := oracle.fsck_problems(image):
        return why
    return kernel_differs(image, models) if oracle.can_mount() else ""
