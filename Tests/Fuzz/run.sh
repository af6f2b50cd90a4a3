#!/usr/bin/env bash
# Fuzzes every parser of untrusted bytes: run.sh [SECONDS_A_TARGET] [TARGET…]
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-60}
shift || true
scratch=.build/fuzz
modules="TensorTypes ByteIO WeightFormats Tokenizers"

# The modules one by one: a build of the last alone may not wait for those before it.
for module in $modules; do
  swift build --scratch-path $scratch -c release --target "$module" \
    -Xswiftc -sanitize=fuzzer,address -Xswiftc -enable-testing >$scratch.log 2>&1 ||
    { cat $scratch.log >&2; exit 1; }
done
objects=$(for module in $modules SystemPackage CSystem CFiles; do
  find -L $scratch/release/"$module".build -name '*.o' 2>/dev/null
done)
flags=$(for map in Sources/*/module.modulemap Sources/*/include/module.modulemap \
  $scratch/release/*.build/module.modulemap; do
  if [ -e "$map" ]; then echo "-Xcc -fmodule-map-file=$map"; fi
done)
# shellcheck disable=SC2086
swiftc -sanitize=fuzzer,address -parse-as-library -O -I $scratch/release/Modules $flags \
  -Xcc -I$scratch/checkouts/swift-system/Sources/CSystem/include \
  Tests/Fuzz/Fuzz.swift $objects -lzstd -o $scratch/fuzz 2> >(grep -v 'Cannot export local' >&2)

targets=${*:-$($scratch/fuzz)}
for target in $targets; do
  corpus=$scratch/corpus/$target
  mkdir -p "$corpus" $scratch/seeds/"$target"
  case $target in
    index) find Fixtures -name '*.index.json' ;;
    json) find Fixtures/models Fixtures/bad -name '*.json' -size -32k ;;
    sentencepiece) find Fixtures/models -name tokenizer.model -size -32k ;;
    *) find Fixtures/bad/"$target" -type f ;;
  esac | while read -r file; do
    cp "$file" $scratch/seeds/"$target"/"$(echo "$file" | tr / _)"
  done
  echo "== $target for $seconds s"
  PORT_FUZZ_TARGET=$target SWIFT_BACKTRACE=enable=no $scratch/fuzz "$corpus" \
    $scratch/seeds/"$target" -max_total_time="$seconds" -max_len=4096 -timeout=5 \
    -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix=$scratch/"$target"- \
    >$scratch/"$target".log 2>&1 || { tail -40 $scratch/"$target".log; exit 1; }
  grep -E '^stat::(number_of_executed_units|peak_rss_mb)|DONE' $scratch/"$target".log
done
