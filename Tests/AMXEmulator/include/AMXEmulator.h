// AMX's instructions on processors that lack the unit, for tests: each raises SIGILL there, and the handler does what
// Intel's manual says the instruction does. Linux on x86-64; slow.
#pragma once
#include <stdint.h>

// How often each instruction ran on the calling thread.
typedef struct {
  uint64_t load_configuration, store_configuration, release, zero, load, store, dot;
} amx_counts;

// Whether this processor has no AMX and the handler can therefore stand in for it.
int amx_is_missing(void);
// From now on, in every thread: 0, or what sigaction gives. Whatever else is illegal ends the process as before.
int amx_emulate(void);
amx_counts amx_counts_of_thread(void);

// How TDPBF16PS may be wrong.
typedef enum {
  amx_no_fault,
  amx_adds_one_by_one,    // the even products' sum is added to C, then the odd ones'
  amx_keeps_denormals,    // no number is taken for zero
  amx_truncates           // what is added to C loses the last bit of its sum
} amx_fault;

// Of the calling thread, from now on.
void amx_set_fault(amx_fault fault);

// Each runs real instructions and compares what they leave with plain loops written from the manual: 0, or the line of
// checks.c that found a difference. `seed` chooses sizes and numbers.
int amx_check_configuration(void);
int amx_check_loads(uint64_t seed);
int amx_check_dots(uint64_t seed);
int amx_check_rounding(void);
