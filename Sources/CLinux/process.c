// The process: its CPUs, its page faults, its peak memory, its terminal.

#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clinux_affinity(int *cpus, int capacity, int *count) {
  // The kernel refuses a mask smaller than its own with EINVAL, so the mask grows until it fits.
  for (int bits = 1024; bits <= 1 << 20; bits *= 2) {
    cpu_set_t *set = CPU_ALLOC(bits);
    if (set == NULL) return ENOMEM;
    size_t set_bytes = CPU_ALLOC_SIZE(bits);
    CPU_ZERO_S(set_bytes, set);
    int error = sched_getaffinity(0, set_bytes, set) == 0 ? 0 : errno;
    if (error == 0) {
      *count = 0;
      for (int cpu = 0; cpu < bits; cpu++) {
        if (!CPU_ISSET_S(cpu, set_bytes, set)) continue;
        if (*count < capacity) cpus[*count] = cpu;
        *count += 1;
      }
    }
    CPU_FREE(set);
    if (error != EINVAL) return error;
  }
  return EINVAL;
}

int clinux_read_mask(clinux_cpu_mask *mask) {
  *mask = (clinux_cpu_mask){{0}};
  return sched_getaffinity(0, sizeof *mask, (cpu_set_t *)mask) == 0 ? 0 : errno;
}

int clinux_write_mask(const clinux_cpu_mask *mask) {
  return sched_setaffinity(0, sizeof *mask, (const cpu_set_t *)mask) == 0 ? 0 : errno;
}

int clinux_mask_has(const clinux_cpu_mask *mask, int cpu) {
  if (cpu < 0 || (size_t)cpu >= 8 * sizeof *mask) return 0;
  return mask->words[cpu / 64] >> (cpu % 64) & 1;
}

int clinux_pin(int cpu) {
  clinux_cpu_mask mask = {{0}};
  if (cpu < 0 || (size_t)cpu >= 8 * sizeof mask) return EINVAL;
  mask.words[cpu / 64] |= (uint64_t)1 << (cpu % 64);
  return clinux_write_mask(&mask);
}

int clinux_current_cpu(void) {
  return sched_getcpu();
}

int64_t clinux_nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int clinux_usage(struct clinux_usage *usage) {
  struct rusage now;
  if (getrusage(RUSAGE_SELF, &now) != 0) return errno;
  usage->minor_faults = now.ru_minflt;
  usage->major_faults = now.ru_majflt;
  usage->peak_resident_bytes = (int64_t)now.ru_maxrss * 1024;  // Linux counts KiB
  return 0;
}

uintptr_t clinux_thread(void) {
  return (uintptr_t)pthread_self();
}

void clinux_yield(void) {
  sched_yield();
}

void clinux_nap(void) {
  nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
}

int clinux_process_id(void) {
  return (int)getpid();
}

// Source: the Linux kernel's Documentation/arch/x86/xstate.rst. The C library has no name for either number.
int clinux_request_tiles(void) {
#if defined(__x86_64__)
  enum { request_permission = 0x1023, tile_data = 18 };
  return syscall(SYS_arch_prctl, request_permission, tile_data) == 0 ? 0 : errno;
#else
  return ENOSYS;
#endif
}

int clinux_is_terminal(int descriptor) {
  return isatty(descriptor);
}

int clinux_terminal_columns(int descriptor) {
  struct winsize size;
  return ioctl(descriptor, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

const int CLINUX_ENOENT = ENOENT;
const int CLINUX_EACCES = EACCES;
const int CLINUX_EPERM = EPERM;
const int CLINUX_EISDIR = EISDIR;
const int CLINUX_EEXIST = EEXIST;
const int CLINUX_EWOULDBLOCK = EWOULDBLOCK;

void clinux_error_text(int error, char *text, size_t capacity) {
  char scratch[128];
  snprintf(text, capacity, "%s", strerror_r(error, scratch, sizeof scratch));
}
