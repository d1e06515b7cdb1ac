// What paths lead to, links followed.

#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int clinux_is_same_file(const char *path, const char *other) {
  struct stat first, second;
  if (stat(path, &first) != 0 || stat(other, &second) != 0) return 0;
  return first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

int clinux_resolve(const char *path, char *resolved, size_t capacity) {
  char *found = realpath(path, NULL);
  if (found == NULL) return errno;
  size_t length = strlen(found);
  int error = length < capacity ? 0 : ENAMETOOLONG;
  if (error == 0) memcpy(resolved, found, length + 1);
  free(found);
  return error;
}

int clinux_read_link(const char *path, char *target, size_t capacity) {
  ssize_t length = readlink(path, target, capacity - 1);
  if (length < 0) return errno;
  target[length] = 0;
  return 0;
}

int clinux_take_mode(int descriptor, const char *path) {
  struct stat status;
  if (stat(path, &status) != 0) return errno;
  return fchmod(descriptor, status.st_mode & 07777) == 0 ? 0 : errno;
}
