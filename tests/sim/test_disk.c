/* The simulated disk: pages, poison, completions, limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka needs the headers above before it */
#include <cmocka.h>

#include <errno.h>
#include <unistd.h>

#include "dev/devices.h"
#include "os/clock.h"
#include "os/event.h"
#include "sim/disk/disk.h"
#include "sim/disk/poison.h"
#include "sim/os/sim.h"

#define DISK_BYTES (64 * 1024)

static struct sim_pages blank;

static int setup(void **state)
{
	sim_pages_init(&blank, DISK_BYTES);
	return 0;
}

static int teardown(void **state)
{
	sim_pages_fini(&blank);
	return 0;
}

static struct sim_disk *disk_with(struct sim_disk_params params)
{
	return sim_disk_create(&blank, &params);
}

static void poison_names_sector_and_generation(void **state)
{
	u8 buf[3 * SIM_SECTOR] = {0};
	struct sim_poison found;

	assert_false(sim_poison_recognise(buf, sizeof(buf), &found));
	sim_poison_fill(0x123456789abcull, 77, buf + 301);
	assert_true(sim_poison_recognise(buf, sizeof(buf), &found));
	assert_int_equal(found.sector, 0x123456789abcull);
	assert_int_equal(found.generation, 77);
	assert_int_equal(found.at, 301);
	/* A piece that begins inside of a cell holds the next whole one; less than two may hold
	 * none. */
	assert_true(sim_poison_recognise(buf + 302, 31, &found));
	assert_int_equal(found.at, 15);
	assert_false(sim_poison_recognise(buf + 302, 30, &found));
	for (unsigned i = 0; i < SIM_SECTOR; i++)
		assert_true(sim_poison_byte(buf[301 + i]));
}

static void fresh_disk_is_poisoned(void **state)
{
	struct sim_disk *d = disk_with((struct sim_disk_params){0});
	struct dev *dev = sim_disk_dev(d);
	struct sim_poison found;
	u8 buf[1024];

	assert_int_equal(dev_read(dev, 7 * 512, buf, 1024), 0);
	assert_true(sim_poison_recognise(buf, 512, &found));
	assert_int_equal(found.sector, 7);
	assert_int_equal(found.generation, 0);
	assert_true(sim_poison_recognise(buf + 512, 512, &found));
	assert_int_equal(found.sector, 8);
	dev_close(dev);
	sim_disk_destroy(d);
}

static void discard_poisons_anew_and_zeroes_zero(void **state)
{
	struct sim_disk *d = disk_with((struct sim_disk_params){0});
	struct dev *dev = sim_disk_dev(d);
	struct sim_poison found;
	u8 buf[512];

	for (u32 generation = 1; generation < 4; generation++) {
		memset(buf, 'x', sizeof(buf));
		assert_int_equal(dev_write(dev, 4096, buf, 512, 0), 0);
		assert_int_equal(dev_discard(dev, 4096, 512), 0);
		assert_int_equal(dev_read(dev, 4096, buf, 512), 0);
		assert_true(sim_poison_recognise(buf, 512, &found));
		assert_int_equal(found.sector, 8);
		assert_int_equal(found.generation, generation);
	}
	assert_int_equal(dev_write_zeroes(dev, 4096, 512, 0), 0);
	assert_int_equal(dev_read(dev, 4096, buf, 512), 0);
	for (unsigned i = 0; i < 512; i++)
		assert_int_equal(buf[i], 0);
	dev_close(dev);
	sim_disk_destroy(d);
}

/* A branch shows what its origin held when it was made, and neither sees the other's writes. */
static void branches_are_apart(void **state)
{
	struct sim_pages a, b;
	u8 buf[6000], out[6000];

	memset(buf, 1, sizeof(buf));
	sim_pages_clone(&a, &blank);
	sim_pages_write(&a, 3000, buf, sizeof(buf));
	sim_pages_clone(&b, &a);
	memset(buf, 2, sizeof(buf));
	sim_pages_write(&b, 5000, buf, 512);
	sim_pages_zero(&a, 4096, 100);
	sim_pages_read(&b, 3000, out, sizeof(out));
	assert_int_equal(out[1999], 1);
	assert_int_equal(out[2000], 2);
	assert_int_equal(out[2511], 2);
	assert_int_equal(out[2512], 1);
	assert_int_equal(out[1096], 1);
	sim_pages_read(&a, 3000, out, sizeof(out));
	assert_int_equal(out[1095], 1);
	assert_int_equal(out[1096], 0);
	assert_int_equal(out[1196], 1);
	assert_int_equal(out[2000], 1);
	sim_pages_fini(&a);
	sim_pages_read(&b, 3000, out, sizeof(out));
	assert_int_equal(out[1096], 1);
	sim_pages_fini(&b);
}

static u32 last_of(u32 n)
{
	return n - 1;
}

struct order {
	int seen[4];
	unsigned count;
};

static void note_order(struct dev_req *r)
{
	struct order *o = r->priv[0];

	o->seen[o->count++] = (int)(r->offset / 512);
}

/* Completions come in the order that the chooser gives, and what completes last wins. */
static void completions_are_reordered(void **state)
{
	struct sim_disk *d = disk_with((struct sim_disk_params){.choose = last_of});
	struct dev *dev = sim_disk_dev(d);
	struct order order = {.count = 0};
	struct dev_req req[3], *reqs[3];
	u8 data[3][1024];
	struct iovec iov[3];
	struct dev_queue *q;

	assert_int_equal(dev_queue_create(dev, 8, &q), 0);
	for (unsigned i = 0; i < 3; i++) {
		memset(data[i], 'a' + (int)i, 1024);
		iov[i] = (struct iovec){data[i], 1024};
		req[i] = (struct dev_req){.op = DEV_WRITE,
			.offset = i * 512,
			.len = 1024,
			.iov = &iov[i],
			.iov_count = 1,
			.done = note_order,
			.priv = {&order}};
		reqs[i] = &req[i];
	}
	dev_submit(q, reqs, 3);
	dev_drain(q);
	assert_int_equal(order.count, 3);
	assert_int_equal(order.seen[0], 2);
	assert_int_equal(order.seen[2], 0);
	assert_int_equal(dev_read(dev, 512, data[0], 1024), 0);
	assert_int_equal(data[0][0], 'a');
	assert_int_equal(data[0][512], 'b');
	dev_queue_destroy(q);
	dev_close(dev);
	sim_disk_destroy(d);
}

static u32 none_of(u32 n)
{
	return 0;
}

/* A poll may find nothing, but not for ever. */
static void polls_end(void **state)
{
	struct sim_disk *d = disk_with((struct sim_disk_params){.choose = none_of});
	struct dev *dev = sim_disk_dev(d);
	struct dev_req req = {.op = DEV_FLUSH}, *reqs = &req;
	struct dev_queue *q;
	int ran = 0;

	assert_int_equal(dev_queue_create(dev, 8, &q), 0);
	dev_submit(q, &reqs, 1);
	assert_int_equal(dev_reap(q, 0, 0), 0);
	for (unsigned i = 0; i < 10 && !ran; i++)
		ran = dev_reap(q, 0, 0);
	assert_int_equal(ran, 1);
	dev_queue_destroy(q);
	dev_close(dev);
	sim_disk_destroy(d);
}

static bool signalled(int fd)
{
	u64 times;

	return read(fd, &times, sizeof(times)) == sizeof(times);
}

/* Who waits for the event instead of reaping is told as long as there is something to reap. */
static void event_follows_requests(void **state)
{
	struct sim_disk *d = disk_with((struct sim_disk_params){.choose = none_of});
	struct dev *dev = sim_disk_dev(d);
	struct dev_req req = {.op = DEV_FLUSH}, *reqs = &req;
	int fd = os_event_create(), ran = 0;
	struct dev_queue *q;

	assert_int_equal(dev_queue_create(dev, 8, &q), 0);
	assert_int_equal(dev_queue_set_event(q, fd), 0);
	assert_false(signalled(fd));
	dev_submit(q, &reqs, 1);
	while (!ran) {
		assert_true(signalled(fd));
		ran = dev_reap(q, 0, 0);
	}
	assert_false(signalled(fd));
	dev_queue_destroy(q);
	os_event_close(fd);
	dev_close(dev);
	sim_disk_destroy(d);
}

static void full_disk(void **state)
{
	struct sim_disk *d = disk_with((struct sim_disk_params){.space_pages = 2, .record = true});
	struct dev *dev = sim_disk_dev(d);
	u8 buf[512] = "x";
	size_t position;

	assert_int_equal(dev_write(dev, 0, buf, 512, 0), 0);
	assert_int_equal(dev_write(dev, 8192, buf, 512, 0), 0);
	position = sim_disk_position(d);
	assert_int_equal(dev_write(dev, 4096, buf, 512, 0), -ENOSPC);
	assert_int_equal(dev_write_zeroes(dev, 4096, 512, 0), -ENOSPC);
	assert_int_equal(sim_disk_position(d), position); /* nothing of it may reach the medium */
	assert_int_equal(dev_write(dev, 9000 / 512 * 512, buf, 512, 0), 0);
	dev_close(dev);
	sim_disk_destroy(d);
}

static void disconnected_disk(void **state)
{
	struct sim_disk *d = disk_with((struct sim_disk_params){.record = true});
	struct dev *dev = sim_disk_dev(d);
	u8 buf[512] = "x";
	struct iovec iov = {buf, 512};
	struct dev_req req = {.op = DEV_WRITE, .len = 512, .iov = &iov, .iov_count = 1};
	struct dev_req *reqs = &req;
	struct dev_queue *q;

	assert_int_equal(dev_queue_create(dev, 8, &q), 0);
	dev_submit(q, &reqs, 1);
	sim_disk_disconnect(d);
	dev_drain(q);
	assert_int_equal(req.result, -EIO);
	/* In flight when the disk went: the medium may hold it. */
	assert_int_equal(sim_disk_position(d), 1);
	assert_int_equal(dev_flush(dev), -EIO);
	assert_int_equal(dev_read(dev, 0, buf, 512), -EIO);
	assert_int_equal(sim_disk_position(d), 1);
	dev_queue_destroy(q);
	dev_close(dev);
	sim_disk_destroy(d);
}

/* Errors by range and kind come from the layer that production tests use, too. */
static void faults_on_top(void **state)
{
	struct sim_disk *d = disk_with((struct sim_disk_params){0});
	struct dev *top;
	u8 buf[512] = "x";

	assert_int_equal(dev_fault_create(sim_disk_dev(d), false, &top), 0);
	assert_int_equal(dev_fault_add(top, &(struct dev_fault_rule){.ops = 1u << DEV_WRITE,
						    .offset = 4096,
						    .len = 512,
						    .count = 1,
						    .error = EIO}),
		0);
	assert_int_equal(dev_write(top, 0, buf, 512, 0), 0);
	assert_int_equal(dev_write(top, 4096, buf, 512, 0), -EIO);
	assert_int_equal(dev_write(top, 4096, buf, 512, 0), 0);
	dev_close(top);
	sim_disk_destroy(d);
}

#define SLOW_NS (3 * NSEC_PER_MSEC)

static void slow_requests(void *arg)
{
	struct sim_disk *d =
		disk_with((struct sim_disk_params){.latency_ns = SLOW_NS, .choose = sim_choose});
	struct dev *dev = sim_disk_dev(d);
	struct dev_req req = {.op = DEV_FLUSH}, *reqs = &req;
	u64 begin = os_clock_mono(), took;
	struct dev_queue *q;
	u8 buf[512];

	if (dev_read(dev, 0, buf, 512) < 0 || dev_queue_create(dev, 8, &q) < 0)
		sim_fail("no I/O");
	took = os_clock_mono() - begin;
	if (took < SLOW_NS || took > 2 * SLOW_NS + NSEC_PER_MSEC)
		sim_fail("a read took %llu ns", (unsigned long long)took);
	dev_submit(q, &reqs, 1);
	if (dev_reap(q, 1, os_clock_mono() + NSEC_PER_MSEC) != 0)
		sim_fail("complete before its time");
	if (dev_reap(q, 1, os_clock_mono() + 3 * SLOW_NS) != 1)
		sim_fail("not complete in time");
	dev_queue_destroy(q);
	dev_close(dev);
	sim_disk_destroy(d);
}

/* Latency is virtual time, and a reap ends at its deadline. */
static void slow_disk(void **state)
{
	static struct sim_report report;

	for (u64 seed = 0; seed < 20; seed++) {
		sim_run(&(struct sim_config){.seed = seed}, slow_requests, NULL, &report);
		assert_string_equal(report.text, "");
		assert_int_equal(report.outcome, SIM_OK);
		sim_report_fini(&report);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(poison_names_sector_and_generation),
		cmocka_unit_test(fresh_disk_is_poisoned),
		cmocka_unit_test(discard_poisons_anew_and_zeroes_zero),
		cmocka_unit_test(branches_are_apart),
		cmocka_unit_test(completions_are_reordered),
		cmocka_unit_test(polls_end),
		cmocka_unit_test(event_follows_requests),
		cmocka_unit_test(full_disk),
		cmocka_unit_test(disconnected_disk),
		cmocka_unit_test(faults_on_top),
		cmocka_unit_test(slow_disk),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
