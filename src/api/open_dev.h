/* Opening a file system on a device of ours: for the simulator, which has no files. */
#ifndef API_OPEN_DEV_H
#define API_OPEN_DEV_H

#include "dev/dev.h"

#include <uext4/fs.h>

/* As uext4_open. dev is taken in every case. */
int api_open_dev(struct dev *dev, const struct uext4_options *opt, struct uext4_fs **out);

#endif
