/* Waiting for another program that has an image open. */
#ifndef FACE_CLI_IMAGE_LOCK_H
#define FACE_CLI_IMAGE_LOCK_H

#include <stdbool.h>

/*
 * Whoever has an image open locks it (fcntl(2)). Waits until opening it, to write or to read,
 * would not be refused; at most timeout_ms, or for ever if that is negative.
 */
void image_lock_wait(const char *image, bool write, int timeout_ms);

#endif
