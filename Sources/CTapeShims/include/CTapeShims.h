// Small pieces of C that Swift cannot say: the CRC32C instruction, variadic system calls,
// macros, and what Swift's Glibc module leaves out.
//
// No system header is included here: the types of one would seem to be this module's own.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// CRC-32C (Castagnoli) of `count` bytes behind those that gave `crc`; 0 to start.
uint32_t tape_crc32c(uint32_t crc, const void *data, size_t count);

/// open(2), which is variadic.
int tape_open(const char *path, int flags, uint32_t mode);

/// A file in memory that has no name and closes on exec; -1 with errno set.
int tape_memory_file(void);

/// Columns of the terminal; 0 if `fd` is none.
int tape_terminal_columns(int fd);

/// Rows of the terminal; 0 if `fd` is none, or it does not say.
int tape_terminal_rows(int fd);

#if defined(__linux__)
enum {
  TAPE_READABLE = 0x001,
  TAPE_WRITABLE = 0x004,
  TAPE_FAILED = 0x008,
  TAPE_HUNG_UP = 0x010,
  TAPE_PEER_CLOSED = 0x2000,
};

/// What epoll says of one descriptor.
typedef struct {
  uint64_t token;
  uint32_t events;
} tape_event;

int tape_epoll_create(void);
int tape_epoll_add(int set, int fd, uint32_t events, uint64_t token);
int tape_epoll_change(int set, int fd, uint32_t events, uint64_t token);
int tape_epoll_remove(int set, int fd);
/// Waits for events, at most 256 of them; how many there are, or -1 with errno set.
int tape_epoll_wait(int set, tape_event *events, int capacity, int milliseconds);

/// An eventfd that does not block and closes on exec.
int tape_eventfd(void);

/// A timerfd on the monotonic clock that does not block and closes on exec.
int tape_timerfd(void);
/// Has it fire once at so many ns of the monotonic clock; 0 never. What it has counted is forgotten.
int tape_timerfd_set(int fd, int64_t nanoseconds);

/// Takes one connection: non-blocking, closed on exec; -1 with errno set.
int tape_accept(int fd);

/// Sends without SIGPIPE and without blocking.
ptrdiff_t tape_send(int fd, const void *bytes, size_t count);

/// Bytes sent on a socket that the other side has not acknowledged; 0 if that is not known.
int tape_unacknowledged(int fd);

/// For a thread that works in short turns and must have them in time: asks the scheduler for slices of so many ns (Linux
/// 6.12 and newer), so that when it wakes it goes before threads that work on. It gets no larger part of the processor.
void tape_prefer_short_turns(uint64_t nanoseconds);
#endif

/// For a process that runs for long: the pages of code and constants that starting up has touched are given back. What is
/// needed again is mapped again, from the page cache.
void tape_forget_startup_code(void);

/// For a process that answers one question and ends: memory that was freed is kept for what comes next, where the
/// allocator would give it back to the system and fetch it again, page by page.
void tape_keep_freed_memory(void);

/// For a process that goes on: memory that was freed goes back to the system, where the allocator would keep it.
void tape_give_back_memory(void);
