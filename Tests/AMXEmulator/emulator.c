// The handler of SIGILL: decodes the instruction at which the thread stopped, does its work and goes on behind it.
// Source: Intel SDM volume 2, 2.1 and 2.3 (ModR/M, SIB, VEX), and the pages of the instructions.
#define _GNU_SOURCE
#include "AMXEmulator.h"

#if defined(__x86_64__)
#include "tiles.h"

#include <cpuid.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <ucontext.h>

// A tile is a thread's own.
static _Thread_local amx_state state;
static _Thread_local amx_counts counts;
static _Thread_local amx_fault fault;

// An instruction with a prefix of three bytes, as all of AMX's have.
typedef struct {
  int opcode, prefix;  // 0, 1: 66, 2: F3, 3: F2
  int reg, rm, third;  // ModR/M's fields and VEX.vvvv
  int is_memory, has_index;
  int64_t address, stride;
  int length;
} instruction;

static int64_t value_of(const ucontext_t *context, int number) {
  static const int places[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                 REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
  return context->uc_mcontext.gregs[places[number]];
}

static int64_t displacement(const uint8_t *from, int bytes) {
  if (bytes == 1) return (int8_t)from[0];
  int32_t value;
  memcpy(&value, from, 4);
  return value;
}

// Bytes from ModR/M on.
static int decode_operand(const uint8_t *code, int extends_index, int extends_base, const ucontext_t *context,
                          instruction *found) {
  int mod = code[0] >> 6, low = code[0] & 7, bytes = 1;
  found->reg = code[0] >> 3 & 7;
  found->rm = low;
  found->is_memory = mod != 3;
  if (!found->is_memory) return bytes;
  int has_base = 1, base = low | extends_base << 3;
  if (low == 4) {
    int sib = code[bytes++], index = (sib >> 3 & 7) | extends_index << 3;
    base = (sib & 7) | extends_base << 3;
    has_base = !((sib & 7) == 5 && mod == 0);
    found->has_index = index != 4;
    if (found->has_index) found->stride = value_of(context, index) * (1 << (sib >> 6));
  }
  int is_relative = low == 5 && mod == 0;
  int wide = mod == 2 || is_relative || !has_base ? 4 : mod == 1 ? 1 : 0;
  found->address = wide ? displacement(code + bytes, wide) : 0;
  bytes += wide;
  if (is_relative) found->address += context->uc_mcontext.gregs[REG_RIP] + 4 + bytes;
  else if (has_base) found->address += value_of(context, base);
  return bytes;
}

static int decode(const ucontext_t *context, instruction *found) {
  const uint8_t *code = (const uint8_t *)context->uc_mcontext.gregs[REG_RIP];
  // C4; R X B inverted and map 2 (0F38); W 0, vvvv inverted, L 0.
  if (code[0] != 0xC4 || (code[1] & 0x1F) != 2 || (code[2] & 0x84) != 0 || !(code[1] & 0x80)) return 0;
  *found = (instruction){.opcode = code[3], .prefix = code[2] & 3, .third = ~(code[2] >> 3) & 15};
  found->length = 4 + decode_operand(code + 4, !(code[1] & 0x40), !(code[1] & 0x20), context, found);
  return 1;
}

static int run_configuration(const instruction *found) {
  uint8_t *memory = (uint8_t *)found->address;
  if (found->prefix == 3) {
    counts.zero++;
    return !found->is_memory && amx_zero(&state, found->reg);
  }
  if (found->prefix == 1 && found->is_memory) {
    counts.store_configuration++;
    amx_store_configuration(&state, memory);
    return 1;
  }
  if (found->prefix != 0) return 0;
  if (found->is_memory) {
    counts.load_configuration++;
    return amx_load_configuration(&state, memory);
  }
  counts.release++;
  amx_release(&state);
  return 1;
}

static int run(const instruction *found) {
  uint8_t *memory = (uint8_t *)found->address;
  switch (found->opcode) {
    case 0x49: return run_configuration(found);
    case 0x4B:
      // TILELOADD, its form for data that are not used again, and TILESTORED: always with a SIB.
      if (!found->is_memory || found->rm != 4) return 0;
      if (found->prefix == 2) {
        counts.store++;
        return amx_store(&state, found->reg, memory, found->stride);
      }
      if (found->prefix == 0) return 0;
      counts.load++;
      return amx_load(&state, found->reg, memory, found->stride);
    case 0x5C:
      if (found->prefix != 2 || found->is_memory || found->third >= tile_count) return 0;
      counts.dot++;
      return amx_dot(&state, found->reg, found->rm, found->third, fault);
    default: return 0;
  }
}

static void handle(int number, siginfo_t *information, void *opaque) {
  (void)information;
  ucontext_t *context = opaque;
  instruction found;
  if (decode(context, &found) && run(&found)) {
    context->uc_mcontext.gregs[REG_RIP] += found.length;
    return;
  }
  // Not ours: the instruction runs again, and the process ends as it would have.
  signal(number, SIG_DFL);
}

int amx_is_missing(void) {
  unsigned a, b, c, d;
  return !__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d & bit_AMXTILE);
}

int amx_emulate(void) {
  struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO};
  sigemptyset(&action.sa_mask);
  return sigaction(SIGILL, &action, NULL) == 0 ? 0 : errno;
}

amx_counts amx_counts_of_thread(void) { return counts; }

void amx_set_fault(amx_fault next) { fault = next; }
#else
#include <errno.h>

int amx_is_missing(void) { return 0; }
int amx_emulate(void) { return ENOSYS; }
amx_counts amx_counts_of_thread(void) { return (amx_counts){0}; }
void amx_set_fault(amx_fault next) { (void)next; }
#endif
