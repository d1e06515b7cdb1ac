// Preloaded into the test runner: libdispatch, and nobody else, sees GPT2_TEST_CPUS processors.
//
// concurrentPerform brings as many threads as the machine has processors and the affinity mask allows when the process
// starts. On a machine of two, tests of eight threads would run two; under this library they run eight, which take
// turns. Who asks is told by the address that the call returns to, so that the tests of Topology see what is there.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int promised(void) {
  const char *text = getenv("GPT2_TEST_CPUS");
  return text != NULL ? atoi(text) : 0;
}

// How many processors the caller is to see at least: none, unless it is libdispatch.
static int promised_to(const void *caller) {
  Dl_info info;
  int is_dispatch =
      dladdr(caller, &info) != 0 && info.dli_fname != NULL && strstr(info.dli_fname, "libdispatch") != NULL;
  return is_dispatch ? promised() : 0;
}

static void widen(size_t byte_count, cpu_set_t *set, int count) {
  for (size_t cpu = 0; cpu < byte_count * 8 && CPU_COUNT_S(byte_count, set) < count; cpu++)
    CPU_SET_S(cpu, byte_count, set);
}

// Nobody but libdispatch asks this one. Under a sanitizer it asks by way of the sanitizer, whose address tells nothing.
int pthread_getaffinity_np(pthread_t thread, size_t byte_count, cpu_set_t *set) {
  int (*next)(pthread_t, size_t, cpu_set_t *) =
      (int (*)(pthread_t, size_t, cpu_set_t *))dlsym(RTLD_NEXT, "pthread_getaffinity_np");
  int error = next(thread, byte_count, set);
  if (error == 0) widen(byte_count, set, promised());
  return error;
}

// Which of the two libdispatch asks differs from release to release.
int sched_getaffinity(pid_t process, size_t byte_count, cpu_set_t *set) {
  int (*next)(pid_t, size_t, cpu_set_t *) = (int (*)(pid_t, size_t, cpu_set_t *))dlsym(RTLD_NEXT, "sched_getaffinity");
  int result = next(process, byte_count, set);
  if (result == 0) widen(byte_count, set, promised_to(__builtin_return_address(0)));
  return result;
}

long sysconf(int name) {
  long (*next)(int) = (long (*)(int))dlsym(RTLD_NEXT, "sysconf");
  long value = next(name);
  if (name != _SC_NPROCESSORS_CONF && name != _SC_NPROCESSORS_ONLN) return value;
  int count = promised_to(__builtin_return_address(0));
  return value < count ? count : value;
}
