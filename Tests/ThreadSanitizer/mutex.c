// Tells ThreadSanitizer of the locks of Swift's `Mutex`, for `make sanitize-thread`.
//
// On Linux `Synchronization.Mutex` is a futex. Its uncontended path is compiled into the program and is seen; the
// contended one lies in libswiftSynchronization, which is not instrumented: so every lock that was waited for looks like
// none, and what it guards like a race (Swift 6.3). Preloaded, these take the place of its three functions, call them,
// and say what they did.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>

// Only the instrumented program has them, not what starts it.
__attribute__((weak)) void __tsan_acquire(void *address);
__attribute__((weak)) void __tsan_release(void *address);

#define SELF __attribute__((swift_context)) void *self
#define HANDLE "$s15Synchronization12_MutexHandleV"

__attribute__((swiftcall)) void lockSlow(uint32_t thread, SELF) __asm__(HANDLE "9_lockSlowyys6UInt32VF");
__attribute__((swiftcall)) bool tryLockSlow(SELF) __asm__(HANDLE "12_tryLockSlowSbyF");
__attribute__((swiftcall)) void unlockSlow(SELF) __asm__(HANDLE "11_unlockSlowyyF");

__attribute__((swiftcall)) void lockSlow(uint32_t thread, SELF) {
  __attribute__((swiftcall)) void (*original)(uint32_t, SELF) = dlsym(RTLD_NEXT, HANDLE "9_lockSlowyys6UInt32VF");
  original(thread, self);
  if (__tsan_acquire) __tsan_acquire(self);
}

__attribute__((swiftcall)) bool tryLockSlow(SELF) {
  __attribute__((swiftcall)) bool (*original)(SELF) = dlsym(RTLD_NEXT, HANDLE "12_tryLockSlowSbyF");
  bool isLocked = original(self);
  if (isLocked && __tsan_acquire) __tsan_acquire(self);
  return isLocked;
}

__attribute__((swiftcall)) void unlockSlow(SELF) {
  __attribute__((swiftcall)) void (*original)(SELF) = dlsym(RTLD_NEXT, HANDLE "11_unlockSlowyyF");
  if (__tsan_release) __tsan_release(self);
  original(self);
}
