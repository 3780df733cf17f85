// Linux file system calls that glibc declares only under _GNU_SOURCE, which Swift's Glibc module does not define.
// No logic but the call: glibc has the definitions, except of calls that it has no function for.
#ifndef LINUX_FILES_H
#define LINUX_FILES_H

#include <linux/fs.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <stddef.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/types.h>

// getdents64(2): fills the buffer with struct linux_dirent64 records.
ssize_t getdents64(int descriptor, void *buffer, size_t length);

// copy_file_range(2)
ssize_t copy_file_range(int in, off_t *inOffset, int out, off_t *outOffset, size_t length, unsigned int flags);

// syncfs(2)
int syncfs(int descriptor);

long syscall(long number, ...);

// openat2(2), Linux 5.6
static inline int linuxOpenat2(int folder, const char *name, const struct open_how *how) {
  return (int)syscall(SYS_openat2, folder, name, how, sizeof *how);
}

// statx(2), Linux 4.11; STATX_ATTR_MOUNT_ROOT, Linux 5.8
static inline int linuxStatx(int folder, const char *name, int flags, unsigned int mask, struct statx *status) {
  return (int)syscall(SYS_statx, folder, name, flags, mask, status);
}

// ioctl_ficlone(2); lseek(2); open(2); statx(2), AT_*; statvfs(3). The macros are too intricate for Swift, or hidden.
static const unsigned long linuxCloneFile = FICLONE;
static const int linuxSeekData = 3;
static const int linuxSeekHole = 4;
static const int linuxNoAutomount = 0x800;
static const int linuxEmptyPath = 0x1000;
static const int linuxPathOnly = 010000000;
static const unsigned long linuxMountedNoExec = 8;

#endif
