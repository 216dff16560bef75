#!/bin/bash
# Builds every fuzz target into $OUT, each with its dictionary and its seeds. OSS-Fuzz and ClusterFuzzLite run it in their
# containers, and `cargo xtask fuzz` builds with it, so that it cannot go stale.
#
#   OUT              where the programs go
#   SANITIZER        address (default), coverage, none
#   CARGO_FUZZ       how to call cargo-fuzz; default: cargo fuzz
#   FUZZ_TARGET_DIR  where cargo builds; default: target/fuzz-$SANITIZER
set -euo pipefail

: "${OUT:?names the directory for the programs}"
SANITIZER=${SANITIZER:-address}
# Their containers start it by a link.
cd "$(dirname "$(readlink -f "$0")")/../.."

# OSS-Fuzz instruments for coverage by RUSTFLAGS of its own.
case $SANITIZER in
coverage) sanitizer=none ;;
*) sanitizer=$SANITIZER ;;
esac
# cargo-fuzz would take the target that it was built for itself.
host=$(rustc -vV | sed -n 's/^host: //p')
directory=${FUZZ_TARGET_DIR:-target/fuzz-$SANITIZER}

# The stable compiler has sanitizers too, if it is told that it may.
# shellcheck disable=SC2086 # several words
RUSTC_BOOTSTRAP=1 ${CARGO_FUZZ:-cargo fuzz} build --fuzz-dir fuzz --target "$host" --sanitizer "$sanitizer" \
    --target-dir "$directory"

mkdir -p "$OUT"
for source in fuzz/fuzz_targets/*.rs; do
    target=$(basename "$source" .rs)
    cp "$directory/$host/release/$target" "$OUT/$target"
    cp fuzz/dictionaries/stream.dict "$OUT/$target.dict"
    # The build script of the targets has put them there.
    if command -v zip >/dev/null; then
        rm -f "$OUT/${target}_seed_corpus.zip"
        (cd "fuzz/corpus/$target" && find . -type f | zip -q -@ "$OUT/${target}_seed_corpus.zip")
    fi
done
