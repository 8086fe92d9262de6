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

#if defined(__linux__)
// Swift's Glibc module has neither epoll nor eventfd, and accept4 hides behind _GNU_SOURCE.
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
extern int accept4(int fd, struct sockaddr *restrict address, socklen_t *restrict length, int flags);
enum {
  TAPE_READABLE = EPOLLIN,
  TAPE_WRITABLE = EPOLLOUT,
  TAPE_PEER_CLOSED = EPOLLRDHUP,
  TAPE_HUNG_UP = EPOLLHUP,
  TAPE_FAILED = EPOLLERR,
};
static inline int tape_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }
static inline int tape_epoll_add(int set, int fd, uint32_t events, uint64_t token) {
  struct epoll_event event = {.events = events, .data.u64 = token};
  return epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
}
static inline int tape_epoll_change(int set, int fd, uint32_t events, uint64_t token) {
  struct epoll_event event = {.events = events, .data.u64 = token};
  return epoll_ctl(set, EPOLL_CTL_MOD, fd, &event);
}
static inline int tape_epoll_remove(int set, int fd) {
  struct epoll_event event = {0};
  return epoll_ctl(set, EPOLL_CTL_DEL, fd, &event);
}
static inline int tape_eventfd(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }
/// Takes one connection: non-blocking, closed on exec, without Nagle's delay; -1 with errno set.
static inline int tape_accept(int fd) { return accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC); }
/// Sends without SIGPIPE and without blocking.
static inline ssize_t tape_send(int fd, const void *bytes, size_t count) {
  return send(fd, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT);
}
#endif

#if defined(__linux__)
/// Bytes sent on a socket that the other side has not acknowledged; 0 if that is not known.
static inline int tape_unacknowledged(int fd) {
  int count = 0;
  return ioctl(fd, TIOCOUTQ, &count) == 0 ? count : 0;
}
#endif
