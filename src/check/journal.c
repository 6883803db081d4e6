/* The log: where it is, its superblock, and what it would bring back. */
#include "base/err.h"
#include "base/util.h"
#include "check/check_priv.h"
#include "dev/devices.h"
#include "disk/jbd2.h"
#include "journal/buffer.h"
#include "journal/journal.h"
#include "os/mem.h"

#include <string.h>

#define REPLAY_CACHE (1u << 20)

struct log_place {
	struct dev *dev;
	struct journal_run *runs;
	u32 count;
	u64 blocks;
};

#define tell(c, ...) check_found(c, CHECK_JOURNAL, (c)->sb.journal_inum, 0, __VA_ARGS__)

static int take_runs(struct scratch *s, struct log_place *p)
{
	p->runs = os_calloc(max_of(s->run_count, 1u), sizeof(*p->runs));
	if (!p->runs)
		return ERR(ENOMEM);
	p->count = s->run_count;
	for (u32 k = 0; k < s->run_count; k++) {
		p->runs[k] = (struct journal_run){s->runs[k].lblk, s->runs[k].len, s->runs[k].pblk};
		if (s->runs[k].lblk != p->blocks)
			return 1;
		p->blocks += s->runs[k].len;
	}
	return s->run_count ? 0 : 1;
}

/* > 0: there is no usable log there; 1: and that is to be told, since all of it could be read. */
static int find_inside(struct check *c, struct scratch *s, struct log_place *p)
{
	const bool incomplete = c->res->incomplete;
	struct inode_fields f;
	struct walk w = {.s = s, .ino = c->sb.journal_inum};

	p->dev = c->dev;
	if (!check_walk_hidden(&w, &f))
		return c->res->incomplete == incomplete ? 1 : 2;
	if (c->res->incomplete != incomplete)
		return 2;
	p->blocks = 0;
	if (w.damaged || f.size != (u64)(w.last + 1) * c->sb.block_size)
		return 1;
	return take_runs(s, p);
}

static int find_outside(struct check *c, struct scratch *s, struct log_place *p)
{
	struct ext4_super *es = (void *)s->block;
	u32 start = c->sb.block_size == 1024 ? 2 : 1, blocks;
	int err;

	if (!c->opt->journal_dev) {
		check_noted(
			c, CHECK_JOURNAL, 0, 0, "its log is on another device and was not checked");
		return super_has_recover(&c->sb) ? ERR(ENXIO) : 2;
	}
	p->dev = c->opt->journal_dev;
	err = dev_read(p->dev, EXT4_SUPER_OFFSET, es, sizeof(*es));
	if (err)
		return err;
	blocks = le32_to_cpu(es->s_blocks_count_lo);
	if (memcmp(es->s_uuid, c->sb.journal_uuid, 16) != 0 || blocks <= start)
		return 1;
	p->runs = os_calloc(1, sizeof(*p->runs));
	if (!p->runs)
		return ERR(ENOMEM);
	p->runs[0] = (struct journal_run){start, blocks - start, start};
	p->count = 1;
	p->blocks = blocks;
	return 0;
}

/* > 0: damaged, and told. */
static int check_log_super(
	struct check *c, struct scratch *s, struct log_place *p, struct jbd2_info *info)
{
	u32 bs = c->sb.block_size;
	const char *why = "";
	int err = dev_read(p->dev, p->runs[0].pblk * bs, s->block, bs);

	if (err) {
		check_found(c, CHECK_IO, c->sb.journal_inum, p->runs[0].pblk,
			"the journal superblock can't be read");
		return 1;
	}
	if (jbd2_super_decode((const void *)s->block, bs, p->blocks, info, &why)) {
		tell(c, "the journal superblock is damaged: %s", why);
		return 1;
	}
	if (info->nr_users > 1)
		tell(c, "the journal claims %u users", info->nr_users);
	if (info->error)
		check_noted(
			c, CHECK_JOURNAL, 0, 0, "the journal was stopped by error %d", info->error);
	return 0;
}

/* --- replay --- */

static int replay_onto(struct check *c, const struct log_place *p)
{
	struct bcache_params bp = {.dev = c->dev,
		.sb = &c->sb,
		.block_size = c->sb.block_size,
		.max_bytes = REPLAY_CACHE,
		.log = c->opt->log};
	struct journal_params jp = {.fs_dev = c->dev,
		.log_dev = p->dev,
		.sb = &c->sb,
		.log = c->opt->log,
		.runs = p->runs,
		.run_count = p->count};
	struct journal *j;
	int err = bcache_create(&bp, &jp.bcache);

	if (err)
		return err;
	err = journal_open(&jp, &j);
	if (!err) {
		err = journal_recover(j, c->overlay, false);
		journal_destroy(j);
	}
	bcache_destroy(jp.bcache);
	return err;
}

/* RC-1: everything that was read before is read again. */
static int begin_anew(struct check *c)
{
	const struct super_info before = c->sb;
	int err;

	c->dev = c->overlay;
	c->res->replayed = true;
	err = check_read_super(c);
	if (err)
		return err;
	if (c->sb.journal_inum != before.journal_inum || c->sb.block_size != before.block_size ||
		c->sb.itable_blocks != before.itable_blocks) {
		tell(c, "the log changes what can't change: block size, inode tables, journal");
		c->res->incomplete = true;
		return 1;
	}
	os_free(c->gdt);
	os_free(c->group_bad);
	c->gdt = c->group_bad = NULL;
	return check_load_groups(c);
}

static int replay(struct check *c, const struct log_place *p)
{
	int err = dev_overlay_create(c->dev, true, &c->overlay);

	if (!err)
		err = replay_onto(c, p);
	if (err == -EUCLEAN || err == -EBADMSG || err == -EOPNOTSUPP) {
		tell(c, "the log can't be replayed (%s); nothing else was checked", strerror(-err));
		c->res->incomplete = true;
		return 1;
	}
	return err ? err : begin_anew(c);
}

static int check_log(struct check *c, struct scratch *s, struct log_place *p)
{
	struct jbd2_info info;
	bool wanted = super_has_recover(&c->sb);
	int err = check_log_super(c, s, p, &info);

	if (err > 0 && wanted)
		c->res->incomplete = true;
	if (err)
		return wanted ? err : 0;
	if (info.start && !wanted)
		tell(c, "the log has transactions, but the superblock says that it needs no "
			"replay");
	return info.start && wanted ? replay(c, p) : 0;
}

int check_journal(struct check *c, struct scratch *s)
{
	struct log_place p = {0};
	int err;

	if (!c->sb.journal_inum && !c->sb.journal_dev) {
		check_found(
			c, CHECK_JOURNAL, 0, 0, "the superblock does not say where the journal is");
		return 0;
	}
	err = c->sb.journal_inum ? find_inside(c, s, &p) : find_outside(c, s, &p);
	if (err == 1)
		tell(c, "it is no usable journal: no file, or with holes, or of a wrong size");
	if (!err)
		err = check_log(c, s, &p);
	else if (err > 0)
		err = super_has_recover(&c->sb) ? 1 : 0;
	os_free(p.runs);
	return err;
}
