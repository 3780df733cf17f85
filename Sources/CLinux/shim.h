// System calls that the Glibc module hides (they need _GNU_SOURCE) or cannot import (they are variadic). No logic.
#include <fcntl.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static inline int linux_become_subreaper(void) { return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }
static inline int linux_forbid_inspection(void) { return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }
static inline int linux_is_subreaper(int *answer) { return prctl(PR_GET_CHILD_SUBREAPER, answer, 0, 0, 0); }
static inline int linux_pipe(int ends[2]) { return (int)syscall(SYS_pipe2, ends, O_CLOEXEC); }
static inline int linux_set_pipe_size(int fd, int bytes) { return fcntl(fd, 1031 /* F_SETPIPE_SZ */, bytes); }
static inline int linux_pipe_size(int fd) { return fcntl(fd, 1032 /* F_GETPIPE_SZ */); }
static inline int linux_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }
// SYNC_FILE_RANGE_WRITE over the whole file: starts writing back what is dirty, and does not wait for it.
static inline int linux_start_writeback(int fd) { return (int)syscall(SYS_sync_file_range, fd, (int64_t)0, (int64_t)0, 2); }
// FALLOC_FL_KEEP_SIZE: blocks behind the end of the file, which does not seem longer for them.
static inline int linux_reserve(int fd, int64_t offset, int64_t bytes) { return (int)syscall(SYS_fallocate, fd, 1, offset, bytes); }
static const short linux_spawn_setsid = 0x80; // POSIX_SPAWN_SETSID
// Times in nanoseconds. Swift does not always see the fields of timespec: with MemberImportVisibility and whole-module
// compilation the type may belong to a module that nobody imports.
static inline int64_t linux_nanoseconds(struct timespec time) { return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec; }
static inline int64_t linux_time_since_boot(void) {
  struct timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  return linux_nanoseconds(now);
}
