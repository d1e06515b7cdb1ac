// Products of bfloat16, as a table of their own: once beside every instruction set's kernels, and once for each unit
// that has an instruction for them.

#include "bf16_dot.h"
#include "bf16_pack.h"
#include "bf16_tile.h"
#include "bf16_finish.h"
#include "bf16_block.h"

// As many independent accumulators as a tile; returns the floating-point operations done.
static double bf16_peak(long iterations) {
  // Lanes that differ, as in `peak`; a quarter times a half of pairs is added to each.
  static const float start[LANES] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  vf acc[MR * NV];
  vi factor = vi_set1(0x3e803e80), other = vi_set1(0x3f003f00);
  UNROLL for (int i = 0; i < MR * NV; i++) acc[i] = v_add(v_load(start), v_set1((float)i));
  for (long t = 0; t < iterations; t++)
    UNROLL for (int i = 0; i < MR * NV; i++) acc[i] = v_dot(acc[i], factor, other);
  vf sum = v_zero();
  UNROLL for (int i = 0; i < MR * NV; i++) sum = v_add(sum, acc[i]);
  volatile float keep = v_sum(sum);
  (void)keep;
  return 4.0 * LANES * MR * NV * (double)iterations;
}

#define BF16_TABLE(table_name) \
  {.name = table_name, .mr = MR, .scratch = BF16_SCRATCH, .gemm = bf16_gemm, .round = bf16_round, \
   .lay_out = bf16_lay_out, .dot = bf16_dot, .peak = bf16_peak}
