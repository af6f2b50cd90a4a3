#!/usr/bin/env bash
# Lets every system call of a conversion fail in turn, and kills it at every write: what is left must be a whole
# output or none, no temporary file of a process that lives on, and an exit code that says what went wrong.
#
#     Tests/Faults/run.sh [PORT]
#
# Linux only. Needs strace, prlimit and unshare (util-linux), and a C compiler.
set -uo pipefail
cd "$(dirname "$0")/../.."
port=$(realpath "${1:-.build/release/port}")
source=$PWD/Fixtures/models/seeded/gpt2
export SWIFT_BACKTRACE=enable=no

for tool in strace prlimit unshare; do
  command -v $tool >/dev/null || {
    echo "$tool is missing; install it: apt-get install strace util-linux" >&2
    exit 2
  }
done
compiler=$(command -v cc || command -v clang) || {
  echo "a C compiler is missing; install one: apt-get install gcc" >&2
  exit 2
}
test -x "$port" || {
  echo "$port is missing; build it: make build" >&2
  exit 2
}
strace -o /dev/null true || {
  echo "strace may not trace here; allow ptrace (in a container: --cap-add SYS_PTRACE)" >&2
  exit 2
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
out=$work/out
errors=$work/errors
checks=0
failed=0

# check WHAT CONDITION…: counts, and says what did not hold.
check() {
  checks=$((checks + 1))
  if ! "${@:2}"; then
    failed=$((failed + 1))
    echo "FAILED $1"
    sed 's/^/       /' "$errors" | tail -3
  fi
}

convert=("$port" convert "$source" --to gguf --quantize q8_0 --jobs 1 -o "$out/m.gguf" --progress none)

# run COMMAND…: runs it; `code` is how it ended.
run() {
  # The shell would say that a child was killed.
  { "$@" >/dev/null 2>"$errors"; } 2>/dev/null
  code=$?
}

# inject WHAT [OPTION…]: converts with a fault.
inject() {
  run strace -f -qq -o "$work/trace" -e "trace=${1%%:*}" -e "inject=$1" "${@:2}"
}

fresh() { rm -rf "$out"; mkdir "$out"; }
empty() { [ -z "$(ls -A "$out")" ]; }
only() { [ "$(ls -A "$out")" = "$1" ]; }
is() { [ "$code" -eq "$1" ]; }
whole() { only m.gguf && cmp -s "$out/m.gguf" "$work/reference"; }
old() { only m.gguf && [ "$(cat "$out/m.gguf")" = old ]; }
names() { grep -q -- "$1" "$errors"; }

fresh
run "${convert[@]}"
check "the conversion works without faults" is 0
mv "$out/m.gguf" "$work/reference"

# each CALL ERROR CODE: lets the first, second, … call fail until the conversion does without.
each() {
  local n=0
  while n=$((n + 1)) && [ $n -lt 400 ]; do
    fresh
    inject "$1:error=$2:when=$n" "${@:4}" "${convert[@]}"
    is 0 && break
    check "$1 $n fails with $2: code $3, found $code" is "$3"
    check "$1 $n fails with $2: nothing is left" empty
    check "$1 $n fails with $2: one line of error" test "$(wc -l <"$errors")" -eq 1
  done
  check "$1 was called at all, and at the end without fault" test $n -gt 1
  check "$1 without fault: the whole output" whole
}

echo "errors of every call"
each pwrite64 EIO 74
each pwrite64 ENOSPC 74
each fsync EIO 74
each fallocate ENOSPC 73
each ftruncate EFBIG 73
each rename EXDEV 74
each pread64 EIO 74 -P "$source/model.safetensors"

echo "errors while an old output is replaced"
for fault in pwrite64:error=EIO:when=2 fsync:error=EIO:when=1 fsync:error=EIO:when=2; do
  fresh
  echo old >"$out/m.gguf"
  inject $fault "${convert[@]}" --force
  check "$fault: code 74, found $code" is 74
  check "$fault: the old output stays" old
done

echo "what a file system cannot do"
for fault in fallocate:error=EOPNOTSUPP renameat2:error=EINVAL flock:error=ENOLCK sync_file_range:error=EIO; do
  fresh
  echo old >"$out/m.gguf"
  inject $fault "${convert[@]}" --force
  check "$fault: works, found $code" is 0
  check "$fault: the whole output" whole
done

echo "interrupted calls"
for call in pwrite64 pread64 fsync fallocate ftruncate; do
  fresh
  paths=()
  [ $call = pread64 ] && paths=(-P "$source/model.safetensors")
  inject "$call:error=EINTR:when=1+2" "${paths[@]}" "${convert[@]}"
  check "$call is interrupted every other time: works, found $code" is 0
  check "$call is interrupted every other time: the whole output" whole
done

echo "short reads and writes"
cat >"$work/short.c" <<'END'
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <unistd.h>
// At most 100 bytes at once.
static size_t some(size_t count) { return count > 100 ? 100 : count; }
ssize_t pread64(int f, void *b, size_t n, off_t o) { return syscall(SYS_pread64, f, b, some(n), o); }
ssize_t pwrite64(int f, const void *b, size_t n, off_t o) { return syscall(SYS_pwrite64, f, b, some(n), o); }
ssize_t pread(int f, void *b, size_t n, off_t o) { return pread64(f, b, n, o); }
ssize_t pwrite(int f, const void *b, size_t n, off_t o) { return pwrite64(f, b, n, o); }
END
"$compiler" -shared -fPIC -o "$work/short.so" "$work/short.c"
fresh
run strace -f -qq -o "$work/trace" -e trace=pwrite64 env LD_PRELOAD="$work/short.so" "${convert[@]}"
check "short calls: works, found $code" is 0
check "short calls: they were short" test "$(wc -l <"$work/trace")" -gt 400
check "short calls: the whole output" whole

# killed CALL: kills at the first, second, … call until the conversion does without.
killed() {
  local n=0
  while n=$((n + 1)) && [ $n -lt 400 ]; do
    fresh
    inject "$1:signal=SIGKILL:when=$n" "${convert[@]}"
    is 0 && break
    check "killed at $1 $n: no final name" test ! -e "$out/m.gguf" -o "$1" = fsync -a $n -eq 2
    # The next run removes what is left.
    [ $((n % 5)) -eq 1 ] || continue
    run "${convert[@]}" --force
    check "after a kill at $1 $n: works, found $code" is 0
    check "after a kill at $1 $n: the whole output" whole
  done
  check "killed at $1: was called at all" test $n -gt 1
}

echo "kills"
killed pwrite64
killed fsync
killed rename
for call in pwrite64 fsync renameat2; do
  fresh
  echo old >"$out/m.gguf"
  inject "$call:signal=SIGKILL:when=1" "${convert[@]}" --force
  check "killed at $call while replacing: the old output stays" test "$(cat "$out/m.gguf")" = old
  run "${convert[@]}" --force
  check "after a kill at $call while replacing: the whole output" whole
done

echo "signals"
for signal in INT TERM HUP; do
  fresh
  strace -f -qq -o "$work/trace" -e trace=pwrite64 -e inject=pwrite64:delay_enter=300000 \
    "${convert[@]}" >/dev/null 2>"$errors" &
  tracer=$!
  while ! ls -A "$out" | grep -q partial && kill -0 $tracer; do sleep 0.01; done
  sleep 0.5
  kill -$signal "$(cut -d' ' -f1 "/proc/$tracer/task/$tracer/children")"
  wait $tracer
  code=$?
  check "SIG$signal: code $((128 + $(kill -l $signal))), found $code" is $((128 + $(kill -l $signal)))
  check "SIG$signal: nothing is left" empty
done

echo "space"
# small COMMAND…: runs it on a new file system with these options, in its own mount space.
small() {
  run unshare -rm bash -c 'mount -t tmpfs -o "$1" none "$2" && shift 2 && "$@"; code=$?
    [ -z "$(ls -A "$(dirname "${@: -3:1}")")" ] || { echo "something is left" >&2; exit 99; }; exit $code' \
    small "$1" "$out" "${@:2}"
}
fresh
small size=32k "${convert[@]}"
check "a file system of 32 kB: code 73, found $code" is 73
check "a file system of 32 kB: the size that is needed is named" names "expected .* free bytes"
fresh
small nr_inodes=1 "${convert[@]}"
check "a file system without inodes: code 73, found $code" is 73
fresh
run prlimit --fsize=32768 "${convert[@]}"
check "files of at most 32 kB: code 73, found $code" is 73
check "files of at most 32 kB: nothing is left" empty
fresh
run prlimit --nofile=16 "${convert[@]}" --shard-size 2kB
check "sixteen open files for more parts: code 73, found $code" is 73
check "sixteen open files for more parts: nothing is left" empty
fresh
run unshare -rm bash -c 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && "$@"' ro "$out" \
  "${convert[@]}"
check "a read-only folder: code 73, found $code" is 73
check "a read-only folder: nothing is left" empty

echo "order"
fresh
run strace -f -qq -y -o "$work/trace" -e trace=pwrite64,fsync,rename "${convert[@]}"
order=$(sed -nE 's/^[0-9]+ +//; s/^pwrite64\(.*/write/p; s/^fsync\([0-9]+<.*partial.*/fsync file/p
  s/^rename\(.*/rename/p; s/^fsync\([0-9]+<.*out>.*/fsync folder/p' "$work/trace" | uniq | paste -sd,)
check "writes, fsync, rename, fsync of the folder: found $order" \
  test "$order" = "write,fsync file,rename,fsync folder"

echo "two at once"
fresh
"${convert[@]}" >/dev/null 2>&1 & first=$!
run "${convert[@]}"
wait $first
one=$?
check "two at once: one of them works, found $one and $code" test $one -eq 0 -o $code -eq 0
check "two at once: the whole output" whole

echo "$checks checks, $failed failed"
[ $failed -eq 0 ]
