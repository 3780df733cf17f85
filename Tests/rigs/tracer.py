"""Runs a worker and does something to it at one of its system calls.

    tracer.py --below DIR [--below DIR] [--at N --do WHAT] --log FILE -- PROGRAM [ARGUMENT]...

Counts, over all threads of the program and none of its children, the system calls that name a file below the given
folders, that change one through a descriptor, or that send to a socket. Each is a line of the log: `N NAME PATH`, with `pid P`
before the first. At call N it does WHAT:

    kill          SIGKILL before the call is carried out
    stop          SIGSTOP: the call is carried out, nothing after it
    error=EIO     the call is not carried out and says EIO (any name of errno(3))
    late          the call is carried out and says that it could not be: ENOENT or EEXIST, as over NFS, when the server restarts
                  before its reply and is asked again. Only calls that remove, rename or make something count

strace(1) can do the same, but counts the calls of each thread by themselves. This needs ptrace(2) of Linux 5.3 on x86_64.
The exit status is the program's.
"""
import argparse
import ctypes
import errno
import os
import signal

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long

PTRACE_POKEUSER, PTRACE_SYSCALL, PTRACE_SEIZE, PTRACE_LISTEN, PTRACE_GET_SYSCALL_INFO = 6, 24, 0x4206, 0x4208, 0x420E
TRACESYSGOOD, TRACECLONE, EXITKILL = 1, 8, 1 << 20
EVENT_STOP = 128
WALL = 0x40000000
# Offsets in struct user of x86_64.
RAX, ORIG_RAX = 80, 120
FICLONE = 0x40049409

# Of the paths: (number of the argument that is the folder's descriptor, or None; that of the path).
NAMING = {
    2: ("open", (None, 0)), 4: ("stat", (None, 0)), 6: ("lstat", (None, 0)), 21: ("access", (None, 0)),
    76: ("truncate", (None, 0)), 82: ("rename", (None, 0), (None, 1)), 83: ("mkdir", (None, 0)),
    84: ("rmdir", (None, 0)), 85: ("creat", (None, 0)), 86: ("link", (None, 0), (None, 1)), 87: ("unlink", (None, 0)),
    88: ("symlink", (None, 1)), 89: ("readlink", (None, 0)), 90: ("chmod", (None, 0)), 92: ("chown", (None, 0)),
    94: ("lchown", (None, 0)), 137: ("statfs", (None, 0)), 188: ("setxattr", (None, 0)),
    189: ("lsetxattr", (None, 0)), 191: ("getxattr", (None, 0)), 192: ("lgetxattr", (None, 0)),
    194: ("listxattr", (None, 0)), 195: ("llistxattr", (None, 0)), 235: ("utimes", (None, 0)),
    254: ("inotify_add_watch", (None, 1)), 257: ("openat", (0, 1)), 258: ("mkdirat", (0, 1)),
    259: ("mknodat", (0, 1)), 260: ("fchownat", (0, 1)), 262: ("newfstatat", (0, 1)), 263: ("unlinkat", (0, 1)),
    264: ("renameat", (0, 1), (2, 3)), 265: ("linkat", (0, 1), (2, 3)), 266: ("symlinkat", (1, 2)),
    267: ("readlinkat", (0, 1)), 268: ("fchmodat", (0, 1)), 269: ("faccessat", (0, 1)), 280: ("utimensat", (0, 1)),
    303: ("name_to_handle_at", (0, 1)), 316: ("renameat2", (0, 1), (2, 3)), 332: ("statx", (0, 1)),
    437: ("openat2", (0, 1)), 439: ("faccessat2", (0, 1)), 452: ("fchmodat2", (0, 1)),
}
# Of the descriptor: the number of its argument.
HOLDING = {
    1: ("write", 0), 18: ("pwrite64", 0), 20: ("writev", 0), 73: ("flock", 0), 74: ("fsync", 0), 75: ("fdatasync", 0),
    77: ("ftruncate", 0), 91: ("fchmod", 0), 93: ("fchown", 0), 190: ("fsetxattr", 0), 217: ("getdents64", 0),
    277: ("sync_file_range", 0), 285: ("fallocate", 0), 306: ("syncfs", 0), 326: ("copy_file_range", 2),
}
# What a call says that is carried out a second time.
AGAIN = dict.fromkeys(("rename", "renameat", "renameat2", "rmdir", "unlink", "unlinkat"), "ENOENT")
AGAIN |= dict.fromkeys(("link", "linkat", "mkdir", "mkdirat", "symlink", "symlinkat"), "EEXIST")
SENDING = {1: "write", 20: "writev", 44: "sendto", 46: "sendmsg"}


class SyscallInfo(ctypes.Structure):
    _fields_ = [
        ("op", ctypes.c_uint8), ("pad", ctypes.c_uint8 * 3), ("arch", ctypes.c_uint32), ("ip", ctypes.c_uint64),
        ("sp", ctypes.c_uint64), ("number", ctypes.c_uint64), ("args", ctypes.c_uint64 * 6),
        ("rest", ctypes.c_uint64 * 2)]


def ptrace(request, thread, address=0, data=0):
    return libc.ptrace(request, thread, address, data)


class Tracer:
    def __init__(self, options):
        self.below = [os.path.realpath(folder) for folder in options.below]
        self.at, (self.what, _, self.code) = options.at, options.do.partition("=")
        self.log = open(options.log, "w", buffering=1, encoding="utf-8", errors="backslashreplace")
        self.count = 0
        self.failing = None  # The thread whose present call gets another answer.

    def run(self, arguments):
        self.pid = os.fork()
        if self.pid == 0:
            os.kill(os.getpid(), signal.SIGSTOP)
            os.execv(arguments[0], arguments)
        os.waitpid(self.pid, os.WUNTRACED)
        ptrace(PTRACE_SEIZE, self.pid, 0, TRACESYSGOOD | TRACECLONE | EXITKILL)
        self.log.write(f"pid {self.pid}\n")
        # Who ends the tracer means the program.
        signal.signal(signal.SIGTERM, self.terminate)
        os.kill(self.pid, signal.SIGCONT)
        end = 0
        while True:
            try:
                thread, status = os.waitpid(-1, WALL)
            except ChildProcessError:
                return end
            if not os.WIFSTOPPED(status):
                if thread == self.pid:
                    end = status
                continue
            self.stopped(thread, os.WSTOPSIG(status), status >> 16)

    def terminate(self, *_):
        try:
            os.kill(self.pid, signal.SIGTERM)
        except ProcessLookupError:
            pass

    def stopped(self, thread, number, event):
        if number == signal.SIGTRAP | 0x80:
            self.syscall(thread)
            ptrace(PTRACE_SYSCALL, thread)
        elif event == EVENT_STOP and number in (signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU):
            ptrace(PTRACE_LISTEN, thread)
        else:
            ptrace(PTRACE_SYSCALL, thread, 0, 0 if event else number)

    def syscall(self, thread):
        info = SyscallInfo()
        if ptrace(PTRACE_GET_SYSCALL_INFO, thread, ctypes.sizeof(info), ctypes.addressof(info)) < 0:
            return
        if info.op == 2 and self.failing == thread:
            self.failing = None
            ptrace(PTRACE_POKEUSER, thread, RAX, -getattr(errno, self.code) & (1 << 64) - 1)
        if info.op != 1:
            return
        call = self.call(thread, info)
        if call is None or self.what == "late" and call[0] not in AGAIN:
            return
        self.count += 1
        self.log.write(f"{self.count} {call[0]} {call[1]}\n")
        if self.count == self.at:
            self.act(thread, call[0])

    def act(self, thread, name):
        if self.what in ("kill", "stop"):
            os.kill(self.pid, signal.SIGKILL if self.what == "kill" else signal.SIGSTOP)
            return
        if self.what == "late":
            self.code = AGAIN[name]
        else:
            ptrace(PTRACE_POKEUSER, thread, ORIG_RAX, (1 << 64) - 1)
        self.failing = thread

    def call(self, thread, info):
        """The name and path of a call that counts."""
        if (naming := NAMING.get(info.number)) is not None:
            for folder, path in naming[1:]:
                found = self.path(thread, None if folder is None else info.args[folder], info.args[path])
                if self.counts(found):
                    return naming[0], found
            return None
        holding = HOLDING.get(info.number)
        if info.number == 16 and info.args[1] == FICLONE:
            holding = ("ioctl", 0)
        if holding is None and info.number not in SENDING:
            return None
        descriptor = info.args[holding[1] if holding else 0]
        try:
            found = os.readlink(f"/proc/{thread}/fd/{ctypes.c_int32(descriptor).value}")
        except OSError:
            return None
        if info.number in SENDING and found.startswith("socket:"):
            return SENDING[info.number], "the socket"
        return (holding[0], found) if holding and self.counts(found) else None

    def counts(self, path):
        return path is not None and any(path == folder or path.startswith(folder + "/") for folder in self.below)

    def path(self, thread, folder, address):
        text = b""
        try:
            with open(f"/proc/{self.pid}/mem", "rb", 0) as memory:
                memory.seek(address)
                text = memory.read(4096).partition(b"\0")[0]
        except (OSError, ValueError, OverflowError):
            pass
        name = os.fsdecode(text)
        if name.startswith("/"):
            return os.path.normpath(name)
        place = "cwd" if folder is None else f"fd/{ctypes.c_int32(folder).value}"
        if place == "fd/-100":
            place = "cwd"
        try:
            return os.path.normpath(os.path.join(os.readlink(f"/proc/{thread}/{place}"), name))
        except OSError:
            return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--below", action="append", required=True)
    parser.add_argument("--at", type=int, default=0)
    parser.add_argument("--do", default="nothing")
    parser.add_argument("--log", required=True)
    parser.add_argument("program", nargs="+")
    options = parser.parse_args()
    end = Tracer(options).run(options.program)
    # At once: while Python ends, a TERM is no longer caught.
    os._exit(128 + os.WTERMSIG(end) if os.WIFSIGNALED(end) else os.WEXITSTATUS(end))


if __name__ == "__main__":
    main()
