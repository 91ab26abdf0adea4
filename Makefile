# What takes more than one command of Go. docs/decisions/binary-size.md has the reasons.

PLATFORMS = linux/amd64 linux/arm64 darwin/arm64
MOST = 62000000

PROFILE = cmd/heddle/release.pgo
PGO = off

.PHONY: release pgo $(PLATFORMS)

# Builds the binaries to be released, in dist: by the profile with PGO=cmd/heddle/release.pgo.
release: $(PLATFORMS)

$(PLATFORMS):
	CGO_ENABLED=0 GOOS=$(@D) GOARCH=$(@F) go build -buildvcs=true -trimpath -ldflags="-s -w" -pgo=$(PGO) \
		-o dist/heddle-$(@D)-$(@F) ./cmd/heddle
	@test $$(wc -c < dist/heddle-$(@D)-$(@F)) -le $(MOST) || { echo "dist/heddle-$(@D)-$(@F) is larger than $(MOST) bytes"; exit 1; }

# Makes the profile anew. It tells where the program was, so that is no one's own folder.
pgo:
	go build -trimpath -o /tmp/heddle-pgo/heddle ./cmd/heddle
	/tmp/heddle-pgo/heddle bench run --callers=1,16 --for=15s --profile=$(PROFILE)
	rm -r /tmp/heddle-pgo
