/* An eventfd, for callers that wait with poll and its like. */
#ifndef OS_EVENT_H
#define OS_EVENT_H

int os_event_create(void); /* a descriptor or a negative errno; non-blocking */
void os_event_signal(int fd);
void os_event_close(int fd);

#endif
