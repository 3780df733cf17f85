// A volume that lets its callers wait, as one on a network does: a FUSE file system that passes everything through to
// another folder, a given time later.
//
//   slowfs FOLDER MICROSECONDS MOUNTPOINT [FUSE options]
//
// Nothing is cached by the kernel, so that every operation costs the delay, once.
#define _GNU_SOURCE
#define FUSE_USE_VERSION 35
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int root;
static long delay;

// The path below the root, as openat takes it, after the delay.
static const char *slowly(const char *path) {
  struct timespec time = {delay / 1000000, delay % 1000000 * 1000};
  nanosleep(&time, NULL);
  return path == NULL || path[1] == 0 ? "." : path + 1;
}

static int result(long value) { return value < 0 ? -errno : (int)value; }

static int slowGetattr(const char *path, struct stat *status, struct fuse_file_info *info) {
  const char *name = slowly(path);
  return result(info ? fstat(info->fh, status) : fstatat(root, name, status, AT_SYMLINK_NOFOLLOW));
}

static int slowReadlink(const char *path, char *target, size_t size) {
  ssize_t count = readlinkat(root, slowly(path), target, size - 1);
  if (count < 0) return -errno;
  target[count] = 0;
  return 0;
}

static int slowMkdir(const char *path, mode_t mode) { return result(mkdirat(root, slowly(path), mode)); }
static int slowUnlink(const char *path) { return result(unlinkat(root, slowly(path), 0)); }
static int slowRmdir(const char *path) { return result(unlinkat(root, slowly(path), AT_REMOVEDIR)); }
static int slowSymlink(const char *target, const char *path) { return result(symlinkat(target, root, slowly(path))); }

static int slowRename(const char *from, const char *to, unsigned int flags) {
  return result(renameat2(root, slowly(from), root, to + 1, flags));
}

static int slowChmod(const char *path, mode_t mode, struct fuse_file_info *info) {
  const char *name = slowly(path);
  return result(info ? fchmod(info->fh, mode) : fchmodat(root, name, mode, 0));
}

static int slowChown(const char *path, uid_t user, gid_t group, struct fuse_file_info *info) {
  const char *name = slowly(path);
  return result(info ? fchown(info->fh, user, group) : fchownat(root, name, user, group, AT_SYMLINK_NOFOLLOW));
}

static int slowTruncate(const char *path, off_t size, struct fuse_file_info *info) {
  const char *name = slowly(path);
  if (info) return result(ftruncate(info->fh, size));
  int file = openat(root, name, O_WRONLY);
  if (file < 0) return -errno;
  int outcome = result(ftruncate(file, size));
  close(file);
  return outcome;
}

static int slowUtimens(const char *path, const struct timespec times[2], struct fuse_file_info *info) {
  const char *name = slowly(path);
  return result(info ? futimens(info->fh, times) : utimensat(root, name, times, AT_SYMLINK_NOFOLLOW));
}

static int keep(int file, struct fuse_file_info *info) {
  if (file < 0) return -errno;
  info->fh = file;
  return 0;
}

static int slowOpen(const char *path, struct fuse_file_info *info) {
  return keep(openat(root, slowly(path), info->flags & ~O_NOFOLLOW), info);
}

static int slowCreate(const char *path, mode_t mode, struct fuse_file_info *info) {
  return keep(openat(root, slowly(path), info->flags, mode), info);
}

static int slowRead(const char *path, char *buffer, size_t size, off_t offset, struct fuse_file_info *info) {
  (void)path;
  slowly(NULL);
  return result(pread(info->fh, buffer, size, offset));
}

static int slowWrite(const char *path, const char *buffer, size_t size, off_t offset, struct fuse_file_info *info) {
  (void)path;
  slowly(NULL);
  return result(pwrite(info->fh, buffer, size, offset));
}

static int slowFsync(const char *path, int dataOnly, struct fuse_file_info *info) {
  (void)path;
  (void)dataOnly;
  slowly(NULL);
  return result(fsync(info->fh));
}

static int slowRelease(const char *path, struct fuse_file_info *info) {
  (void)path;
  return result(close(info->fh));
}

static int slowOpendir(const char *path, struct fuse_file_info *info) {
  int folder = openat(root, slowly(path), O_RDONLY | O_DIRECTORY);
  if (folder < 0) return -errno;
  info->fh = (uintptr_t)fdopendir(folder);
  return info->fh ? 0 : -errno;
}

static int slowReaddir(const char *path, void *buffer, fuse_fill_dir_t fill, off_t offset, struct fuse_file_info *info,
                       enum fuse_readdir_flags flags) {
  (void)path;
  (void)offset;
  (void)flags;
  slowly(NULL);
  DIR *listing = (DIR *)info->fh;
  rewinddir(listing);
  for (struct dirent *entry; (entry = readdir(listing));) {
    struct stat status = {.st_ino = entry->d_ino, .st_mode = DTTOIF(entry->d_type)};
    if (fill(buffer, entry->d_name, &status, 0, 0)) break;
  }
  return 0;
}

static int slowReleasedir(const char *path, struct fuse_file_info *info) {
  (void)path;
  return result(closedir((DIR *)info->fh));
}

static void *slowInit(struct fuse_conn_info *connection, struct fuse_config *config) {
  (void)connection;
  config->use_ino = 1;
  config->nullpath_ok = 1;
  config->entry_timeout = config->attr_timeout = config->negative_timeout = 0;
  return NULL;
}

static const struct fuse_operations operations = {
    .init = slowInit,         .getattr = slowGetattr, .readlink = slowReadlink, .mkdir = slowMkdir,
    .unlink = slowUnlink,     .rmdir = slowRmdir,     .symlink = slowSymlink,   .rename = slowRename,
    .chmod = slowChmod,       .chown = slowChown,     .truncate = slowTruncate, .utimens = slowUtimens,
    .open = slowOpen,         .create = slowCreate,   .read = slowRead,         .write = slowWrite,
    .fsync = slowFsync,       .release = slowRelease, .readdir = slowReaddir,
    .opendir = slowOpendir,   .releasedir = slowReleasedir,
};

int main(int count, char **arguments) {
  if (count < 4) return 64;
  root = open(arguments[1], O_RDONLY | O_DIRECTORY);
  if (root < 0) {
    perror(arguments[1]);
    return 1;
  }
  delay = atol(arguments[2]);
  umask(0);
  arguments[2] = arguments[0];
  return fuse_main(count - 2, arguments + 2, &operations, NULL);
}
