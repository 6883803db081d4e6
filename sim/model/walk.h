/* Reads everything that a mounted file system shows. */
#ifndef MODEL_WALK_H
#define MODEL_WALK_H

#include "sim/model/oracle.h"

struct found_file {
	u16 node;
	bool read;
	u64 size;
	const u8 *data; /* the walk's */
	char path[NAME_LEN + 1];
};

struct walk {
	struct oracle *o; /* names are looked up here; why is filled in */
	struct uext4_fs *fs;
	struct tree tree;
	struct found_file file[TREE_NODES]; /* by node */
	u8 *data;
	u64 data_used;
};

/* False: something can't be read, or was made by nobody. */
bool walk_read(struct walk *w, struct oracle *o, struct uext4_fs *fs);
bool oracle_file_legal(struct oracle *o, const struct found_file *f, const struct content_view *v);
/* Lists what one tree has and the other has not. */
void tree_difference(const struct tree *found, const struct tree *legal, const struct names *names,
	char *out, size_t size);

#endif
