/* The help text of `uext4 mount`. */
#include "options.h"

#include <stdio.h>

void mount_usage(void)
{
	fputs("Usage: uext4 mount IMAGE DIR [-o OPTION,...] [-f] [-d] [-s]\n"
	      "Makes the ext4 file system in IMAGE (a file or block device) visible at DIR.\n"
	      "Unmount with 'uext4 umount DIR', 'fusermount3 -u DIR' or umount(8).\n"
	      "\n"
	      "  -f  stay in the foreground; the exit code tells whether all was written\n"
	      "  -d  as -f, and print each request\n"
	      "  -s  serve one request at a time\n"
	      "  -h, --help; -V, --version\n"
	      "\n"
	      "Options:\n"
	      "  ro, rw                     read-only, or (default) read and write\n"
	      "  noload, norecovery         read-only and without replaying the journal\n"
	      "  offset=BYTES               where the file system starts in IMAGE\n"
	      "  sizelimit=BYTES            where it ends, from there\n"
	      "  sb=BLOCK                   use this backup superblock (read-only)\n"
	      "  errors=WHAT                on corruption: continue, remount-ro or panic\n"
	      "  commit=SECONDS             write the journal at least this often (5)\n"
	      "  data=ordered               the only data mode\n"
	      "  nodelalloc                 choose the place of data at the write, not at "
	      "writeback\n"
	      "  noinit_itable              don't zero the inode tables that mke2fs left\n"
	      "  data_err=abort|ignore      stop when file data can't be written, or go on\n"
	      "  noatime, relatime, strictatime, nodiratime\n"
	      "  nobarrier                  no device flushes: unsafe on power loss\n"
	      "  noacl, nouser_xattr, grpid as in ext4(5)\n"
	      "  uid=N, gid=N               show all files as owned by N\n"
	      "  fakeroot                   check no permissions\n"
	      "  allow_other, allow_root    let other users, or root, in\n"
	      "  nosuid, nodev, noexec, suid, dev, sync, dirsync\n"
	      "  cache_size=BYTES           memory for caches (256M)\n"
	      "  no_direct_io, no_io_uring  how the image is accessed\n"
	      "  journal_path=FILE          an external journal\n"
	      "  max_threads=N, clone_fd, stats, writeback_cache, max_readahead=BYTES, ...\n"
	      "                             see fuse(8)\n",
		stdout);
}
