// System calls that the Glibc module hides (they need _GNU_SOURCE) or cannot import (they are variadic). No logic.
//
// No header of glibc is included here: its types would then belong to this module for the compiler, and files that import
// only Glibc would not see their members.
#ifndef LINUX_H
#define LINUX_H

#include <stddef.h>
#include <stdint.h>

// prctl(2)
int linux_become_subreaper(void);
int linux_forbid_inspection(void);
// The number of arguments that the kernel gave this program. Swift reads them in /proc, and finds none if that is not mounted.
int linux_argument_count(void);
// Whether a seccomp filter answers clone3(2) with EPERM: then threads cannot be started, and whoever waits for one waits for
// ever.
int linux_forbids_threads(void);
// How many of `wanted` threads, 64 at most, can be started beside each other; they have ended when it returns.
int linux_startable_threads(int wanted);
// PR_SET_PDEATHSIG: the kernel sends this process SIGCONT when its parent ends, so that it goes on if it is stopped.
int linux_continue_without_parent(void);

// malloc_trim(3), which Swift's Glibc hides: gives free memory back to the kernel.
int linux_trim_heap(void);

// fork(2), which Swift's Glibc hides: only a process without threads may go on in the child.
int linux_fork(void);
// posix_spawn(3): a program that leads a session of its own, begins in `directory`, reads /dev/null, writes stdout and stderr
// to `output`, and has no other descriptor, no signal ignored and none blocked. Its pid; or the error's number, negative.
int linux_spawn(
  const char *program, char *const arguments[], char *const environment[], const char *directory, int output);
// The same by clone3(2), in the cgroup of which `cgroup` is an open folder, if it is not negative (CLONE_INTO_CGROUP, Linux 5.7):
// moving a running process into a cgroup takes 10 ms, and misses its children. Just before execve(2) the process looks at the
// time, and ends with ETIMEDOUT from `latest` on (linux_time_since_boot): its parent may have been stopped meanwhile.
// `*is_made` is 0 if no process was made; the program may still be fine.
int linux_spawn_until(
  int64_t latest, int cgroup, const char *program, char *const arguments[], char *const environment[], const char *directory,
  int output, int *is_made);
// pidfd_open(2), Linux 5.3
int linux_pidfd(int pid);
// close_range(2), Linux 5.9: closes the descriptors from `first` to `last`.
int linux_close_range(int first, int last);

// sigaction(2): whether a signal of this number is ignored.
int linux_is_ignored(int number);
// sigaction(2): from now on a signal of this number ends the process with 0.
int linux_exit_on_signal(int number);

// sigtimedwait(2): the number of a signal of `signals`, a sigset_t, that comes within a second; -1 and errno if none does.
int linux_await_signal(const void *signals);

// pipe2(2) with O_CLOEXEC; fcntl(2) F_SETPIPE_SZ, F_GETPIPE_SZ; eventfd(2)
int linux_pipe(int ends[2]);
int linux_set_pipe_size(int fd, int bytes);
int linux_pipe_size(int fd);
int linux_eventfd(void);

// unix(7): not blocking, closed by execve(2), never a SIGPIPE
int linux_local_socket(void);
int linux_accept(int fd);
// SO_PEERCRED: the user at the other end
int linux_peer_user(int fd, unsigned *user);
long linux_send(int fd, const void *bytes, size_t count);
// TCP_INFO: the bytes that have come over a connection; -1 for what is none
int64_t linux_bytes_received(int fd);
// connect(2) with AF_UNSPEC: ends a connection, and discards what has come and is not read yet
int linux_abort(int fd);

// sync_file_range(2), SYNC_FILE_RANGE_WRITE over the whole file: starts writing back what is dirty, and does not wait for it.
int linux_start_writeback(int fd);
// fallocate(2) at the start of the file.
int linux_allocate(int fd, int64_t bytes);
// fallocate(2), FALLOC_FL_KEEP_SIZE: blocks behind the end of the file, which does not seem longer for them.
int linux_reserve(int fd, int64_t offset, int64_t bytes);


// renameat2(2) within a folder, RENAME_NOREPLACE: fails with EEXIST where rename(2) would put something away.
int linux_rename_new(int folder, const char *from, const char *to);

// renameat2(2) within a folder, RENAME_EXCHANGE: each entry gets the other's name.
int linux_exchange(int folder, const char *one, const char *other);

// Times in nanoseconds: that of a struct timespec, the nearest there is if it is beyond the years 1677 to 2262, and
// CLOCK_BOOTTIME.
int64_t linux_nanoseconds(const void *timespec);
int64_t linux_time_since_boot(void);

#endif
