// Small pieces of C that Swift cannot say: the CRC32C instruction, variadic system
// calls, and macros of the platform's headers.
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__x86_64__)
// The intrinsic headers do not link through a module map; the builtins do.
__attribute__((target("sse4.2,crc32"))) static inline uint32_t tape_crc32c(uint32_t crc, const void *data, size_t count) {
  const uint8_t *p = (const uint8_t *)data;
  uint64_t c = (uint32_t)~crc;
  while (count >= 8) {
    uint64_t v;
    __builtin_memcpy(&v, p, 8);
    c = __builtin_ia32_crc32di(c, v);
    p += 8;
    count -= 8;
  }
  uint32_t d = (uint32_t)c;
  while (count--) d = __builtin_ia32_crc32qi(d, *p++);
  return ~d;
}
#else
static inline uint32_t tape_crc32c(uint32_t crc, const void *data, size_t count) {
  const uint8_t *p = (const uint8_t *)data;
  uint32_t c = ~crc;
  while (count--) {
    c ^= *p++;
    for (int k = 0; k < 8; k++) c = (c >> 1) ^ (0x82F63B78u & (0u - (c & 1)));
  }
  return ~c;
}
#endif

static inline int tape_open(const char *path, int flags, mode_t mode) { return open(path, flags, mode); }
static inline int tape_terminal_columns(int fd) {
  struct winsize size;
  return ioctl(fd, TIOCGWINSZ, &size) == 0 ? (int)size.ws_col : 0;
}
