#!/usr/bin/env bash
# Compiles the kernels for arm64 and runs them in an emulator: every path must make the bytes that every path makes on
# x86-64, and those of the golden blocks. Needs Debian or Ubuntu on x86-64; what is missing is installed, and what cannot
# be had is a failure, never a skip.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=$PWD/.build/arm64 kernels=Sources/CKernels golden=Fixtures/quants/ggml/golden
seed=${SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
clang=${CLANG:-$(command -v clang || echo "$(dirname "$(realpath "$(command -v swift)")")/clang")}
echo "seed $seed"

if ! { command -v aarch64-linux-gnu-gcc && command -v qemu-aarch64-static; } >/dev/null; then
  sudo=$(command -v sudo || true)
  $sudo apt-get update -qq
  $sudo apt-get install -y -qq --no-install-recommends gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static >&2
fi

rm -rf "$folder"
mkdir -p "$folder"

# NAME COMPILER...: builds the driver.
build() {
  local name=$1
  shift
  "$@" -std=gnu11 -O2 -w -I $kernels/include -o "$folder/$name" Tests/Interop/kernel_digests.c \
    $(find $kernels -name '*.c' | sort) -lm
}

# NAME PATH... [-- EMULATOR...]: runs it; all of these paths must give the digests that the first of all gave.
run() {
  local name=$1 paths=()
  shift
  while [ $# -gt 0 ] && [ "$1" != -- ]; do paths+=("$1"); shift; done
  [ $# -eq 0 ] || shift
  mkdir "$folder/$name.golden"
  "$@" "$folder/$name" "$seed" "$folder/$name.golden" > "$folder/$name.txt"
  diff -rq $golden "$folder/$name.golden"
  for path in "${paths[@]}"; do
    sed -n "s/^$path: //p" "$folder/$name.txt" > "$folder/$name.$path.txt"
    [ -e "$folder/expected.txt" ] || cp "$folder/$name.$path.txt" "$folder/expected.txt"
    diff "$folder/expected.txt" "$folder/$name.$path.txt"
    echo "$name, $path: $(wc -l < "$folder/$name.$path.txt") digests equal"
  done
}

x86_paths=(portable)
! grep -qw avx2 /proc/cpuinfo || x86_paths+=(avx2)
! grep -qw avx512dq /proc/cpuinfo || x86_paths+=(avx512)
emulator=(qemu-aarch64-static -L /usr/aarch64-linux-gnu)

# Sanitizers watch here; Clang keeps products and sums apart because the sources say so, GCC when it is told.
build x86-64 "$clang" -fuse-ld=bfd -fsanitize=address,undefined -fno-sanitize-recover=all
run x86-64 "${x86_paths[@]}"
build arm64-clang "$clang" --target=aarch64-linux-gnu
run arm64-clang portable neon -- "${emulator[@]}"
build arm64-gcc aarch64-linux-gnu-gcc -ffp-contract=off
run arm64-gcc portable neon -- "${emulator[@]}"
