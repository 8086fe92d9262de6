#define _GNU_SOURCE
#include "CTapeShims.h"

#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>

#if defined(__x86_64__)
// The intrinsic headers do not get along with module maps; the builtins do.
__attribute__((target("sse4.2,crc32"))) uint32_t tape_crc32c(uint32_t crc, const void *data, size_t count) {
  const uint8_t *p = (const uint8_t *)data;
  uint64_t c = (uint32_t)~crc;
  while (count >= 8) {
    uint64_t v;
    memcpy(&v, p, 8);
    c = __builtin_ia32_crc32di(c, v);
    p += 8;
    count -= 8;
  }
  uint32_t d = (uint32_t)c;
  while (count--) d = __builtin_ia32_crc32qi(d, *p++);
  return ~d;
}
#else
uint32_t tape_crc32c(uint32_t crc, const void *data, size_t count) {
  const uint8_t *p = (const uint8_t *)data;
  uint32_t c = ~crc;
  while (count--) {
    c ^= *p++;
    for (int k = 0; k < 8; k++) c = (c >> 1) ^ (0x82F63B78u & (0u - (c & 1)));
  }
  return ~c;
}
#endif

int tape_open(const char *path, int flags, uint32_t mode) { return open(path, flags, (mode_t)mode); }

#if defined(__linux__)
#include <sys/mman.h>

int tape_memory_file(void) { return memfd_create("tapedeck", MFD_CLOEXEC); }
#else
#include <stdio.h>
#include <unistd.h>

// On disk, where there is nothing better, without a name.
int tape_memory_file(void) {
  FILE *file = tmpfile();
  if (!file) return -1;
  int descriptor = fcntl(fileno(file), F_DUPFD_CLOEXEC, 0);
  fclose(file);
  return descriptor;
}
#endif

int tape_terminal_columns(int fd) {
  struct winsize size;
  return ioctl(fd, TIOCGWINSZ, &size) == 0 ? (int)size.ws_col : 0;
}

int tape_terminal_rows(int fd) {
  struct winsize size;
  return ioctl(fd, TIOCGWINSZ, &size) == 0 ? (int)size.ws_row : 0;
}

#if defined(__GLIBC__)
#include <malloc.h>

void tape_keep_freed_memory(void) {
  // Other arenas than the main one grow and shrink by system calls of a page or so.
  mallopt(M_ARENA_MAX, 1);
  mallopt(M_MMAP_THRESHOLD, 16 << 20);
  mallopt(M_TRIM_THRESHOLD, 256 << 20);
  mallopt(M_TOP_PAD, 1 << 20);
}

void tape_give_back_memory(void) { malloc_trim(0); }
#else
void tape_keep_freed_memory(void) {}
void tape_give_back_memory(void) {}
#endif

#if defined(__linux__)
#include <link.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

// Only what is mapped from a file and can never have been written.
static int forget_object(struct dl_phdr_info *object, size_t size, void *vdso) {
  (void)size;
  long page = sysconf(_SC_PAGESIZE);
  for (int i = 0; i < object->dlpi_phnum; i++) {
    const ElfW(Phdr) *part = &object->dlpi_phdr[i];
    if (part->p_type != PT_LOAD || part->p_flags & PF_W) continue;
    uintptr_t start = (object->dlpi_addr + part->p_vaddr) & ~(uintptr_t)(page - 1);
    uintptr_t end = (object->dlpi_addr + part->p_vaddr + part->p_filesz) & ~(uintptr_t)(page - 1);
    if (start <= (uintptr_t)vdso && (uintptr_t)vdso < end) continue;
    if (end > start) madvise((void *)start, end - start, MADV_DONTNEED);
  }
  return 0;
}

void tape_forget_startup_code(void) { dl_iterate_phdr(forget_object, (void *)getauxval(AT_SYSINFO_EHDR)); }

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

_Static_assert(
    TAPE_READABLE == EPOLLIN && TAPE_WRITABLE == EPOLLOUT && TAPE_FAILED == EPOLLERR && TAPE_HUNG_UP == EPOLLHUP &&
        TAPE_PEER_CLOSED == EPOLLRDHUP,
    "the header's constants are epoll's");

void tape_prefer_short_turns(uint64_t nanoseconds) {
  // struct sched_attr, version 0: sched_setattr(2). The C library has no name for it everywhere.
  struct {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
  } wanted = {.size = 48};
  // What the thread has by now stays, but for the slice. A kernel that knows none keeps its own.
  if (syscall(SYS_sched_getattr, 0, &wanted, sizeof wanted, 0) != 0 || wanted.policy != SCHED_OTHER) return;
  wanted.runtime = nanoseconds;
  // Not for threads that it starts: they may work at length (SCHED_FLAG_RESET_ON_FORK).
  wanted.flags |= 1;
  syscall(SYS_sched_setattr, 0, &wanted, 0);
}

int tape_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

int tape_epoll_add(int set, int fd, uint32_t events, uint64_t token) {
  struct epoll_event event = {.events = events, .data.u64 = token};
  return epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
}

int tape_epoll_change(int set, int fd, uint32_t events, uint64_t token) {
  struct epoll_event event = {.events = events, .data.u64 = token};
  return epoll_ctl(set, EPOLL_CTL_MOD, fd, &event);
}

int tape_epoll_remove(int set, int fd) {
  struct epoll_event event = {0};
  return epoll_ctl(set, EPOLL_CTL_DEL, fd, &event);
}

int tape_epoll_wait(int set, tape_event *events, int capacity, int milliseconds) {
  struct epoll_event ready[256];
  int count = epoll_wait(set, ready, capacity < 256 ? capacity : 256, milliseconds);
  for (int i = 0; i < count; i++) {
    events[i].token = ready[i].data.u64;
    events[i].events = ready[i].events;
  }
  return count;
}

int tape_eventfd(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

int tape_timerfd(void) { return timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC); }

int tape_timerfd_set(int fd, int64_t nanoseconds) {
  struct itimerspec once = {.it_value = {nanoseconds / 1000000000, nanoseconds % 1000000000}};
  return timerfd_settime(fd, TFD_TIMER_ABSTIME, &once, NULL);
}

int tape_accept(int fd) { return accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC); }

ptrdiff_t tape_send(int fd, const void *bytes, size_t count) {
  return send(fd, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT);
}

int tape_unacknowledged(int fd) {
  int count = 0;
  return ioctl(fd, TIOCOUTQ, &count) == 0 ? count : 0;
}
#endif
