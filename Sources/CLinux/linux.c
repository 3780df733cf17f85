#define _GNU_SOURCE
#include "linux-files.h"
#include "linux.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <linux/tcp.h>
#include <malloc.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/vfs.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int linux_become_subreaper(void) { return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }
// The C library calls constructors with the arguments of main(3).
static int argument_count;
__attribute__((constructor)) static void note_arguments(int count) { argument_count = count; }
int linux_argument_count(void) { return argument_count; }
static void *do_nothing(void *argument) { return argument; }
int linux_forbids_threads(void) {
  // Older C libraries use clone(2), and start threads all the same.
  pthread_t thread;
  if (syscall(SYS_clone3, NULL, 0) == 0 || errno != EPERM) return 0;
  return pthread_create(&thread, NULL, do_nothing, NULL) != 0 || pthread_join(thread, NULL) != 0;
}

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static void *pass_gate(void *argument) {
  pthread_mutex_lock(&gate);
  pthread_mutex_unlock(&gate);
  return argument;
}
int linux_startable_threads(int wanted) {
  pthread_t threads[64];
  int started = 0;
  pthread_mutex_lock(&gate);
  while (started < wanted && started < 64 && pthread_create(&threads[started], NULL, pass_gate, NULL) == 0) ++started;
  pthread_mutex_unlock(&gate);
  for (int index = 0; index < started; ++index) pthread_join(threads[index], NULL);
  return started;
}

int linux_forbid_inspection(void) { return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }
int linux_continue_without_parent(void) { return prctl(PR_SET_PDEATHSIG, SIGCONT, 0, 0, 0); }
int linux_trim_heap(void) { return malloc_trim(0); }

int linux_fork(void) { return fork(); }
int linux_pidfd(int pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }
int linux_close_range(int first, int last) { return (int)syscall(SYS_close_range, first, last, 0); }

int linux_spawn(
    const char *program, char *const arguments[], char *const environment[], const char *directory, int output) {
  posix_spawnattr_t attributes;
  sigset_t all, none;
  sigfillset(&all);
  sigemptyset(&none);
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  // stdin last: `output` may be 0, in a process that was started without.
  int error = posix_spawn_file_actions_adddup2(&actions, output, 1);
  if (!error) error = posix_spawn_file_actions_adddup2(&actions, output, 2);
  if (!error) error = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  if (!error) error = posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  if (!error) error = posix_spawn_file_actions_addchdir_np(&actions, directory);
  pid_t pid;
  if (!error) error = posix_spawn(&pid, program, &actions, &attributes, arguments, environment);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  return error ? -error : pid;
}

// What the child does of linux_spawn_until: calls that signal-safety(7) lists, and no return.
static _Noreturn __attribute__((noinline)) void become(
    int64_t latest, const char *program, char *const arguments[], char *const environment[], const char *directory, int output,
    volatile int *error) {
  sigset_t none;
  sigemptyset(&none);
  // Its own: CLONE_SIGHAND is not asked for.
  for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
  setsid();
  output = fcntl(output, F_DUPFD, 3);
  if (output >= 0 && dup2(output, 1) == 1 && dup2(output, 2) == 2 && close(0) == 0 &&
      open("/dev/null", O_RDONLY) == 0) {
    closefrom(3);
    if (chdir(directory) == 0) {
      sigprocmask(SIG_SETMASK, &none, NULL);
      if (linux_time_since_boot() < latest)
        execve(program, arguments, environment);
      else
        errno = ETIMEDOUT;
    }
  }
  *error = errno;
  _exit(127);
}

// vfork(2) by clone3(2). The child runs in this process's memory, on this thread's stack, until it is another program, and this
// thread waits. So it is part of its caller: the child would take the address that it returns to from the stack.
static inline __attribute__((always_inline)) long vfork_by(struct clone_args *how) {
#if defined(__x86_64__)
  long result = SYS_clone3;
  __asm__ volatile("syscall" : "+a"(result) : "D"(how), "S"(sizeof *how) : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__)
  register long number __asm__("x8") = SYS_clone3;
  register long result __asm__("x0") = (long)how;
  register long size __asm__("x1") = sizeof *how;
  __asm__ volatile("svc 0" : "+r"(result) : "r"(number), "r"(size) : "memory");
  return result;
#else
  (void)how;
  return -ENOSYS;
#endif
}

int linux_spawn_until(
    int64_t latest, int cgroup, const char *program, char *const arguments[], char *const environment[], const char *directory,
    int output, int *is_made) {
  struct clone_args how = {.flags = CLONE_VM | CLONE_VFORK, .exit_signal = SIGCHLD};
  if (cgroup >= 0) {
    how.flags |= CLONE_INTO_CGROUP;
    how.cgroup = (uint64_t)cgroup;
  }
  volatile int error = 0;
  sigset_t all, before;
  sigfillset(&all);
  // A handler must not run in the child, which is not alone with its memory.
  pthread_sigmask(SIG_BLOCK, &all, &before);
  long pid = vfork_by(&how);
  if (pid == 0) become(latest, program, arguments, environment, directory, output, &error);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  *is_made = pid > 0;
  if (pid > 0 && error) {
    while (waitpid((int)pid, NULL, 0) < 0 && errno == EINTR) {}
    return -error;
  }
  return (int)pid;
}

static void leave(int number) {
  (void)number;
  _exit(0);
}

static int handle(int number, void (*handler)(int), int flags) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
  sigemptyset(&action.sa_mask);
  return sigaction(number, &action, NULL);
}

int linux_is_ignored(int number) {
  struct sigaction action;
  return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}
int linux_exit_on_signal(int number) { return handle(number, leave, SA_RESTART); }

int linux_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC); }
int linux_set_pipe_size(int fd, int bytes) { return fcntl(fd, F_SETPIPE_SZ, bytes); }
int linux_pipe_size(int fd) { return fcntl(fd, F_GETPIPE_SZ); }
int linux_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

int linux_rename_new(int folder, const char *from, const char *to) {
  return renameat2(folder, from, folder, to, RENAME_NOREPLACE);
}

int linux_exchange(int folder, const char *one, const char *other) {
  return renameat2(folder, one, folder, other, RENAME_EXCHANGE);
}

int linux_local_socket(void) { return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); }
int linux_peer_user(int fd, unsigned *user) {
  struct ucred peer;
  socklen_t size = sizeof peer;
  int code = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size);
  if (code == 0) *user = peer.uid;
  return code;
}

int linux_accept(int fd) { return accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK); }
long linux_send(int fd, const void *bytes, size_t count) { return send(fd, bytes, count, MSG_NOSIGNAL); }

int64_t linux_bytes_received(int fd) {
  struct tcp_info info = {0};
  socklen_t size = sizeof info;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size)) return -1;
  return size < offsetof(struct tcp_info, tcpi_bytes_received) + 8 ? -1 : (int64_t)info.tcpi_bytes_received;
}
int linux_abort(int fd) {
  struct sockaddr none = {.sa_family = AF_UNSPEC};
  return connect(fd, &none, sizeof none);
}

int linux_start_writeback(int fd) { return sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE); }
int linux_allocate(int fd, int64_t bytes) { return fallocate(fd, 0, 0, bytes); }
int linux_reserve(int fd, int64_t offset, int64_t bytes) { return fallocate(fd, FALLOC_FL_KEEP_SIZE, offset, bytes); }

int64_t linux_nanoseconds(const void *timespec) {
  const struct timespec *time = timespec;
  int64_t nanoseconds;
  // Files may have times from before 1678 and after 2262.
  if (__builtin_mul_overflow((int64_t)time->tv_sec, 1000000000, &nanoseconds) ||
      __builtin_add_overflow(nanoseconds, (int64_t)time->tv_nsec, &nanoseconds))
    return time->tv_sec < 0 ? INT64_MIN : INT64_MAX;
  return nanoseconds;
}

int linux_await_signal(const void *signals) {
  const struct timespec second = {.tv_sec = 1};
  return sigtimedwait(signals, NULL, &second);
}

int64_t linux_time_since_boot(void) {
  struct timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  return linux_nanoseconds(&now);
}

// Kernels differ in the sign.
static int64_t number(const struct statfs *status) { return (int64_t)(uint32_t)status->f_type; }
int64_t linux_file_system(const char *path) {
  struct statfs status;
  return statfs(path, &status) == 0 ? number(&status) : -1;
}
int64_t linux_file_system_of(int descriptor) {
  struct statfs status;
  return fstatfs(descriptor, &status) == 0 ? number(&status) : -1;
}

long linux_getdents(int descriptor, void *buffer, size_t length) { return getdents64(descriptor, buffer, length); }
long linux_copy_range(int in, int64_t in_offset, int out, int64_t out_offset, size_t length) {
  off_t from = in_offset, to = out_offset;
  return copy_file_range(in, &from, out, &to, length, 0);
}
int linux_syncfs(int descriptor) { return syncfs(descriptor); }
int linux_openat2(int folder, const char *name, const struct open_how *how) {
  return (int)syscall(SYS_openat2, folder, name, how, sizeof *how);
}
int linux_statx(int folder, const char *name, int flags, unsigned int mask, struct statx *status) {
  return (int)syscall(SYS_statx, folder, name, flags, mask, status);
}
