# The front door. The build itself is meson's (meson.build); this file only knows the ways in.
#
#   make            build into build/                    make check     every test; ends with the counts
#   make try        see it work on this machine          make check PART=cli        one part alone
#   make install    DESTDIR and prefix are honoured      make bench     side by side with other tools
#   make release    static-PIE launcher, musl            make fuzz      FUZZ_SECONDS a harness
#   make format     clang-format over the sources        make clean     removes what was built
#   make soak       SOAK_SECONDS of mixed load through the proxies (as root)

prefix       ?= /usr/local
DESTDIR      ?=
CC           ?= gcc
PART         ?=
FUZZ_SECONDS ?= 30
SOAK_SECONDS ?= 3600
BUILD        := build

export prefix

.PHONY: all try check bench fuzz soak install release format clean help
.DEFAULT_GOAL := all

all: $(BUILD)/build.ninja
	@ninja --quiet -C $(BUILD)

# Without cmocka the unit tests are left out; `make check` has a word about that.
$(BUILD)/build.ninja:
	@command -v meson >/dev/null && command -v ninja >/dev/null || { \
	    echo "meson and ninja are needed: apt-get install meson ninja-build (or: make try)" >&2; exit 1; }
	@mkdir -p $(BUILD)
	@tests=true; pkg-config --exists cmocka 2>/dev/null || tests=false; \
	meson setup $(BUILD) --prefix='$(prefix)' --buildtype=debugoptimized -Dstatic=true -Dtests=$$tests \
	    >$(BUILD)/setup.log 2>&1 || { cat $(BUILD)/setup.log >&2; exit 1; }
	@echo '$(prefix)' >$(BUILD)/prefix

try:
	@tools/packages tests/packages-build.txt
	@$(MAKE) --no-print-directory all
	@tests/try.sh

check:
	@tests/check $(PART)

bench:
	@tools/packages tests/packages-build.txt tests/bench/packages.txt
	@$(MAKE) --no-print-directory all release
	@meson configure $(BUILD) -Dtests=true && ninja --quiet -C $(BUILD)
	@BAWN=build-release/bawn tests/bench/run

fuzz:
	@FUZZ_SECONDS='$(FUZZ_SECONDS)' tools/fuzz $(PART)

# The launcher, which links no sanitizer, stands beside helpers that have them; it looks for them where it stands.
soak: all
	@[ -f $(BUILD)-asan/build.ninja ] || meson setup $(BUILD)-asan -Dstatic=false -Db_sanitize=address,undefined \
	    -Db_lundef=false -Dc_args=-fno-sanitize-recover=all >/dev/null
	@ninja --quiet -C $(BUILD)-asan src/proxy/bawn-proxy src/intercept/bawn-intercept
	@rm -rf $(BUILD)/soak && mkdir -p $(BUILD)/soak/src/cli $(BUILD)/soak/src/proxy $(BUILD)/soak/src/intercept
	@cp $(BUILD)/src/cli/bawn $(BUILD)/soak/src/cli/
	@for p in proxy intercept; do cp $(BUILD)-asan/src/$$p/bawn-$$p $(BUILD)/soak/src/$$p/; done
	@BAWN=$(BUILD)/soak/src/cli/bawn BAWN_TEST_USER="$${BAWN_TEST_USER:-bawn-test}" nice -n 10 \
	    tests/network/soak '$(SOAK_SECONDS)'

install: all
	@[ "$$(cat $(BUILD)/prefix)" = '$(prefix)' ] || { meson configure $(BUILD) -Dprefix='$(prefix)' >/dev/null && \
	    ninja --quiet -C $(BUILD) && echo '$(prefix)' >$(BUILD)/prefix; }
	@DESTDIR='$(DESTDIR)' meson install --quiet --no-rebuild -C $(BUILD)
	@! command -v musl-gcc >/dev/null || { $(MAKE) --no-print-directory release >/dev/null && \
	    install -m 755 build-release/bawn '$(DESTDIR)$(prefix)/bin/bawn'; }
	@echo "installed below $(DESTDIR)$(prefix)"

release:
	@tools/build-release build-release
	@strip -o build-release/bawn build-release/src/cli/bawn
	@ls -l build-release/bawn | awk '{ print "build-release/bawn: " $$5 " bytes, static, no interpreter" }'

format:
	@find src tests tools \( -name '*.c' -o -name '*.h' \) -print0 2>/dev/null | xargs -0 clang-format -i

clean:
	@rm -rf build build-*

help:
	@sed -n 's/^# \?//p' Makefile | sed -n '3,9p'
