#define _GNU_SOURCE

#include "CFiles.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#if defined(__linux__)

int port_reserve(int descriptor, int64_t byteCount) {
  if (fallocate(descriptor, 0, 0, byteCount) == 0) return 0;
  return errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL ? 0 : -1;
}

int port_start_write_back(int descriptor) {
  return sync_file_range(descriptor, 0, 0, SYNC_FILE_RANGE_WRITE);
}

int port_open_direct(const char *path) { return open(path, O_WRONLY | O_DIRECT | O_CLOEXEC); }

int port_synchronize(int descriptor) { return fsync(descriptor); }

int port_exchange(const char *a, const char *b) {
  return renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE);
}

#elif defined(__APPLE__)

int port_reserve(int descriptor, int64_t byteCount) {
  fstore_t request = {
    .fst_flags = F_ALLOCATEALL, .fst_posmode = F_PEOFPOSMODE, .fst_length = byteCount
  };
  if (fcntl(descriptor, F_PREALLOCATE, &request) != -1) return 0;
  return errno == ENOTSUP || errno == EINVAL ? 0 : -1;
}

int port_start_write_back(int descriptor) { return 0; }

int port_open_direct(const char *path) {
  int descriptor = open(path, O_WRONLY | O_CLOEXEC);
  if (descriptor < 0 || fcntl(descriptor, F_NOCACHE, 1) != -1) return descriptor;
  close(descriptor);
  return -1;
}

int port_synchronize(int descriptor) {
  // `fsync` alone leaves bytes in the disk's own memory.
  return fcntl(descriptor, F_FULLFSYNC) == 0 ? 0 : fsync(descriptor);
}

int port_exchange(const char *a, const char *b) { return renamex_np(a, b, RENAME_SWAP); }

#endif
