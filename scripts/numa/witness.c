// Preloaded into the programs of an emulated machine: they run without the system calls that NUMA_REFUSE names, as in
// a container, and /bin/snapshot writes to NUMA_WITNESS where their threads may run, before main and when they exit.

#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
  const char *name;
  int number;
} calls[] = {
    {"mbind", SYS_mbind},
    {"get_mempolicy", SYS_get_mempolicy},
    {"set_mempolicy", SYS_set_mempolicy},
    {"move_pages", SYS_move_pages},
    {"sched_setaffinity", SYS_sched_setaffinity},
};

static void fail(const char *what) {
  fprintf(stderr, "witness: %s: %s\n", what, strerror(errno));
  exit(1);
}

// One filter a call: of several, the kernel takes the strictest answer.
static void refuse(int number) {
  struct sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog filter = {.len = sizeof program / sizeof program[0], .filter = program};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) fail("no_new_privs");
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) fail("seccomp");
}

static void snapshot(void) {
  const char *path = getenv("NUMA_WITNESS");
  if (path == NULL) return;
  char command[256];
  snprintf(command, sizeof command, "{ /bin/snapshot %d; echo; } >>%s", getpid(), path);
  if (system(command) != 0) fail(command);
}

__attribute__((constructor)) static void begin(void) {
  // The shell that system() starts is no witness.
  unsetenv("LD_PRELOAD");
  snapshot();
  char *names = getenv("NUMA_REFUSE");
  for (char *name = names ? strtok(names, ",") : NULL; name != NULL; name = strtok(NULL, ","))
    for (size_t call = 0; call < sizeof calls / sizeof calls[0]; call++)
      if (strcmp(name, calls[call].name) == 0) refuse(calls[call].number);
}

__attribute__((destructor)) static void end(void) { snapshot(); }
