"""The trees that are copied: random content, one level of folders."""

import os
import random

TREES = {
    "20,000 files of 4 KiB": dict(folders=200, files=100, sizes=(0, 8192)),
    "200 files of 1 MiB": dict(folders=10, files=20, sizes=(1 << 20, 1 << 20)),
    "1 file of 1 GiB": dict(folders=1, files=1, sizes=(1 << 30, 1 << 30)),
    "200,000 files of 4 KiB": dict(folders=2000, files=100, sizes=(0, 8192)),
}

SLOW_TREE = dict(folders=20, files=50, sizes=(0, 8192))


def make(root, folders, files, sizes):
    """Makes a tree; the same one each time."""
    numbers = random.Random(1)
    data = numbers.randbytes(1 << 21)
    for folder in range(folders):
        place = f"{root}/folder-{folder:04}"
        os.makedirs(place)
        for file in range(files):
            with open(f"{place}/file-{file:03}.dat", "wb") as out:
                left = numbers.randint(*sizes)
                while left > 0:
                    start = numbers.randrange(1 << 20)
                    piece = data[start : start + min(left, 1 << 20)]
                    out.write(piece)
                    left -= len(piece)


def edit(root, changed=20, new=20, deleted=5):
    """What a job does: changes, adds and deletes files here and there."""
    folders = sorted(os.listdir(root))
    for number in range(changed):
        folder = f"{root}/{folders[number * 9 % len(folders)]}"
        with open(f"{folder}/file-003.dat", "ab") as out:
            out.write(b"changed")
    for number in range(new):
        folder = f"{root}/{folders[number * 7 % len(folders)]}"
        with open(f"{folder}/new-{number}.dat", "wb") as out:
            out.write(b"new" * 1000)
    for number in range(deleted):
        os.unlink(f"{root}/{folders[number * 5 % len(folders)]}/file-007.dat")
