// One tile of C, MR × NR, in registers: C (+)= A·B over one block of k. The register budget is in the vector header.
//
// Assumptions: the NR columns of B are contiguous and whole, its rows ldb apart; A is a panel as gemm_pack.h lays it out;
// C is not A or B. Every element is one chain of fused multiply-adds over ascending k that starts at zero,
// so the bits depend on neither the shape of the tile nor the number of rows in it.

// Three rows share a pointer: x86 addresses p, p+s and p+2s without further registers, so 12 rows need 4 pointers.
#define ROWS_PER_POINTER 3
#define POINTERS ((MR + ROWS_PER_POINTER - 1) / ROWS_PER_POINTER)

INLINE void tile_multiply(int rows, int across, long k, const float *a, long a_step, const float *b, long ldb,
                          vf acc[MR][NV]) {
  const float *p[POINTERS];
  UNROLL for (int i = 0; i < POINTERS; i++) p[i] = a + i * ROWS_PER_POINTER * a_step;
  UNROLL for (int i = 0; i < rows; i++)
    UNROLL for (int j = 0; j < NV; j++) acc[i][j] = v_zero();
  for (long t = 0; t < k; t++, b += ldb) {
    vf column[NV];
    UNROLL for (int j = 0; j < NV; j++) column[j] = v_load(b + j * LANES);
    UNROLL for (int i = 0; i < rows; i++) {
      vf element = across ? v_set1(a[t * a_step + i])
                          : v_set1(p[i / ROWS_PER_POINTER][t + (i % ROWS_PER_POINTER) * a_step]);
      UNROLL for (int j = 0; j < NV; j++) acc[i][j] = v_fma(element, column[j], acc[i][j]);
    }
  }
}

INLINE void tile_store(int rows, vf acc[MR][NV], const float *bias, int accumulate, long columns, float *c, long ldc) {
  UNROLL for (int j = 0; j < NV; j++) {
    long lanes = columns - j * LANES;
    if (lanes <= 0) return;
    vm m = v_tail(lanes < LANES ? lanes : LANES);
    vf shift = bias ? v_load_tail(bias + j * LANES, m) : v_zero();
    UNROLL for (int i = 0; i < rows; i++) {
      float *to = c + i * ldc + j * LANES;
      vf value = bias ? v_add(acc[i][j], shift) : acc[i][j];
      if (lanes >= LANES) v_store(to, accumulate ? v_add(v_load(to), value) : value);
      else v_store_tail(to, m, accumulate ? v_add(v_load_tail(to, m), value) : value);
    }
  }
}

INLINE void tile_of(int rows, int across, long k, const float *a, long a_step, const float *b, long ldb,
                    const float *bias, int accumulate, long columns, float *c, long ldc) {
  vf acc[MR][NV];
  // The tile of C arrives from memory while it is computed: a gradient of the weights is written once and far away.
  UNROLL for (int i = 0; i < rows; i++)
    UNROLL for (int j = 0; j < NV; j++) __builtin_prefetch(c + i * ldc + j * LANES, 1, 3);
  tile_multiply(rows, across, k, a, a_step, b, ldb, acc);
  tile_store(rows, acc, bias, accumulate, columns, c, ldc);
}

// The number of rows must be a constant for the accumulators to stay in registers: one instance a count.
#define TILE_CASE(r) \
  case r: tile_of(r <= MR ? r : MR, across, k, a, a_step, b, ldb, bias, accumulate, columns, c, ldc); break;

INLINE void tile_any(int rows, int across, long k, const float *a, long a_step, const float *b, long ldb,
                     const float *bias, int accumulate, long columns, float *c, long ldc) {
  switch (rows) {
    TILE_CASE(1) TILE_CASE(2) TILE_CASE(3) TILE_CASE(4)
#if MR > 4
    TILE_CASE(5) TILE_CASE(6)
#endif
#if MR > 6
    TILE_CASE(7) TILE_CASE(8) TILE_CASE(9) TILE_CASE(10) TILE_CASE(11) TILE_CASE(12)
#endif
  }
}

static __attribute__((noinline)) void tile(int rows, a_panel a, long k, const float *b, long ldb, const float *bias,
                                           int accumulate, long columns, float *c, long ldc) {
  if (a.across) tile_any(rows, 1, k, a.first, a.step, b, ldb, bias, accumulate, columns, c, ldc);
  else tile_any(rows, 0, k, a.first, a.step, b, ldb, bias, accumulate, columns, c, ldc);
}
