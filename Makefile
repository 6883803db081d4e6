# One command per task; docs/HACKING.md explains them. The work is done by meson, tests/run and tools/.
MAKEFLAGS += --no-print-directory
BUILDS = build build-asan build-tsan build-bare build-clang

all: build/build.ninja
	@ninja -C build

# The build by the other compiler insists on every library: no test may be missing unnoticed.
build-asan/build.ninja: OPTIONS = -Db_sanitize=address,undefined
build-tsan/build.ninja: OPTIONS = -Db_sanitize=thread
# With symbols for perf, which cost nothing; frame pointers would cost 5 % of the instructions.
build-bench/build.ninja: OPTIONS = --buildtype=release -Dchecks=false -Ddebug=true
build-bare/build.ninja: OPTIONS = --buildtype=release -Dchecks=false --auto-features=disabled
build-clang/build.ninja: OPTIONS = --auto-features=enabled
build-clang/build.ninja: export CC = clang
$(BUILDS:%=%/build.ninja) build-bench/build.ninja:
	-meson setup $(@D) $(OPTIONS)

# Everything; the unit tests again under ASan and UBSan, those with threads under TSan, and all of
# them as a release with no library but libc.
test: deps $(BUILDS:%=%/build.ninja)
	@tests/run --build build --build build-asan:unit --build build-asan:fuzz --build build-tsan:threads \
		--build build-bare:unit --build build-clang:none

test-quick: build/build.ninja
	@tests/run --suite quick

check-style: build/build.ninja
	@tests/run --suite style

deps:
	@tools/deps

# Every flip of every byte of metadata, under ASan and UBSan; STEP=n takes every nth.
fuzz: build-asan/build.ninja
	@ninja -C build-asan tests/fuzz/test_flip tests/fuzz/test_check
	@build-asan/tests/fuzz/test_flip $(or $(STEP),1)
	@for base in 4k 1k plain ext3 nojournal; do build-asan/tests/fuzz/test_check $$base $(or $(STEP),1) || exit 1; done

# Thousands of kills and power cuts; COUNT kills for each feature set.
COUNT = 1000
crash-long: build/build.ninja
	@ninja -C build
	@BUILD_DIR=$(CURDIR)/build tests/crash/test_power --states $$((20 * $(COUNT))) --seed $(or $(SEED),2)
	@BUILD_DIR=$(CURDIR)/build tests/crash/test_kernel_to_us --count $$(($(COUNT) / 10)) --seed $(or $(SEED),2)
	@BUILD_DIR=$(CURDIR)/build tests/crash/test_kill --count $(COUNT) --seed $(or $(SEED),2)

# Workloads under the simulator for SECONDS; stops at the first failure with the command that repeats it.
SECONDS = 600
sim-long: build/build.ninja
	@ninja -C build uext4-sim
	@tools/sim-long build/uext4-sim $(SECONDS) $(SEED)

# OPS random operations on files in each of all modes, by the library and through FUSE.
OPS = 1000000
fsx-long: build/build.ninja
	@ninja -C build
	@BUILD_DIR=$(CURDIR)/build tests/stress/test_fsx --ops $(OPS) --seed $(or $(SEED),2)
	@BUILD_DIR=$(CURDIR)/build tests/stress/test_fsx --fuse --ops $(OPS) --seed $(or $(SEED),2)

# fio with files of SIZE MiB; CUTS power cuts under each application.
SIZE = 64
fio-long: build/build.ninja
	@ninja -C build
	@BUILD_DIR=$(CURDIR)/build tests/stress/test_fio --size $(SIZE) --seed $(or $(SEED),2)

CUTS = 500
apps-long: build/build.ninja
	@ninja -C build
	@BUILD_DIR=$(CURDIR)/build tests/stress/test_apps --cuts $(CUTS) --steps $$(($(CUTS) / 8)) --seed $(or $(SEED),2)

rules:
	tools/rules-table > docs/RULES.md

# The dynamic linker finds a new library by its cache, which only root may renew.
install: all
	meson install -C build --no-rebuild
	@[ -n "$(DESTDIR)" ] || [ "$$(id -u)" != 0 ] || ldconfig

# Goes on without the packages that only tests need.
demo:
	-@tools/deps
	@$(MAKE) all
	tools/demo

# Measured as a release; docs/PERFORMANCE.md and PERFORMANCE_FULL.md keep the tables.
bench bench-full: build-bench/build.ninja
	@ninja -C build-bench
	tools/bench build-bench docs/PERFORMANCE$(if $(filter %-full,$@),_FULL.md --full,.md)

bench-instructions: build-bench/build.ninja
	@ninja -C build-bench uext4-bench
	tools/bench-instructions build-bench

clean:
	rm -rf $(BUILDS) build-bench

# First the packages, then all else; ninja works in parallel by itself.
.NOTPARALLEL:
.PHONY: all test fuzz apps-long crash-long fio-long fsx-long sim-long test-quick check-style deps rules install demo bench bench-full bench-instructions clean
