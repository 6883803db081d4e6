/* What content.c and bytes.c share: which changes a view shows. */
#ifndef MODEL_CONTENT_PRIV_H
#define MODEL_CONTENT_PRIV_H

#include "sim/model/content.h"

enum shift_state {
	SHIFT_ABSENT,
	SHIFT_PARTLY, /* up to the view's seam */
	SHIFT_DONE,
	SHIFT_ANY, /* it runs now, or failed: each byte may have moved, be zero, or not */
};

u32 change_begin(const struct change *g);
u32 change_end(const struct change *g);
bool change_possible(const struct change *g, const struct content_view *v);
bool change_there(const struct change *g, const struct content_view *v); /* for certain */
static inline bool change_shifts(const struct change *g)
{
	return g->kind == CHANGE_COLLAPSE || g->kind == CHANGE_INSERT;
}

enum shift_state shift_state(const struct change *g, const struct content_view *v);
/* The view with the file's own promises in safe_before. */
struct content_view content_view_full(const struct content *c, const struct content_view *v);

#endif
