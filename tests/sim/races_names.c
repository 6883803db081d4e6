/* Names that are looked up without a lock while they change. */
#include "race.h"

#include <stdio.h>

static void look_up(struct job *j)
{
	struct uext4_inode *root, *i;

	MUST(uext4_root(j->r->fs, &root));
	j->result = uext4_lookup(root, NULL, "x", &i);
	if (!j->result) {
		j->pos = uext4_inode_number(i);
		uext4_inode_put(i);
	}
	uext4_inode_put(root);
}

static u64 make(struct race_run *r, const char *name)
{
	struct uext4_file *f = race_open(r, name, O_RDWR | O_CREAT);
	u64 ino = race_inode(f)->ino;

	uext4_file_close(f);
	return ino;
}

/* DR-18: x was found, and before its inode is taken it is gone and its number has another name. */
static void number_changes_hands(struct race_run *r)
{
	struct job j = {.r = r};
	u64 x = make(r, "x");
	char name[16];

	sim_gate_close("name_found", NULL);
	job_start(&j, "lookup", look_up);
	sim_gate_wait("name_found");
	MUST(uext4_unlinkat(r->fs, NULL, "x", 0, NULL));
	race_commit(r);
	for (unsigned k = 0; k < 1000; k++) {
		snprintf(name, sizeof(name), "y%u", k);
		if (make(r, name) == x)
			break;
	}
	sim_gate_open("name_found");
	EXPECT(job_join(&j) == -ENOENT);
}

static const struct race race_number = {
	.name = "DR_18_number_changes_hands", .body = number_changes_hands};

const struct race *const races_names[] = {&race_number, NULL};
