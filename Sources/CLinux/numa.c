// Placement of memory on NUMA nodes.
//
// Of libnuma the system calls alone: what else it has, such as numa_get_mems_allowed and numa_tonode_memory, reports a
// call that a container refuses by printing it.

#if !__has_include(<numaif.h>)
#error "numaif.h is missing: install libnuma-dev (Debian) or numactl-devel (Fedora), or run scripts/setup."
#endif

#include "CLinux.h"

#include <errno.h>
#include <limits.h>
#include <numaif.h>

enum {
  max_nodes = 1024,  // the kernel's own limit, CONFIG_NODES_SHIFT = 10
  word_bits = CHAR_BIT * sizeof(unsigned long),
};

struct node_mask {
  unsigned long words[max_nodes / word_bits];
};

static int add_node(struct node_mask *mask, int node) {
  if (node < 0 || node >= max_nodes) return EINVAL;
  mask->words[node / word_bits] |= 1ul << (node % word_bits);
  return 0;
}

static int bind_range(void *address, size_t byte_count, int mode, const struct node_mask *mask) {
  // The kernel reads maxnode - 1 bits.
  return mbind(address, byte_count, mode, mask->words, max_nodes + 1, 0) == 0 ? 0 : errno;
}

int clinux_numa_nodes(int *nodes, int capacity) {
  struct node_mask allowed = {{0}};
  // The kernel writes maxnode - 1 bits.
  if (get_mempolicy(NULL, allowed.words, max_nodes + 1, NULL, MPOL_F_MEMS_ALLOWED) != 0) return 0;
  int count = 0;
  for (int node = 0; node < max_nodes; node++) {
    if ((allowed.words[node / word_bits] >> (node % word_bits) & 1) == 0) continue;
    if (count < capacity) nodes[count] = node;
    count++;
  }
  return count;
}

int clinux_numa_prefer(void *address, size_t byte_count, int node) {
  struct node_mask mask = {{0}};
  int error = add_node(&mask, node);
  return error != 0 ? error : bind_range(address, byte_count, MPOL_PREFERRED, &mask);
}

int clinux_numa_interleave(void *address, size_t byte_count, const int *nodes, int count) {
  struct node_mask mask = {{0}};
  for (int i = 0; i < count; i++) {
    int error = add_node(&mask, nodes[i]);
    if (error != 0) return error;
  }
  return bind_range(address, byte_count, MPOL_INTERLEAVE, &mask);
}

int clinux_numa_nodes_of_pages(void *address, size_t count, int *nodes) {
  enum { at_once = 512 };
  void *pages[at_once];
  size_t page_bytes = clinux_page_bytes();
  for (size_t first = 0; first < count; first += at_once) {
    size_t length = count - first < at_once ? count - first : at_once;
    for (size_t i = 0; i < length; i++) pages[i] = (char *)address + (first + i) * page_bytes;
    // Without nodes to move to it tells where the pages are.
    if (move_pages(0, length, pages, NULL, nodes + first, 0) != 0) return errno;
  }
  for (size_t i = 0; i < count; i++) {
    if (nodes[i] < 0) nodes[i] = -1;
  }
  return 0;
}
