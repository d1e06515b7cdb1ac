// The operating system, as Machine sees it: memory, NUMA placement, processors, files.
//
// Every function that can fail returns 0 or a positive errno and writes its result through a pointer, so that
// Swift never reads `errno` itself. Nothing here prints, exits, allocates behind the caller's back or depends on
// the processor's architecture.

#ifndef CLINUX_H
#define CLINUX_H

#include <stddef.h>
#include <stdint.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "The file formats are little-endian and are mapped as they are: a little-endian host is needed."
#endif

// Memory. Sizes are multiples of clinux_page_bytes().

size_t clinux_page_bytes(void);

/// Maps zeroed, private memory; from 2 MiB on it is aligned to 2 MiB and advised for huge pages.
int clinux_map_memory(size_t byte_count, void **address);

/// Maps zeroed memory between two inaccessible pages; `address` is the first accessible byte.
int clinux_map_guarded(size_t byte_count, void **address);

int clinux_unmap(void *address, size_t byte_count);

int clinux_lock(void *address, size_t byte_count);

/// The soft RLIMIT_MEMLOCK in bytes; UINT64_MAX when unlimited.
uint64_t clinux_lock_limit(void);

// NUMA.

/// The nodes whose memory this process may use, ascending; returns how many there are (at most `capacity` are
/// written), 0 where the kernel has no NUMA support or refuses its system calls.
int clinux_numa_nodes(int *nodes, int capacity);

/// Asks that pages not yet touched come from `node`, or from another one when it is full.
int clinux_numa_prefer(void *address, size_t byte_count, int node);

/// Asks that pages not yet touched come from the given nodes in turn.
int clinux_numa_interleave(void *address, size_t byte_count, const int *nodes, int count);

/// The nodes that hold `count` pages, the first of which begins at `address`; -1 for one that nobody has touched.
int clinux_numa_nodes_of_pages(void *address, size_t count, int *nodes);

// Process.

/// The CPUs of the calling thread's affinity mask, ascending; `count` receives how many there are, of which at
/// most `capacity` are written.
int clinux_affinity(int *cpus, int capacity, int *count);

/// An affinity mask as the kernel has it.
typedef struct {
  uint64_t words[256];
} clinux_cpu_mask;

/// That of the calling thread.
int clinux_read_mask(clinux_cpu_mask *mask);
int clinux_write_mask(const clinux_cpu_mask *mask);
int clinux_mask_has(const clinux_cpu_mask *mask, int cpu);

/// The calling thread runs on one CPU alone from now on.
int clinux_pin(int cpu);

/// The CPU that the calling thread is on; -1 where the system does not tell.
int clinux_current_cpu(void);

/// Nanoseconds of a clock that nobody sets.
int64_t clinux_nanoseconds(void);

struct clinux_usage {
  int64_t minor_faults;
  int64_t major_faults;
  int64_t peak_resident_bytes;
};

int clinux_usage(struct clinux_usage *usage);

int clinux_process_id(void);

/// Asks the kernel to save AMX's tiles for this process from now on, in all its threads and in those to come; a process
/// that it forks may use them, too, a program that it executes has to ask itself. Until then, and where this fails, their
/// instructions raise SIGILL. ENOSYS or EINVAL: a kernel before 5.16, or another architecture; EOPNOTSUPP: the processor
/// has no tiles; ENOSPC: a thread's alternate signal stack has no room for them.
int clinux_request_tiles(void);

/// What a program does before it opens anything: standard input, output and error are there from then on, where they
/// were closed as descriptors whose use fails; SIGHUP (unless it is ignored), SIGINT, SIGQUIT and SIGTERM end the process
/// with 128 and their number, its temporaries removed, also one that is its container's first; reading what is gone of a
/// mapped file writes the sentence that it was mapped with to standard error and ends it with 1; and a file that grows
/// beyond the process's limit is EFBIG.
int clinux_prepare_process(void);

/// From now on the first SIGHUP, SIGINT or SIGTERM is only noted; a second one, and SIGQUIT, end the process.
void clinux_note_stop_signals(void);

/// The signal that was noted; 0: none so far.
int clinux_stop_signal(void);

enum clinux_temporary {
  CLINUX_TREE,             // a file, or a directory with all that is in it
  CLINUX_EMPTY_DIRECTORY,  // only where nothing is left in it
};

/// Enters what goes when a signal ends the process; returns its entry, negative where there is no room.
int clinux_add_temporary(const char *path, enum clinux_temporary kind);

/// The entry, unless negative, has its own name by now, or is gone.
void clinux_forget_temporary(int entry);

/// Removes all that was entered; async-signal-safe.
void clinux_remove_temporaries(void);

// The errno values that callers tell apart.
extern const int CLINUX_ENOENT, CLINUX_EACCES, CLINUX_EPERM, CLINUX_EISDIR, CLINUX_EEXIST, CLINUX_EWOULDBLOCK;

/// The system's words for an errno, terminated.
void clinux_error_text(int error, char *text, size_t capacity);

// Files.

enum clinux_open_mode {
  CLINUX_READ,           // an existing file
  CLINUX_CREATE,         // a new file; EEXIST when there is one
  CLINUX_APPEND,         // at the end of an existing or new file
  CLINUX_CREATE_APPEND,  // at the end of a new file; EEXIST when there is one
  CLINUX_UPDATE,         // an existing or new file, to read and to write
};

enum clinux_file_kind { CLINUX_REGULAR, CLINUX_DIRECTORY, CLINUX_OTHER };

int clinux_open(const char *path, enum clinux_open_mode mode, int *descriptor);

int clinux_close(int descriptor);

struct clinux_status {
  enum clinux_file_kind kind;
  int is_link;  // of a path: whether it is a symbolic link itself
  int64_t byte_count;
  uint64_t device, inode;  // together they tell files apart
};

/// When the file's bytes were last changed, in nanoseconds since 1970.
int clinux_modification_time(int descriptor, int64_t *nanoseconds);

int clinux_stat(int descriptor, struct clinux_status *status);

/// Of what `path` names, symbolic links followed; ENOENT when there is nothing.
int clinux_stat_path(const char *path, struct clinux_status *status);

/// Whether both paths lead to one file or directory that is there.
int clinux_is_same_file(const char *path, const char *other);

/// The path without symbolic links that `path`, which is there, leads to.
int clinux_resolve(const char *path, char *resolved, size_t capacity);

/// What the symbolic link at `path` says, terminated.
int clinux_read_link(const char *path, char *target, size_t capacity);

/// Gives an open file the permissions of the file at `path`.
int clinux_take_mode(int descriptor, const char *path);

/// Reads at most `capacity` bytes; `count` 0 is the end of the file.
int clinux_read(int descriptor, void *bytes, size_t capacity, size_t *count);

/// Writes all the bytes, or fails.
int clinux_write_all(int descriptor, const void *bytes, size_t byte_count);

/// Writes all the bytes at the end of a file that was opened to append, or takes back what it wrote and fails.
int clinux_append_line(int descriptor, const void *bytes, size_t byte_count);

/// Writes all the bytes over what lies at `offset`, or fails.
int clinux_write_all_at(int descriptor, const void *bytes, size_t byte_count, int64_t offset);

int clinux_sync(int descriptor);

/// Syncs the directory itself, so that a rename in it survives a crash.
int clinux_sync_directory(const char *path);

/// Renames; with `replace` 0 an existing destination is kept and EEXIST returned.
int clinux_rename(const char *from, const char *to, int replace);

int clinux_remove(const char *path);

/// EEXIST when there is something of this name.
int clinux_make_directory(const char *path);

/// An empty one.
int clinux_remove_directory(const char *path);

/// For `clinux_next_name`; closed by `clinux_close_directory`.
int clinux_open_directory(const char *path, void **directory);

/// The name of the next entry but "." and "..", terminated; empty behind the last. 256 bytes hold every name.
int clinux_next_name(void *directory, char *name, size_t capacity);

void clinux_close_directory(void *directory);

/// Takes the lock of an open file, which goes with its last descriptor; EWOULDBLOCK when another process has it.
int clinux_try_lock_file(int descriptor);

/// Takes the lock of a file or directory that this process made a moment ago; EWOULDBLOCK when another one had it first,
/// which removes or has removed it. Where the file system has no locks it is as if it were taken.
int clinux_try_lock_new(int descriptor);

/// Takes all bytes out of the file.
int clinux_truncate(int descriptor);

struct clinux_mapping;

/// Maps a file read-only; it goes with `clinux_unmap_file`. `byte_count` > 0.
///
/// `sentence`, a line with its line feed, is what a process that was prepared says where the file has shrunk since.
int clinux_map_file(
    int descriptor, size_t byte_count, const char *sentence, const void **address, struct clinux_mapping **mapping);

void clinux_unmap_file(struct clinux_mapping *mapping);

/// Takes the whole pages of a mapped file out of the process; they come back when they are read.
void clinux_forget_pages(const void *address, size_t byte_count);

/// The columns of the terminal that the descriptor is; 0 where it is none, or does not tell.
int clinux_terminal_columns(int descriptor);

/// Whether the descriptor is a terminal.
int clinux_is_terminal(int descriptor);

/// Tells the core that the thread waits for memory to change: a sibling on the same core gets its turn.
static inline void clinux_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/// The calling thread: not 0, and no other's while it lives.
uintptr_t clinux_thread(void);

/// Lets another thread have the processor.
void clinux_yield(void);

/// Sleeps some 100 µs: 50 and what the kernel adds.
void clinux_nap(void);

#endif
