// Tiles of C, at most MR × NR, in registers: C (+)= A·B over one block of k. The register budget is in the vector
// header.
//
// Assumptions: the panels of A and B are as gemm_pack.h lays them out; C is not A or B. Every element is one chain of
// fused multiply-adds over ascending k that starts at zero, so the bits depend on neither the shape of the tile nor the
// number of rows in it.

#define POINTERS ((MR + ROWS_PER_POINTER - 1) / ROWS_PER_POINTER)

// A group of panels of A times every panel of B.
typedef struct {
  a_group a;
  long a_panels;
  b_panels b;
  long k;
  float *c;
  long ldc, columns;
  const float *bias;  // of the first column; may be NULL
  int accumulate;
  gemm_prefetch *next_a, *next_b;
} group_product;

// A tile of C arrives while it is computed, a row in each dose: a gradient of the weights is written once and far away.
// `expected` is the row that is fetched next; nothing here reads or writes C.
INLINE void tile_multiply(int rows, int vectors, const group_product *g, int across, const float *a, const float *b,
                          const float *expected, vf acc[MR][NV]) {
  const float *p[POINTERS];
  long step = g->a.step, b_step = g->b.step, k = g->k;
  UNROLL for (int i = 0; i < POINTERS; i++) p[i] = a + i * ROWS_PER_POINTER * step;
  UNROLL for (int i = 0; i < rows; i++)
    UNROLL for (int j = 0; j < vectors; j++) acc[i][j] = v_zero();
  for (long t = 0; t < k;) {
    prefetch_lines(g->next_a);
    prefetch_lines(g->next_b);
    if (t < rows * TILE_STEPS) {
      UNROLL for (int j = 0; j < vectors; j++) __builtin_prefetch(expected + j * LANES, 1, 3);
      expected += g->ldc;
    }
    for (long end = k - t < TILE_STEPS ? k : t + TILE_STEPS; t < end; t++, b += b_step) {
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

// Some panels of A, one after the other, under one panel of B.
INLINE void tiles_of_panel(int rows, int vectors, const group_product *g, int across, long panel, long columns) {
  const float *a = g->a.first, *b = g->b.first + panel * g->b.next, *bias = g->bias ? g->bias + panel * NR : 0;
  float *c = g->c + panel * NR;
  for (long i = 0; i < g->a_panels; i++, a += g->a.next, c += MR * g->ldc) {
    vf acc[MR][NV];
    tile_multiply(rows, vectors, g, across, a, b, c, acc);
    tile_store(rows, vectors, acc, bias, g->accumulate, columns, c, g->ldc);
  }
}

INLINE void tiles_of(int rows, const group_product *g, int across) {
  long whole = g->columns / NR, left = g->columns % NR;
  for (long panel = 0; panel < whole; panel++) tiles_of_panel(rows, NV, g, across, panel, NR);
#if NV > 2
  if (left > 2 * LANES) return tiles_of_panel(rows, 3, g, across, whole, left);
#endif
#if NV > 1
  if (left > LANES) return tiles_of_panel(rows, 2, g, across, whole, left);
#endif
  if (left > 0) tiles_of_panel(rows, 1, g, across, whole, left);
}

// The numbers of rows and vectors must be constants for the accumulators to stay in registers: one instance a count.
#define TILES_CASE(rows) \
  case rows: if (g->a.across) tiles_of(rows, g, 1); else tiles_of(rows, g, 0); break;

// One call for all tiles of a group: a call for each took 60 cycles more, measured with operands in cache.
static __attribute__((noinline)) void tiles(int rows, const group_product *g) {
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

// All of its rows: whole panels, then the rest.
static void multiply_group(long rows, group_product g) {
  long at_once = g.a.across ? A_GROUP : A_IN_PLACE_PANELS;
  for (long done = 0; done < rows; done += g.a_panels * MR) {
    long left = rows - done, whole = left / MR;
    g.a_panels = whole == 0 ? 1 : whole < at_once ? whole : at_once;
    tiles(whole == 0 ? (int)left : MR, &g);
    g.a.first += g.a_panels * g.a.next;
    g.c += g.a_panels * MR * g.ldc;
  }
}
