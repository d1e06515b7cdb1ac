// Temporary files and directories of this process: what goes when a signal ends it.
//
// A table of fixed size, so that a signal's handler can walk it; whatever finds no room in it stays until the next
// writer removes it. Only system calls below `clinux_remove_temporaries`: no allocation, no locks, no stdio.

#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { capacity = 256, deepest = 16 };
enum { FREE, CHANGING, ARMED, TAKEN };

static struct {
  atomic_int state;
  enum clinux_temporary kind;
  char *path;
} entries[capacity];

int clinux_add_temporary(const char *path, enum clinux_temporary kind) {
  char *copy = strdup(path);
  if (copy == NULL) return -1;
  for (int i = 0; i < capacity; i++) {
    int free_state = FREE;
    if (!atomic_compare_exchange_strong(&entries[i].state, &free_state, CHANGING)) continue;
    entries[i].kind = kind;
    entries[i].path = copy;
    atomic_store(&entries[i].state, ARMED);
    return i;
  }
  free(copy);
  return -1;
}

void clinux_forget_temporary(int entry) {
  if (entry < 0) return;
  int armed = ARMED;
  // A handler that took it ends the process.
  if (!atomic_compare_exchange_strong(&entries[entry].state, &armed, CHANGING)) return;
  free(entries[entry].path);
  atomic_store(&entries[entry].state, FREE);
}

// As the kernel's getdents64 lays it out.
struct entry {
  uint64_t inode;
  int64_t offset;
  unsigned short byte_count;
  unsigned char type;
  char name[];
};

static void remove_tree(int parent, const char *path, int depth) {
  if (unlinkat(parent, path, 0) == 0 || errno != EISDIR || depth == deepest) return;
  int directory = openat(parent, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (directory < 0) return;
  _Alignas(8) char bytes[2048];
  long count;
  while ((count = syscall(SYS_getdents64, directory, bytes, sizeof bytes)) > 0) {
    for (long place = 0; place < count;) {
      const struct entry *entry = (const struct entry *)(bytes + place);
      if (strcmp(entry->name, ".") != 0 && strcmp(entry->name, "..") != 0) remove_tree(directory, entry->name, depth + 1);
      place += entry->byte_count;
    }
  }
  close(directory);
  unlinkat(parent, path, AT_REMOVEDIR);
}

void clinux_remove_temporaries(void) {
  for (int i = 0; i < capacity; i++) {
    int armed = ARMED;
    if (!atomic_compare_exchange_strong(&entries[i].state, &armed, TAKEN)) continue;
    // Only of an entry that nobody else changes is it known what it is.
    if (entries[i].kind == CLINUX_TREE) remove_tree(AT_FDCWD, entries[i].path, 0);
    else atomic_store(&entries[i].state, ARMED);
  }
  // What is left are directories that were made for others: inner ones come first, whatever their place here.
  for (int removed = 1; removed;) {
    removed = 0;
    for (int i = 0; i < capacity; i++) {
      if (atomic_load(&entries[i].state) == ARMED && rmdir(entries[i].path) == 0) removed = 1;
    }
  }
}
