#include "base/err.h"

#include <stddef.h>

static err_hook_fn *err_hook;

void err_set_hook(err_hook_fn *hook)
{
	err_hook = hook;
}

void err_raise(int err, const char *file, int line)
{
	if (err_hook != NULL)
		err_hook(err, file, line);
}
