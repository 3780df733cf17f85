// File system calls that glibc declares only under _GNU_SOURCE, or not at all. Wrappers only; no header of glibc, as in linux.h.
#ifndef LINUX_FILES_H
#define LINUX_FILES_H

#include <linux/fs.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <stddef.h>
#include <stdint.h>

// getdents64(2): fills the buffer with struct linux_dirent64 records.
long linux_getdents(int descriptor, void *buffer, size_t length);
// copy_file_range(2), which leaves both descriptors where they stand.
long linux_copy_range(int in, int64_t in_offset, int out, int64_t out_offset, size_t length);
// syncfs(2)
int linux_syncfs(int descriptor);
// openat2(2), Linux 5.6
int linux_openat2(int folder, const char *name, const struct open_how *how);
// statx(2), Linux 4.11; STATX_ATTR_MOUNT_ROOT, Linux 5.8
int linux_statx(int folder, const char *name, int flags, unsigned int mask, struct statx *status);
// statfs(2), fstatfs(2): the number of the kind of file system; -1 with errno.
int64_t linux_file_system(const char *path);
int64_t linux_file_system_of(int descriptor);

// ioctl_ficlone(2); lseek(2); open(2); statx(2), AT_*; statvfs(3). The macros are too intricate for Swift, or hidden.
static const unsigned long linuxCloneFile = FICLONE;
static const int linuxSeekData = 3;
static const int linuxSeekHole = 4;
static const int linuxNoAutomount = 0x800;
static const int linuxEmptyPath = 0x1000;
static const int linuxPathOnly = 010000000;
static const unsigned long linuxMountedNoExec = 8;

#endif
