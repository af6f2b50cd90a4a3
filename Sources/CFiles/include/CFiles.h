#ifndef CFILES_H
#define CFILES_H

#include <stdint.h>

// What a system can do with files beyond POSIX. Each returns 0 or more, or -1 with `errno`.

/// Gives the file so many bytes of space on the disk, where the file system can.
int port_reserve(int descriptor, int64_t byteCount);

/// Lets the system begin to write to the disk what the file has in memory, where it can.
int port_start_write_back(int descriptor);

/// Opens a file for writing past the system's cache: addresses, offsets and lengths must be multiples
/// of the disk's blocks. -1 where the file system cannot do that.
int port_open_direct(const char *path);

/// Waits until the bytes of the file or folder are on the disk itself.
int port_synchronize(int descriptor);

/// Lets two paths change places at once; ENOSYS or EINVAL where that cannot be done.
int port_exchange(const char *a, const char *b);

#endif
