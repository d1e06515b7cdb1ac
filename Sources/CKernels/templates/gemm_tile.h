// Tiles of C, at most MR × NR, in registers: C (+)= A·B over one block of k. The register budget is in the vector
// header.
//
// Assumptions: the panels of A and B are as gemm_pack.h lays them out; C is not A or B. Every element is one chain of
// fused multiply-adds over ascending k that starts at zero, so the bits depend on neither the shape of the tile nor the
// number of rows in it.

// Three rows share a pointer: x86 addresses p, p+s and p+2s without further registers.
#define ROWS_PER_POINTER 3
#define POINTERS ((MR + ROWS_PER_POINTER - 1) / ROWS_PER_POINTER)

// A panel of A times every panel of B.
typedef struct {
  a_panel a;
  const float *b;     // the first panel
  long k;
  float *c;
  long ldc, columns;
  const float *bias;  // of the first column; may be NULL
  int accumulate;
  gemm_prefetch *next_a, *next_b;
} tile_row;

INLINE void tile_multiply(int rows, int vectors, int across, const tile_row *r, const float *b, const float *c,
                          vf acc[MR][NV]) {
  const float *a = r->a.first, *p[POINTERS];
  long step = r->a.step, k = r->k;
  UNROLL for (int i = 0; i < POINTERS; i++) p[i] = a + i * ROWS_PER_POINTER * step;
  UNROLL for (int i = 0; i < rows; i++)
    UNROLL for (int j = 0; j < vectors; j++) acc[i][j] = v_zero();
  for (long t = 0; t < k; c += r->ldc) {
    prefetch_lines(r->next_a);
    prefetch_lines(r->next_b);
    // The tile of C arrives while it is computed: a gradient of the weights is written once and far away.
    if (t < rows * TILE_STEPS)
      UNROLL for (int j = 0; j < vectors; j++) __builtin_prefetch(c + j * LANES, 1, 3);
    for (long end = k - t < TILE_STEPS ? k : t + TILE_STEPS; t < end; t++, b += NR) {
      vf column[NV];
      UNROLL for (int j = 0; j < vectors; j++) column[j] = v_load(b + j * LANES);
      UNROLL for (int i = 0; i < rows; i++) {
        vf element = across ? v_set1(a[t * step + i])
                            : v_set1(p[i / ROWS_PER_POINTER][t + (i % ROWS_PER_POINTER) * step]);
        UNROLL for (int j = 0; j < vectors; j++) acc[i][j] = v_fma(element, column[j], acc[i][j]);
      }
    }
  }
}

INLINE void tile_store(int rows, int vectors, vf acc[MR][NV], const float *bias, int accumulate, long columns, float *c,
                       long ldc) {
  UNROLL for (int j = 0; j < vectors; j++) {
    long left = columns - j * LANES;
    vf shift = bias ? v_load_some(bias + j * LANES, left) : v_zero();
    UNROLL for (int i = 0; i < rows; i++) {
      float *to = c + i * ldc + j * LANES;
      vf value = bias ? v_add(acc[i][j], shift) : acc[i][j];
      v_store_some(to, left, accumulate ? v_add(v_load_some(to, left), value) : value);
    }
  }
}

INLINE void tile(int rows, int vectors, int across, const tile_row *r, long panel, long columns) {
  float *c = r->c + panel * NR;
  vf acc[MR][NV];
  tile_multiply(rows, vectors, across, r, r->b + panel * PACKED_B_STRIDE(r->k), c, acc);
  tile_store(rows, vectors, acc, r->bias ? r->bias + panel * NR : 0, r->accumulate, columns, c, r->ldc);
}

INLINE void tiles_of(int rows, int across, const tile_row *r) {
  long whole = r->columns / NR, left = r->columns % NR;
  for (long panel = 0; panel < whole; panel++) tile(rows, NV, across, r, panel, NR);
#if NV > 2
  if (left > 2 * LANES) return tile(rows, 3, across, r, whole, left);
#endif
#if NV > 1
  if (left > LANES) return tile(rows, 2, across, r, whole, left);
#endif
  if (left > 0) tile(rows, 1, across, r, whole, left);
}

// The numbers of rows and vectors must be constants for the accumulators to stay in registers: one instance a count.
#define TILES_CASE(rows) \
  case rows: if (r->a.across) tiles_of(rows, 1, r); else tiles_of(rows, 0, r); break;

// One call for all tiles of the panel: a call for each took 60 cycles more, measured with operands in cache.
static __attribute__((noinline)) void tiles(int rows, const tile_row *r) {
  switch (rows) {
    TILES_CASE(1) TILES_CASE(2) TILES_CASE(3) TILES_CASE(4)
#if MR > 4
    TILES_CASE(5) TILES_CASE(6)
#endif
#if MR > 6
    TILES_CASE(7) TILES_CASE(8)
#endif
  }
}
