/* `uext4 mount`, which is also mount.fuse.uext4: serves an image through FUSE. */
#ifndef FACE_FUSE_MOUNT_H
#define FACE_FUSE_MOUNT_H

#include <stdbool.h>

/*
 * argv[0] is ignored; argv[1..] are the arguments after the command. helper: called by mount(8),
 * whose flags mean other things (-f fake, -s sloppy). Returns the exit code.
 */
int mount_main(int argc, char **argv, bool helper);

#endif
