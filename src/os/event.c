#include "os/event.h"
#include "base/err.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

int os_event_create(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	return fd < 0 ? ERR(errno) : fd;
}

void os_event_signal(int fd)
{
	/* What could fail is a counter that is full: then it is readable already. */
	(void)!eventfd_write(fd, 1);
}

void os_event_close(int fd)
{
	close(fd);
}
