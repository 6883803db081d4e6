/* What a row of an image of its own measures. */
#ifndef ROWS_IMAGE_H
#define ROWS_IMAGE_H

enum { IMAGE_ALLOC, IMAGE_EXTENTS, IMAGE_RECOVERY, IMAGE_MOUNT_MEMORY, IMAGE_LOOKUP, IMAGE_MEMORY };

#endif
