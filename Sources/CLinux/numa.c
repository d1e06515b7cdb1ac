// Placement of memory on NUMA nodes.
//
// libnuma says which nodes there are; pages are placed with its mbind, because numa_tonode_memory and its kin
// report a failure by printing it.

#if !__has_include(<numa.h>) || !__has_include(<numaif.h>)
#error "numa.h is missing: install libnuma-dev (Debian) or numactl-devel (Fedora), or run scripts/setup."
#endif

#include "CLinux.h"

#include <errno.h>
#include <limits.h>
#include <numa.h>
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
  if (numa_available() < 0) return 0;
  struct bitmask *allowed = numa_get_mems_allowed();
  if (allowed == NULL) return 0;
  int count = 0;
  for (unsigned int node = 0; node < allowed->size; node++) {
    if (!numa_bitmask_isbitset(allowed, node)) continue;
    if (count < capacity) nodes[count] = (int)node;
    count++;
  }
  numa_bitmask_free(allowed);
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

int clinux_numa_node_of_address(void *address, int *node) {
  if (numa_available() < 0) return ENOSYS;
  return get_mempolicy(node, NULL, 0, address, MPOL_F_NODE | MPOL_F_ADDR) == 0 ? 0 : errno;
}
