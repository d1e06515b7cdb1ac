// Anonymous memory: huge pages, guard pages, locking.

#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

// The smallest huge page of x86-64 and of arm64 with 4 KiB pages.
static const size_t huge_page_bytes = (size_t)2 << 20;

size_t clinux_page_bytes(void) {
  return (size_t)sysconf(_SC_PAGESIZE);
}

static int map(size_t byte_count, int protection, char **address) {
  void *mapped = mmap(NULL, byte_count, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return errno;
  *address = mapped;
  return 0;
}

int clinux_map_memory(size_t byte_count, void **address) {
  char *start = NULL;
  if (byte_count < huge_page_bytes) {
    int error = map(byte_count, PROT_READ | PROT_WRITE, &start);
    *address = start;
    return error;
  }
  // mmap promises a page's alignment only: map one huge page more and give back both ends.
  if (byte_count > SIZE_MAX - huge_page_bytes) return ENOMEM;
  int error = map(byte_count + huge_page_bytes, PROT_READ | PROT_WRITE, &start);
  if (error != 0) return error;
  size_t before = (huge_page_bytes - (uintptr_t)start % huge_page_bytes) % huge_page_bytes;
  size_t after = huge_page_bytes - before;
  if (before > 0) munmap(start, before);
  if (after > 0) munmap(start + before + byte_count, after);
  // Advice: a kernel without transparent huge pages refuses it and small pages serve.
  madvise(start + before, byte_count, MADV_HUGEPAGE);
  *address = start + before;
  return 0;
}

int clinux_map_guarded(size_t byte_count, void **address) {
  size_t page = clinux_page_bytes();
  char *start = NULL;
  if (byte_count > SIZE_MAX - 2 * page) return ENOMEM;
  int error = map(byte_count + 2 * page, PROT_NONE, &start);
  if (error != 0) return error;
  if (mprotect(start + page, byte_count, PROT_READ | PROT_WRITE) != 0) {
    error = errno;
    munmap(start, byte_count + 2 * page);
    return error;
  }
  *address = start + page;
  return 0;
}

int clinux_unmap(void *address, size_t byte_count) {
  return munmap(address, byte_count) == 0 ? 0 : errno;
}

int clinux_lock(void *address, size_t byte_count) {
  return mlock(address, byte_count) == 0 ? 0 : errno;
}

uint64_t clinux_lock_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return UINT64_MAX;
  return (uint64_t)limit.rlim_cur;
}
