/* Waiting for another program that has an image open. */
#include "image_lock.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

enum { POLL_MS = 20 };

static bool is_locked(int fd, bool write)
{
	struct flock lock = {.l_type = write ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET};

	return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

void image_lock_wait(const char *image, bool write, int timeout_ms)
{
	struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};
	int fd = open(image, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	while (is_locked(fd, write) && timeout_ms) {
		nanosleep(&pause, NULL);
		if (timeout_ms > 0)
			timeout_ms = timeout_ms > POLL_MS ? timeout_ms - POLL_MS : 0;
	}
	close(fd);
}
