# One command per task; docs/HACKING.md explains them. The work is done by meson, tests/run and tools/.
MAKEFLAGS += --no-print-directory

all: build/build.ninja
	@ninja -C build

build-asan/build.ninja: OPTIONS = -Db_sanitize=address,undefined
build-tsan/build.ninja: OPTIONS = -Db_sanitize=thread
build-clang/build.ninja: export CC = clang
build/build.ninja build-asan/build.ninja build-tsan/build.ninja build-clang/build.ninja:
	meson setup $(@D) $(OPTIONS)

# All tests, the unit tests again under each sanitizer, and a build by the other compiler.
test: deps build/build.ninja build-asan/build.ninja build-tsan/build.ninja build-clang/build.ninja
	@tests/run --build build --build build-asan:unit --build build-tsan:unit --build build-clang:none

test-quick: build/build.ninja
	@tests/run --suite quick

check-style: build/build.ninja
	@tests/run --suite style

deps:
	@tools/deps

rules:
	tools/rules-table > docs/RULES.md

install: all
	meson install -C build

demo: all
	tools/demo

clean:
	rm -rf build build-asan build-tsan build-clang

.PHONY: all test test-quick check-style deps rules install demo clean
