// Files: opened, mapped, written durably.

#define _GNU_SOURCE
#include "CLinux.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int clinux_open(const char *path, enum clinux_open_mode mode, int *descriptor) {
  int flags = O_CLOEXEC;
  switch (mode) {
  // O_NONBLOCK: opening a pipe must not wait for a writer; it means nothing for a regular file.
  case CLINUX_READ: flags |= O_RDONLY | O_NONBLOCK; break;
  case CLINUX_CREATE: flags |= O_WRONLY | O_CREAT | O_EXCL; break;
  case CLINUX_APPEND: flags |= O_WRONLY | O_CREAT | O_APPEND; break;
  case CLINUX_CREATE_APPEND: flags |= O_WRONLY | O_CREAT | O_EXCL | O_APPEND; break;
  case CLINUX_UPDATE: flags |= O_RDWR | O_CREAT; break;
  }
  do {
    *descriptor = open(path, flags, 0666);
  } while (*descriptor < 0 && errno == EINTR);
  return *descriptor < 0 ? errno : 0;
}

int clinux_close(int descriptor) {
  // EINTR: Linux has closed it all the same.
  return close(descriptor) == 0 || errno == EINTR ? 0 : errno;
}

static enum clinux_file_kind kind_of(mode_t mode) {
  if (S_ISREG(mode)) return CLINUX_REGULAR;
  return S_ISDIR(mode) ? CLINUX_DIRECTORY : CLINUX_OTHER;
}

static struct clinux_status status_of(const struct stat *status) {
  return (struct clinux_status){
      .kind = kind_of(status->st_mode), .byte_count = status->st_size, .device = status->st_dev, .inode = status->st_ino};
}

int clinux_stat(int descriptor, struct clinux_status *status) {
  struct stat found;
  if (fstat(descriptor, &found) != 0) return errno;
  *status = status_of(&found);
  return 0;
}

int clinux_modification_time(int descriptor, int64_t *nanoseconds) {
  struct stat status;
  if (fstat(descriptor, &status) != 0) return errno;
  *nanoseconds = (int64_t)status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec;
  return 0;
}

int clinux_stat_path(const char *path, struct clinux_status *status) {
  struct stat link, found;
  if (lstat(path, &link) != 0 || stat(path, &found) != 0) return errno;
  *status = status_of(&found);
  status->is_link = S_ISLNK(link.st_mode);
  return 0;
}

int clinux_read(int descriptor, void *bytes, size_t capacity, size_t *count) {
  ssize_t got;
  do {
    got = read(descriptor, bytes, capacity);
  } while (got < 0 && errno == EINTR);
  *count = got < 0 ? 0 : (size_t)got;
  return got < 0 ? errno : 0;
}

int clinux_write_all(int descriptor, const void *bytes, size_t byte_count) {
  const char *next = bytes;
  while (byte_count > 0) {
    ssize_t written = write(descriptor, next, byte_count);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    next += written;
    byte_count -= (size_t)written;
  }
  return 0;
}

int clinux_append_line(int descriptor, const void *bytes, size_t byte_count) {
  const char *next = bytes;
  size_t left = byte_count;
  int error = 0;
  while (left > 0 && error == 0) {
    ssize_t written = write(descriptor, next, left);
    if (written < 0) {
      if (errno != EINTR) error = errno;
    } else {
      next += written;
      left -= (size_t)written;
    }
  }
  if (error == 0 || left == byte_count) return error;
  // Half a line would spoil the next one, too.
  struct stat status;
  off_t part = (off_t)(byte_count - left);
  if (fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) && status.st_size >= part) {
    (void)!ftruncate(descriptor, status.st_size - part);
  }
  return error;
}

int clinux_write_all_at(int descriptor, const void *bytes, size_t byte_count, int64_t offset) {
  const char *next = bytes;
  while (byte_count > 0) {
    ssize_t written = pwrite(descriptor, next, byte_count, offset);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    next += written;
    offset += written;
    byte_count -= (size_t)written;
  }
  return 0;
}

int clinux_sync(int descriptor) {
  return fsync(descriptor) == 0 ? 0 : errno;
}

int clinux_sync_directory(const char *path) {
  int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return errno;
  int error = fsync(descriptor) == 0 ? 0 : errno;
  close(descriptor);
  // Some network file systems cannot sync a directory and say so with EINVAL.
  return error == EINVAL ? 0 : error;
}

int clinux_rename(const char *from, const char *to, int replace) {
  if (replace) return rename(from, to) == 0 ? 0 : errno;
  if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  // A file system without RENAME_NOREPLACE: link refuses an existing name just as atomically.
  if (link(from, to) != 0) return errno;
  return unlink(from) == 0 ? 0 : errno;
}

int clinux_remove(const char *path) {
  return unlink(path) == 0 ? 0 : errno;
}

int clinux_make_directory(const char *path) {
  return mkdir(path, 0777) == 0 ? 0 : errno;
}

int clinux_remove_directory(const char *path) {
  return rmdir(path) == 0 ? 0 : errno;
}

int clinux_open_directory(const char *path, void **directory) {
  *directory = opendir(path);
  return *directory == NULL ? errno : 0;
}

int clinux_next_name(void *directory, char *name, size_t capacity) {
  struct dirent *entry;
  name[0] = 0;
  do {
    errno = 0;
    entry = readdir(directory);
    if (entry == NULL) return errno;
  } while (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0);
  snprintf(name, capacity, "%s", entry->d_name);
  return 0;
}

void clinux_close_directory(void *directory) {
  closedir(directory);
}

int clinux_try_lock_file(int descriptor) {
  return flock(descriptor, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
}

int clinux_try_lock_new(int descriptor) {
  // A file system without locks has no one who asks them.
  if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) return errno == EWOULDBLOCK ? errno : 0;
  struct stat status;
  if (fstat(descriptor, &status) != 0) return errno;
  return status.st_nlink > 0 ? 0 : EWOULDBLOCK;
}

int clinux_truncate(int descriptor) {
  return ftruncate(descriptor, 0) == 0 ? 0 : errno;
}

void clinux_forget_pages(const void *address, size_t byte_count) {
  uintptr_t page = (uintptr_t)clinux_page_bytes();
  uintptr_t start = ((uintptr_t)address + page - 1) / page * page, end = ((uintptr_t)address + byte_count) / page * page;
  // A refusal leaves them where they are.
  if (end > start) (void)madvise((void *)start, end - start, MADV_DONTNEED);
}
