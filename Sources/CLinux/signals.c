// The signals that end the process, and the one that tells that a page of a mapped file is gone.

#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static atomic_int stop_signal;
static atomic_int first_is_noted;
static atomic_flag ending = ATOMIC_FLAG_INIT;

static _Noreturn void end(int code) {
  // Another thread is at it, and ends this one, too.
  while (atomic_flag_test_and_set(&ending)) pause();
  clinux_remove_temporaries();
  _exit(code);
}

static void stop(int number) {
  int none = 0;
  int may_note = number != SIGQUIT && atomic_load(&first_is_noted);
  if (may_note && atomic_compare_exchange_strong(&stop_signal, &none, number)) return;
  end(128 + number);
}

void clinux_note_stop_signals(void) {
  atomic_store(&first_is_noted, 1);
}

int clinux_stop_signal(void) {
  return atomic_load(&stop_signal);
}

// Mapped files. Nodes are never freed, as a handler may be on its way through them; those of files that are no longer
// mapped serve again.

struct clinux_mapping {
  _Atomic uintptr_t start;  // 0: of no file
  size_t byte_count;
  char *sentence;
  struct clinux_mapping *next, *next_free;
};

static _Atomic(struct clinux_mapping *) mappings;
static struct clinux_mapping *free_mappings;
static pthread_mutex_t mappings_lock = PTHREAD_MUTEX_INITIALIZER;

static struct clinux_mapping *new_mapping(void) {
  struct clinux_mapping *mapping = free_mappings;
  if (mapping != NULL) {
    free_mappings = mapping->next_free;
    free(mapping->sentence);
    return mapping;
  }
  mapping = calloc(1, sizeof *mapping);
  if (mapping == NULL) return NULL;
  mapping->next = atomic_load(&mappings);
  atomic_store(&mappings, mapping);
  return mapping;
}

int clinux_map_file(
    int descriptor, size_t byte_count, const char *sentence, const void **address, struct clinux_mapping **mapping) {
  char *copy = strdup(sentence);
  if (copy == NULL) return ENOMEM;
  pthread_mutex_lock(&mappings_lock);
  *mapping = new_mapping();
  if (*mapping != NULL) (*mapping)->sentence = copy;
  pthread_mutex_unlock(&mappings_lock);
  if (*mapping == NULL) {
    free(copy);
    return ENOMEM;
  }
  void *mapped = mmap(NULL, byte_count, PROT_READ, MAP_PRIVATE, descriptor, 0);
  if (mapped == MAP_FAILED) {
    int error = errno;
    clinux_unmap_file(*mapping);
    return error;
  }
  (*mapping)->byte_count = byte_count;
  atomic_store(&(*mapping)->start, (uintptr_t)mapped);
  *address = mapped;
  return 0;
}

void clinux_unmap_file(struct clinux_mapping *mapping) {
  uintptr_t start = atomic_exchange(&mapping->start, 0);
  if (start != 0) munmap((void *)start, mapping->byte_count);
  pthread_mutex_lock(&mappings_lock);
  mapping->next_free = free_mappings;
  free_mappings = mapping;
  pthread_mutex_unlock(&mappings_lock);
}

static struct sigaction previous_bus_action;

static void lost_page(int number, siginfo_t *info, void *context) {
  (void)number, (void)context;
  uintptr_t address = (uintptr_t)info->si_addr;
  for (struct clinux_mapping *mapping = atomic_load(&mappings); mapping != NULL; mapping = mapping->next) {
    uintptr_t start = atomic_load(&mapping->start);
    if (start == 0 || address - start >= mapping->byte_count) continue;
    // Progress may stand on the line.
    if (isatty(STDERR_FILENO)) (void)!write(STDERR_FILENO, "\n", 1);
    (void)!write(STDERR_FILENO, mapping->sentence, strlen(mapping->sentence));
    end(EXIT_FAILURE);
  }
  // Of no file: the instruction comes again, and with it whoever took the signal before.
  sigaction(SIGBUS, &previous_bus_action, NULL);
}

// The process's first steps.

static void open_standard_descriptors(void) {
  for (int descriptor = 0; descriptor <= 2; descriptor++) {
    if (fcntl(descriptor, F_GETFD) >= 0 || errno != EBADF) continue;
    // The lowest that is free. The wrong way round, so that its use fails as that of a closed one does.
    (void)!open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
}

int clinux_prepare_process(void) {
  open_standard_descriptors();
  sigset_t signals;
  sigemptyset(&signals);
  struct sigaction action = {.sa_handler = stop, .sa_flags = SA_RESTART};
  sigfillset(&action.sa_mask);
  const int numbers[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
  for (int i = 0; i < 4; i++) {
    struct sigaction previous;
    if (sigaction(numbers[i], NULL, &previous) != 0) return errno;
    // nohup ignores it, and means it.
    if (numbers[i] == SIGHUP && previous.sa_handler == SIG_IGN) continue;
    if (sigaction(numbers[i], &action, NULL) != 0) return errno;
    sigaddset(&signals, numbers[i]);
  }
  struct sigaction bus = {.sa_sigaction = lost_page, .sa_flags = SA_SIGINFO};
  sigfillset(&bus.sa_mask);
  if (sigaction(SIGBUS, &bus, &previous_bus_action) != 0) return errno;
  // A file that grows beyond its limit is an error of write.
  if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR) return errno;
  // Whoever started the process may have had them blocked, as the threads of a pool do.
  return pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
}
