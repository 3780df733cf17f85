// A step that writes much: `writer blocks` 1 GiB in blocks of 64 KiB, `writer lines` 1 GiB in lines of 80 bytes through
// stdio, `writer small` 1,000,000 times 19 bytes with a write(2) each.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { GIB = 1 << 30, BLOCK = 1 << 16 };

static int put(const char *bytes, size_t count) {
  while (count > 0) {
    ssize_t written = write(1, bytes, count);
    if (written < 0) return -1;
    bytes += written;
    count -= written;
  }
  return 0;
}

int main(int count, char **arguments) {
  static char block[BLOCK];
  const char *mode = count > 1 ? arguments[1] : "";
  memset(block, 'x', sizeof block);
  if (strcmp(mode, "blocks") == 0) {
    for (long done = 0; done < GIB; done += BLOCK) {
      if (put(block, BLOCK) < 0) return 1;
    }
  } else if (strcmp(mode, "lines") == 0) {
    block[79] = '\n';
    for (long done = 0; done < GIB; done += 80) {
      if (fwrite(block, 1, 80, stdout) != 80) return 1;
    }
  } else if (strcmp(mode, "small") == 0) {
    for (int done = 0; done < 1000000; done++) {
      if (put("a line of a program\n", 19) < 0) return 1;
    }
  } else {
    return 64;
  }
  return fflush(stdout) == 0 ? 0 : 1;
}
