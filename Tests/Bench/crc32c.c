// crc32c.c - the checksum of upstream.c for checking what is on tape, as a library for Python's ctypes.
// cc -O2 -msse4.2 -shared -fPIC -o libcrc32c.so crc32c.c
#include <nmmintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

uint32_t tape_bench_crc32c(const char *bytes, size_t count) {
  uint64_t crc = 0, word;
  for (; count >= 8; bytes += 8, count -= 8) {
    memcpy(&word, bytes, 8);
    crc = _mm_crc32_u64(crc, word);
  }
  for (; count; bytes++, count--) crc = _mm_crc32_u8((uint32_t)crc, (uint8_t)*bytes);
  return (uint32_t)crc;
}
