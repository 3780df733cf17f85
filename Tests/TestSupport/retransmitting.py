#!/usr/bin/env python3
"""A file system that answers as a network volume may: what was carried out is said to have failed, times are another
clock's, calls hang. It shows a folder, and speaks the kernel's protocol itself (/dev/fuse, fuse(4)): no package is needed,
only root.

usage: retransmitting.py FOLDER MOUNTPOINT RULES

RULES is a file that may be written anew at any time (by rename). A line of it is

  OPERATION PATTERN ANSWER [TIMES]

OPERATION  create, fsync, fsyncdir, getattr, link, lookup, mkdir, open, opendir, read, readdir, rename, rmdir, setattr,
           statfs, symlink, touch (a setattr of times), unlink, write
PATTERN    of the path in FOLDER, as fnmatch(3) has it; a rename is matched by its old name and by its new one
ANSWER     EIO (any error: refused), done:ENOENT (carried out, then refused), hold:SECONDS (carried out after that time)
TIMES      how often; 1 if it is not said, * for always

  clock OPERATION SECONDS

shifts the times that OPERATION (touch, write, create) leaves, as a client does whose clock is ahead by so much. Two of these on
one folder are two hosts of one volume.

  inodes NUMBER

adds NUMBER to the inode number of each file, which may need all of its 64 bits then.

What a rule did is a line in RULES.log: the rule, and the path.

It ends when it is unmounted.
"""
import ctypes
import errno
import fnmatch
import os
import stat
import struct
import sys
import threading
import time

LIBC = ctypes.CDLL(None, use_errno=True)
ENTRY, ATTRIBUTES, HEADER = struct.Struct("<QQQQII"), struct.Struct("<QQQQQQIIIIIIIIII"), struct.Struct("<IIQQIIII")
MTIME, ATIME, MTIME_NOW, ATIME_NOW = 1 << 5, 1 << 4, 1 << 8, 1 << 7
MODE, UID, GID, SIZE = 1, 2, 4, 8


class Rules:
    def __init__(self, path):
        self.path, self.seen, self.rules, self.shifts, self.inodes = path, None, [], {}, 0
        self.lock = threading.Lock()
        self.load()

    def load(self):
        try:
            status = os.stat(self.path)
        except FileNotFoundError:
            return
        seen = (status.st_ino, status.st_mtime_ns, status.st_size)
        if seen == self.seen:
            return
        self.seen, self.rules, self.shifts = seen, [], {}
        with open(self.path) as file:
            for line in file:
                words = line.split()
                if not words:
                    continue
                if words[0] == "clock":
                    self.shifts[words[1]] = float(words[2])
                    continue
                if words[0] == "inodes":
                    self.inodes = int(words[1], 0)
                    continue
                times = words[3] if len(words) > 3 else "1"
                self.rules.append([words[:3], -1 if times == "*" else int(times)])

    def answer(self, operations, paths):
        """What is to be answered; None for nothing special."""
        with self.lock:
            self.load()
            for rule in self.rules:
                (operation, pattern, answer), left = rule
                hit = next((path for path in paths if fnmatch.fnmatch(path, pattern)), None)
                if left == 0 or operation not in operations or hit is None:
                    continue
                rule[1] = left - 1 if left > 0 else left
                with open(self.path + ".log", "a") as log:
                    log.write(f"{operation} {pattern} {answer} {hit}\n")
                return answer
        return None

    def shift(self, operation):
        with self.lock:
            self.load()
            return self.shifts.get(operation)


class Node:
    def __init__(self, fd, status):
        self.fd, self.lookups, self.key = fd, 0, (status.st_dev, status.st_ino)

    @property
    def way(self):
        return f"/proc/self/fd/{self.fd}"


class Volume:
    def __init__(self, folder, rules, device):
        self.device, self.rules, self.lock = device, rules, threading.Lock()
        root = os.open(folder, os.O_PATH | os.O_DIRECTORY)
        self.folder = os.readlink(f"/proc/self/fd/{root}")
        self.nodes, self.known, self.next = {1: Node(root, os.fstat(root))}, {}, 2

    # What the kernel calls nodes, and their paths.

    def path(self, node, name=None):
        path = os.readlink(self.nodes[node].way).removesuffix(" (deleted)")
        if name is not None:
            path = os.path.join(path, os.fsdecode(name))
        return os.path.relpath(path, self.folder)

    def entry(self, parent, name):
        fd = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=self.nodes[parent].fd)
        status = os.fstat(fd)
        with self.lock:
            number = self.known.get((status.st_dev, status.st_ino))
            if number is None:
                number, self.next = self.next, self.next + 1
                self.nodes[number] = Node(fd, status)
                self.known[self.nodes[number].key] = number
            else:
                os.close(fd)
            self.nodes[number].lookups += 1
        return ENTRY.pack(number, 0, 0, 0, 0, 0) + self.attributes(status)

    def forget(self, number, count):
        with self.lock:
            node = self.nodes.get(number)
            if node is None or number == 1:
                return
            node.lookups -= count
            if node.lookups <= 0:
                del self.nodes[number], self.known[node.key]
                os.close(node.fd)

    def attributes(self, s):
        times = [s.st_atime_ns, s.st_mtime_ns, s.st_ctime_ns]
        return ATTRIBUTES.pack(
            s.st_ino + self.rules.inodes & (1 << 64) - 1, s.st_size, s.st_blocks, *(t // 10**9 & (1 << 64) - 1 for t in times), *(t % 10**9 for t in times),
            s.st_mode, s.st_nlink, s.st_uid, s.st_gid, s.st_rdev & 0xFFFFFFFF, 4096, 0)

    def stamp(self, operation, target):
        shift = self.rules.shift(operation)
        if shift is not None:
            now = time.time_ns() + int(shift * 1e9)
            os.utime(target, ns=(now, now))

    # Operations, by their numbers in linux/fuse.h: what they are called in rules, and what they do.

    def lookup(self, node, body, _):
        return self.entry(node, body[:-1])

    def getattr(self, node, body, _):
        return struct.pack("<QII", 0, 0, 0) + self.attributes(os.fstat(self.nodes[node].fd))

    def setattr(self, node, body, _):
        (valid, _, _, size, _, atime, mtime, _, atime_ns, mtime_ns, _, mode, _, uid, gid, _) = struct.unpack(
            "<IIQQQQQQIIIIIIII", body[:88])
        way = self.nodes[node].way
        if valid & MODE:
            os.chmod(way, stat.S_IMODE(mode))
        if valid & (UID | GID):
            os.chown(way, uid if valid & UID else -1, gid if valid & GID else -1)
        if valid & SIZE:
            os.truncate(way, size)
        if valid & (MTIME | ATIME):
            now = time.time_ns() + int((self.rules.shift("touch") or 0) * 1e9)
            status = os.stat(way)
            seconds = lambda part, rest: struct.unpack("<q", struct.pack("<Q", part))[0] * 10**9 + rest
            atime = now if valid & ATIME_NOW else seconds(atime, atime_ns) if valid & ATIME else status.st_atime_ns
            mtime = now if valid & MTIME_NOW else seconds(mtime, mtime_ns) if valid & MTIME else status.st_mtime_ns
            os.utime(way, ns=(atime, mtime))
        return self.getattr(node, body, None)

    def readlink(self, node, body, _):
        return os.fsencode(os.readlink("", dir_fd=self.nodes[node].fd))

    def symlink(self, node, body, who):
        name, target = body.split(b"\0")[:2]
        os.symlink(target, name, dir_fd=self.nodes[node].fd)
        return self.entry(node, name)

    def mknod(self, node, body, who):
        mode, rdev, umask, _ = struct.unpack("<IIII", body[:16])
        os.mknod(body[16:-1], mode & ~umask, rdev, dir_fd=self.nodes[node].fd)
        return self.entry(node, body[16:-1])

    def mkdir(self, node, body, who):
        mode, umask = struct.unpack("<II", body[:8])
        os.mkdir(body[8:-1], mode & ~umask, dir_fd=self.nodes[node].fd)
        return self.entry(node, body[8:-1])

    def unlink(self, node, body, _):
        os.unlink(body[:-1], dir_fd=self.nodes[node].fd)
        return b""

    def rmdir(self, node, body, _):
        os.rmdir(body[:-1], dir_fd=self.nodes[node].fd)
        return b""

    def rename(self, node, body, _, flags=0, head=8):
        (target,) = struct.unpack("<Q", body[:8])
        old, new = body[head:].split(b"\0")[:2]
        if LIBC.renameat2(self.nodes[node].fd, old, self.nodes[target].fd, new, flags) != 0:
            raise OSError(ctypes.get_errno(), "rename")
        return b""

    def rename2(self, node, body, who):
        return self.rename(node, body, who, struct.unpack("<I", body[8:12])[0], 16)

    def link(self, node, body, _):
        (old,) = struct.unpack("<Q", body[:8])
        os.link(self.nodes[old].way, body[8:-1], dst_dir_fd=self.nodes[node].fd, follow_symlinks=True)
        return self.entry(node, body[8:-1])

    def open(self, node, body, _):
        flags = struct.unpack("<I", body[:4])[0] & ~(os.O_NOFOLLOW | os.O_CREAT | os.O_EXCL)
        # Direct: each mount reads what the folder holds now.
        return struct.pack("<QII", os.open(self.nodes[node].way, flags & ~os.O_APPEND), 0, 0)

    def create(self, node, body, _):
        flags, mode, umask, _ = struct.unpack("<IIII", body[:16])
        name = body[16:-1]
        fd = os.open(name, flags & ~os.O_APPEND | os.O_NOFOLLOW, mode & ~umask, dir_fd=self.nodes[node].fd)
        self.stamp("create", fd)
        try:
            return self.entry(node, name) + struct.pack("<QII", fd, 0, 0)
        except OSError:
            os.close(fd)
            raise

    def read(self, node, body, _):
        fd, offset, size = struct.unpack("<QQI", body[:20])
        return os.pread(fd, size, offset)

    def write(self, node, body, _):
        fd, offset, size = struct.unpack("<QQI", body[:20])
        count = os.pwrite(fd, body[40:40 + size], offset)
        self.stamp("write", fd)
        return struct.pack("<II", count, 0)

    def statfs(self, node, body, _):
        s = os.statvfs(self.nodes[node].way)
        return struct.pack("<QQQQQIIII24x", s.f_blocks, s.f_bfree, s.f_bavail, s.f_files, s.f_ffree, s.f_bsize,
                           s.f_namemax, s.f_frsize, 0)

    def release(self, node, body, _):
        os.close(struct.unpack("<Q", body[:8])[0])
        return b""

    def fsync(self, node, body, _):
        os.fsync(struct.unpack("<Q", body[:8])[0])
        return b""

    def flush(self, node, body, _):
        return b""

    def readdir(self, node, body, _):
        fd, offset, size = struct.unpack("<QQI", body[:20])
        out = b""
        with os.scandir(f"/proc/self/fd/{fd}") as entries:
            names = [(b".", stat.S_IFDIR), (b"..", stat.S_IFDIR)] + sorted(
                (os.fsencode(entry.name), os.lstat(entry.path).st_mode if os.path.lexists(entry.path) else 0)
                for entry in entries)
        for index, (name, mode) in enumerate(names[offset:], offset + 1):
            record = struct.pack("<QQII", index, index, len(name), stat.S_IFMT(mode) >> 12) + name
            record += b"\0" * (-len(record) % 8)
            if len(out) + len(record) > size:
                break
            out += record
        return out

    def fallocate(self, node, body, _):
        raise OSError(errno.EOPNOTSUPP, "fallocate")

    OPERATIONS = {
        1: lookup, 3: getattr, 4: setattr, 5: readlink, 6: symlink, 8: mknod, 9: mkdir, 10: unlink, 11: rmdir, 12: rename,
        13: link, 14: open, 15: read, 16: write, 17: statfs, 18: release, 20: fsync, 25: flush, 27: open, 28: readdir,
        29: release, 30: fsync, 35: create, 43: fallocate, 45: rename2,
    }
    NAMES = {27: "opendir", 30: "fsyncdir", 45: "rename"}

    def paths(self, code, node, body):
        if code in (1, 10, 11):
            return [self.path(node, body[:-1])]
        if code in (9, 35, 13, 8):
            return [self.path(node, body[{9: 8, 13: 8}.get(code, 16):-1])]
        if code == 6:
            return [self.path(node, body.split(b"\0")[0])]
        if code in (12, 45):
            old, new = body[8 if code == 12 else 16:].split(b"\0")[:2]
            return [self.path(node, old), self.path(struct.unpack("<Q", body[:8])[0], new)]
        return [self.path(node)]

    def perform(self, code, node, body, who):
        operation = self.OPERATIONS.get(code)
        if operation is None:
            raise OSError(errno.ENOSYS, "not here")
        names = {self.NAMES.get(code, operation.__name__)}
        if code == 4 and struct.unpack("<I", body[:4])[0] & (MTIME | ATIME):
            names.add("touch")
        answer = self.rules.answer(names, self.paths(code, node, body)) if code not in (18, 25, 29) else None
        kind, _, rest = (answer or "").partition(":")
        if kind == "hold":
            time.sleep(float(rest))
        elif kind == "done":
            operation(self, node, body, who)
            raise OSError(number_of(rest), "said so")
        elif kind:
            raise OSError(number_of(kind), "said so")
        return operation(self, node, body, who)

    def serve(self):
        while True:
            try:
                message = os.read(self.device, (1 << 17) + 4096)
            except OSError as error:
                if error.errno in (errno.ENOENT, errno.EINTR, errno.EAGAIN):
                    continue
                return  # ENODEV: unmounted
            length, code, unique, node, uid, gid, pid, _ = HEADER.unpack(message[:40])
            body = message[40:length]
            if code == 2:
                self.forget(node, struct.unpack("<Q", body[:8])[0])
                continue
            if code == 42:
                for place in range(8, 8 + 16 * struct.unpack("<I", body[:4])[0], 16):
                    self.forget(*struct.unpack("<QQ", body[place:place + 16]))
                continue
            if code == 36:
                continue
            number, answer = 0, b""
            try:
                if code == 26:
                    answer = struct.pack("<IIIIHHIIHHI28x", 7, 31, 1 << 17, 1 << 5, 32, 24, 1 << 17, 1, 32, 0, 0)
                elif code != 38:
                    answer = self.perform(code, node, body, (uid, gid))
            except OSError as error:
                number, answer = error.errno or errno.EIO, b""
            try:
                os.write(self.device, struct.pack("<IiQ", 16 + len(answer), -number, unique) + answer)
            except OSError:
                pass  # whoever asked is gone


def number_of(name):
    return getattr(errno, name)


def main():
    folder, mountpoint, rules = sys.argv[1:]
    # Modes are taken as they come.
    os.umask(0)
    device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions"
    if LIBC.mount(b"retransmitting", os.fsencode(mountpoint), b"fuse.retransmitting", 0, options.encode()) != 0:
        sys.exit(f"mounting {mountpoint}: {os.strerror(ctypes.get_errno())}")
    volume = Volume(folder, Rules(rules), device)
    threads = [threading.Thread(target=volume.serve) for _ in range(16)]
    for thread in threads:
        thread.start()
    print("mounted", flush=True)
    for thread in threads:
        thread.join()


main()
