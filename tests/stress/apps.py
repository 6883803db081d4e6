"""Programs that promise their users that what they acknowledged is safe, and how to see that it is.

An application works in one directory. step(k) changes something and returns when that was acknowledged;
check(top, acknowledged, begun) tells what is wrong in a directory after a crash, when all up to step `acknowledged`
must be there, and nothing beyond step `begun` can be.
"""
import hashlib
import os
import random
import sqlite3

import oracle

ROWS = 12


def row(k, n):
    """What step k stores in its nth row; also large rows, which need pages of their own."""
    digest = hashlib.sha256(f"{k} {n}".encode()).hexdigest()
    return digest * (1 + (k * 7 + n) % (150 if n % 5 == 0 else 9))


class Database:
    """SQLite; step k adds rows, drops those of an older step, and counts in one transaction."""

    def __init__(self, journal, synchronous, by_cli):
        self.journal, self.synchronous, self.by_cli = journal, synchronous, by_cli
        self.connection = None

    def script(self, k):
        rows = ",".join(f"({k},{n},'{row(k, n)}')" for n in range(ROWS))
        return (f"BEGIN; INSERT INTO item VALUES {rows}; DELETE FROM item WHERE step = {k - 6}; "
                f"UPDATE item SET value = value || 'x' WHERE step = {k - 1} AND n % 2; UPDATE counter SET step = {k}; COMMIT;")

    def start(self, top):
        self.path = os.path.join(top, "db")
        self.run(f"PRAGMA page_size = 1024; PRAGMA journal_mode = {self.journal};"
                 "CREATE TABLE item(step INTEGER, n INTEGER, value TEXT, PRIMARY KEY(step, n));"
                 "CREATE INDEX item_value ON item(value); CREATE TABLE counter(step INTEGER);"
                 "INSERT INTO counter VALUES(0);")

    def run(self, script):
        if self.by_cli:
            oracle.run("sqlite3", "-bail", self.path, f"PRAGMA journal_mode = {self.journal}; PRAGMA synchronous = {self.synchronous}; {script}")
            return
        if not self.connection:
            self.connection = sqlite3.connect(self.path, isolation_level=None)
            self.connection.executescript(f"PRAGMA synchronous = {self.synchronous}; PRAGMA wal_autocheckpoint = 40;")
        self.connection.executescript(script)

    def step(self, k):
        self.run(self.script(k))

    def end(self):
        if self.connection:
            self.connection.close()

    def check(self, top, acknowledged, begun):
        path = os.path.join(top, "db")
        said = oracle.run("sqlite3", path, "PRAGMA integrity_check;", check=False).stdout.strip()
        if said != "ok":
            return f"integrity_check: {said}"
        db = sqlite3.connect(path)
        step = db.execute("SELECT step FROM counter").fetchall()
        items = db.execute("SELECT step, n, value FROM item ORDER BY step, n").fetchall()
        db.close()
        if len(step) != 1 or not acknowledged <= step[0][0] <= begun:
            return f"step {step}, acknowledged {acknowledged}, begun {begun}"
        last = step[0][0]
        want = [(k, n, row(k, n) + ("x" if n % 2 and k < last else "")) for k in range(max(1, last - 5), last + 1)
                for n in range(ROWS)]
        return "" if items == want else f"the rows are not those of step {last}"


class Repository:
    """git; step k changes files and commits. A directory is synced to make the new name of HEAD safe."""

    ENVIRONMENT = {"GIT_CONFIG_NOSYSTEM": "1", "HOME": "/nonexistent", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b",
                   "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b", "PATH": os.environ["PATH"]}

    def git(self, *words, check=True):
        return oracle.run("git", "-c", "core.fsync=all", "-c", "core.fsyncMethod=fsync", "-c", "gc.auto=0",
                          "-c", "safe.directory=*", "-C", self.top, *words, check=check, env=self.ENVIRONMENT)

    def start(self, top):
        self.top = os.path.join(top, "repository")
        oracle.run("git", "-c", "init.defaultBranch=main", "init", "-q", self.top, env=self.ENVIRONMENT)
        self.step(0)

    def step(self, k):
        rng = random.Random(k)
        for n in range(4):
            where = os.path.join(self.top, f"dir{rng.randrange(3)}")
            os.makedirs(where, exist_ok=True)
            with open(os.path.join(where, f"file{rng.randrange(6)}"), "wb") as f:
                f.write(rng.randbytes(rng.randrange(30000)))
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", f"{k}")
        if k % 10 == 9:
            self.git("repack", "-q", "-a", "-d")
        self.sync(".git/refs/heads")

    def sync(self, name):
        fd = os.open(os.path.join(self.top, name), os.O_RDONLY | os.O_DIRECTORY)
        os.fsync(fd)
        os.close(fd)

    def end(self):
        pass

    def check(self, top, acknowledged, begun):
        self.top = os.path.join(top, "repository")
        r = self.git("fsck", "--full", "--no-dangling", check=False)
        if r.returncode or r.stdout.strip():
            return f"git fsck: exit {r.returncode}\n{r.stdout}"
        r = self.git("log", "-1", "--format=%s", check=False)
        if r.returncode or not r.stdout.strip().isdigit() or not acknowledged <= int(r.stdout) <= begun:
            return f"HEAD is at {r.stdout}, acknowledged {acknowledged}, begun {begun}"
        return ""


APPLICATIONS = {
    # FULL does not sync the directory after a journal's deletion, which is the commit.
    "sqlite-delete": lambda: Database("DELETE", "EXTRA", True),
    "sqlite-truncate": lambda: Database("TRUNCATE", "FULL", True),
    "sqlite-wal": lambda: Database("WAL", "FULL", False),
    "git": Repository,
}
