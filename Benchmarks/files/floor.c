// The floor: what two threads can do with the system calls alone, without a queue, checks, or a snapshot.
//
//   floor copy SOURCE DESTINATION   one level of folders; openat, fstat, openat, copy_file_range, fchmod, futimens
//   floor scan SOURCE               getdents and statx
//
// Prints the seconds that it took. Folders are dealt to the threads in turn.
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { threadCount = 2, mostFolders = 100000 };

static char *folders[mostFolders];
static int folderCount, source, destination;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void copyFile(int from, int to, const char *name) {
  int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (in < 0) fail(name);
  struct stat status;
  if (fstat(in, &status)) fail(name);
  int out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, status.st_mode & 0777);
  if (out < 0) fail(name);
  for (off_t left = status.st_size; left > 0;) {
    ssize_t count = copy_file_range(in, NULL, out, NULL, left, 0);
    if (count <= 0) fail(name);
    left -= count;
  }
  struct timespec times[2] = {status.st_atim, status.st_mtim};
  if (futimens(out, times)) fail(name);
  close(in);
  close(out);
}

static void forEachName(int folder, void (*body)(int, int, const char *), int other) {
  char buffer[32768];
  ssize_t count;
  while ((count = getdents64(folder, buffer, sizeof buffer)) > 0) {
    for (ssize_t at = 0; at < count;) {
      struct dirent64 *entry = (struct dirent64 *)(buffer + at);
      at += entry->d_reclen;
      if (entry->d_name[0] != '.') body(folder, other, entry->d_name);
    }
  }
}

static void look(int folder, int other, const char *name) {
  (void)other;
  struct statx status;
  if (statx(folder, name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &status)) fail(name);
}

static void *work(void *argument) {
  for (int i = (int)(long)argument; i < folderCount; i += threadCount) {
    int from = openat(source, folders[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (from < 0) fail(folders[i]);
    if (destination < 0) {
      forEachName(from, look, -1);
    } else {
      if (mkdirat(destination, folders[i], 0755)) fail(folders[i]);
      int to = openat(destination, folders[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      forEachName(from, copyFile, to);
      struct stat status;
      struct timespec times[2];
      if (fstat(from, &status)) fail(folders[i]);
      times[0] = status.st_atim;
      times[1] = status.st_mtim;
      if (futimens(to, times)) fail(folders[i]);
      close(to);
    }
    close(from);
  }
  return NULL;
}

int main(int count, char **arguments) {
  if (count < 3) return 64;
  struct timespec begin, end;
  clock_gettime(CLOCK_MONOTONIC, &begin);
  source = open(arguments[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  destination = -1;
  if (!strcmp(arguments[1], "copy")) {
    if (mkdir(arguments[3], 0755)) fail(arguments[3]);
    destination = open(arguments[3], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  }
  DIR *listing = fdopendir(dup(source));
  for (struct dirent *entry; (entry = readdir(listing)) && folderCount < mostFolders;)
    if (entry->d_name[0] != '.') folders[folderCount++] = strdup(entry->d_name);
  pthread_t threads[threadCount];
  for (long i = 0; i < threadCount; i++) pthread_create(&threads[i], NULL, work, (void *)i);
  for (int i = 0; i < threadCount; i++) pthread_join(threads[i], NULL);
  clock_gettime(CLOCK_MONOTONIC, &end);
  printf("%f\n", (end.tv_sec - begin.tv_sec) + (end.tv_nsec - begin.tv_nsec) / 1e9);
  return 0;
}
