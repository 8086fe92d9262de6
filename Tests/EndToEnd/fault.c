// Preloaded into a process: counts what it asks of the files of one directory, and lets the N-th request go wrong.
//
// FAULT_DIR   the directory; other files are left alone, and so is the catalogue's database
// FAULT_KIND  kill (SIGKILL, inside of a write after half of it), eio, enospc: at request FAULT_AT only;
//             eintr, short: at every other one, as far as a request can be interrupted or cut short
// FAULT_COUNT a file that gets the number of requests when the process ends by itself
// FAULT_CATALOGUE  the catalogue's files too
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_int requests;

static int is_ours(const char *path) {
  const char *directory = getenv("FAULT_DIR");
  return directory && path && !strncmp(path, directory, strlen(directory)) &&
         (getenv("FAULT_CATALOGUE") || !strstr(path, "catalogue."));
}

static int is_our_descriptor(int descriptor) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return is_ours(path);
}

enum { PASS, KILL, FAIL, CUT };

// What becomes of this request. `can_wait`: it may be interrupted.
static int turn(int can_wait, int is_write) {
  const char *kind = getenv("FAULT_KIND");
  if (!kind) return PASS;
  int number = ++requests;
  if (!strcmp(kind, "eintr")) {
    if (!can_wait || number % 2) return PASS;
    errno = EINTR;
    return FAIL;
  }
  if (!strcmp(kind, "short")) return is_write ? CUT : PASS;
  const char *at = getenv("FAULT_AT");
  if (!at || number != atoi(at)) return PASS;
  if (!strcmp(kind, "kill")) return KILL;
  errno = !strcmp(kind, "enospc") ? ENOSPC : EIO;
  return FAIL;
}

__attribute__((destructor)) static void tell(void) {
  const char *path = getenv("FAULT_COUNT");
  FILE *file = path ? fopen(path, "w") : NULL;
  if (!file) return;
  fprintf(file, "%d", requests);
  fclose(file);
}

static void die(void) {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

#define OPEN(name)                                                   \
  int name(const char *path, int flags, ...) {                      \
    REAL(name);                                                      \
    va_list list;                                                    \
    va_start(list, flags);                                           \
    int mode = flags & O_CREAT ? va_arg(list, int) : 0;              \
    va_end(list);                                                    \
    if (flags & O_CREAT && is_ours(path)) {                          \
      int fate = turn(1, 0);                                         \
      if (fate == KILL) die();                                       \
      if (fate == FAIL) return -1;                                   \
    }                                                                \
    return real(path, flags, mode);                                  \
  }
OPEN(open)
OPEN(open64)

ssize_t write(int descriptor, const void *bytes, size_t count) {
  REAL(write);
  if (!is_our_descriptor(descriptor)) return real(descriptor, bytes, count);
  switch (turn(1, 1)) {
    case FAIL: return -1;
    case CUT: return real(descriptor, bytes, (count + 1) / 2);
    case KILL: real(descriptor, bytes, count / 2); die();
  }
  return real(descriptor, bytes, count);
}

#define PWRITE(name, offset_type)                                               \
  ssize_t name(int descriptor, const void *bytes, size_t count, offset_type at) { \
    REAL(name);                                                                  \
    if (!is_our_descriptor(descriptor)) return real(descriptor, bytes, count, at); \
    switch (turn(1, 0)) {                                                        \
      case FAIL: return -1;                                                      \
      case KILL: real(descriptor, bytes, count / 2, at); die();                  \
    }                                                                            \
    return real(descriptor, bytes, count, at);                                   \
  }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

int flock(int descriptor, int operation) {
  REAL(flock);
  const char *kind = getenv("FAULT_KIND");
  if (kind && !strcmp(kind, "eintr") && is_our_descriptor(descriptor) && turn(1, 0) == FAIL) return -1;
  return real(descriptor, operation);
}

#define ON_DESCRIPTOR(name, parameters, arguments) \
  int name parameters {                            \
    REAL(name);                                    \
    if (is_our_descriptor(descriptor)) {           \
      int fate = turn(0, 0);                       \
      if (fate == KILL) die();                     \
      if (fate == FAIL) return -1;                 \
    }                                              \
    return real arguments;                         \
  }
ON_DESCRIPTOR(fdatasync, (int descriptor), (descriptor))
ON_DESCRIPTOR(fsync, (int descriptor), (descriptor))
ON_DESCRIPTOR(ftruncate, (int descriptor, off_t length), (descriptor, length))
ON_DESCRIPTOR(ftruncate64, (int descriptor, off64_t length), (descriptor, length))

#define ON_PATH(name, parameters, arguments) \
  int name parameters {                      \
    REAL(name);                              \
    if (is_ours(path)) {                     \
      int fate = turn(0, 0);                 \
      if (fate == KILL) die();               \
      if (fate == FAIL) return -1;           \
    }                                        \
    return real arguments;                   \
  }
ON_PATH(unlink, (const char *path), (path))
ON_PATH(rename, (const char *path, const char *target), (path, target))
