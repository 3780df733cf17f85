#define _GNU_SOURCE
#include "linux.h"

#include <fcntl.h>
#include <malloc.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int linux_become_subreaper(void) { return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }
int linux_is_subreaper(int *answer) { return prctl(PR_GET_CHILD_SUBREAPER, answer, 0, 0, 0); }
int linux_forbid_inspection(void) { return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }

int linux_fork(void) { return fork(); }
void linux_allocate_sparingly(void) {
  mallopt(M_TOP_PAD, 1 << 20);
  mallopt(M_ARENA_MAX, 2);
}

int linux_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC); }
int linux_set_pipe_size(int fd, int bytes) { return fcntl(fd, F_SETPIPE_SZ, bytes); }
int linux_pipe_size(int fd) { return fcntl(fd, F_GETPIPE_SZ); }
int linux_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

int linux_local_socket(void) { return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); }
int linux_accept(int fd) { return accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK); }
long linux_send(int fd, const void *bytes, size_t count) { return send(fd, bytes, count, MSG_NOSIGNAL); }

int linux_start_writeback(int fd) { return sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE); }
int linux_reserve(int fd, int64_t offset, int64_t bytes) { return fallocate(fd, FALLOC_FL_KEEP_SIZE, offset, bytes); }

int64_t linux_nanoseconds(const void *timespec) {
  const struct timespec *time = timespec;
  return (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
}

int64_t linux_time_since_boot(void) {
  struct timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  return linux_nanoseconds(&now);
}
