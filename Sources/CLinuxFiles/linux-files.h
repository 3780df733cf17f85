// Linux file system calls that glibc declares only under _GNU_SOURCE, which Swift's Glibc module does not define.
// Declarations only: glibc has the definitions.
#ifndef LINUX_FILES_H
#define LINUX_FILES_H

#include <linux/fs.h>
#include <stddef.h>
#include <sys/statfs.h>
#include <sys/types.h>

// getdents64(2): fills the buffer with struct linux_dirent64 records.
ssize_t getdents64(int descriptor, void *buffer, size_t length);

// copy_file_range(2)
ssize_t copy_file_range(int in, off_t *inOffset, int out, off_t *outOffset, size_t length, unsigned int flags);

// syncfs(2)
int syncfs(int descriptor);

// ioctl_ficlone(2); lseek(2); open(2); statvfs(3). The macros are too intricate for Swift, or hidden.
static const unsigned long linuxCloneFile = FICLONE;
static const int linuxSeekData = 3;
static const int linuxSeekHole = 4;
static const int linuxPathOnly = 010000000;
static const unsigned long linuxMountedNoExec = 8;

#endif
