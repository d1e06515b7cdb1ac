// Tiles of C, at most MR × NR, in registers: C (+)= A·B over one block of k, in pairs of bfloat16. The register budget
// is that of gemm_tile.h.
//
// Assumptions: the panels of A and B are as bf16_pack.h says; C is not A or B. Every element is one chain of v_dot over
// ascending pairs that starts at zero, so the bits depend on neither the shape of the tile nor the number of rows in it.

#define BF16_POINTER_ROWS 3
#define BF16_POINTERS ((MR + BF16_POINTER_ROWS - 1) / BF16_POINTER_ROWS)

// One panel of A times every panel of B.
typedef struct {
  const uint16_t *a;
  long a_row;           // between A's rows in place; unused across
  const uint16_t *b;
  long b_panel;
  long k;
  float *c;
  long ldc, columns;
  const float *bias;    // of the first column; may be NULL
  int accumulate;
  gemm_prefetch *next_a, *next_b;
} bf16_product;

// The pair of one row in every lane; of an odd last element in place, itself and a zero.
INLINE vi bf16_pair(const uint16_t *p, int is_single) {
  uint32_t pair = *p;
  if (!is_single) __builtin_memcpy(&pair, p, sizeof pair);
  return vi_set1((int)pair);
}

INLINE void bf16_step(int rows, int vectors, int across, int is_single, long t, const bf16_product *g,
                      const uint16_t *const *p, const uint16_t *b, vf acc[MR][NV]) {
  vi column[NV];
  UNROLL for (int j = 0; j < vectors; j++) column[j] = vi_load(b + 2 * j * LANES);
  UNROLL for (int i = 0; i < rows; i++) {
    const uint16_t *at = across ? g->a + 2 * (t * MR + i)
                                : p[i / BF16_POINTER_ROWS] + 2 * t + (i % BF16_POINTER_ROWS) * g->a_row;
    vi element = bf16_pair(at, is_single);
    UNROLL for (int j = 0; j < vectors; j++) acc[i][j] = v_dot(acc[i][j], element, column[j]);
  }
}

// A tile of C arrives while it is computed, as in gemm_tile.h.
INLINE void bf16_multiply(int rows, int vectors, int across, const bf16_product *g, const uint16_t *b,
                          const float *expected, vf acc[MR][NV]) {
  const uint16_t *p[BF16_POINTERS];
  UNROLL for (int i = 0; i < BF16_POINTERS; i++) p[i] = g->a + i * BF16_POINTER_ROWS * g->a_row;
  UNROLL for (int i = 0; i < rows; i++)
    UNROLL for (int j = 0; j < vectors; j++) acc[i][j] = v_zero();
  long steps = across ? (g->k + 1) / 2 : g->k / 2;
  for (long t = 0; t < steps;) {
    prefetch_lines(g->next_a);
    prefetch_lines(g->next_b);
    if (t < rows * TILE_STEPS) {
      UNROLL for (int j = 0; j < vectors; j++) __builtin_prefetch(expected + j * LANES, 1, 3);
      expected += g->ldc;
    }
    for (long end = steps - t < TILE_STEPS ? steps : t + TILE_STEPS; t < end; t++, b += 2 * CK_BF16_PANEL)
      bf16_step(rows, vectors, across, 0, t, g, p, b, acc);
  }
  if (!across && g->k % 2 == 1) bf16_step(rows, vectors, across, 1, steps, g, p, b, acc);
}

INLINE void bf16_tile(int rows, int vectors, int across, const bf16_product *g, long column, long columns) {
  vf acc[MR][NV];
  const uint16_t *b = g->b + column / CK_BF16_PANEL * g->b_panel + 2 * (column % CK_BF16_PANEL);
  float *c = g->c + column;
  bf16_multiply(rows, vectors, across, g, b, c, acc);
  tile_store(rows, vectors, acc, g->bias ? g->bias + column : 0, g->accumulate, columns, c, g->ldc);
}

INLINE void bf16_tiles_of(int rows, int across, const bf16_product *g) {
  long whole = g->columns - g->columns % NR, left = g->columns - whole;
  for (long column = 0; column < whole; column += NR) bf16_tile(rows, NV, across, g, column, NR);
#if NV > 2
  if (left > 2 * LANES) return bf16_tile(rows, 3, across, g, whole, left);
#endif
#if NV > 1
  if (left > LANES) return bf16_tile(rows, 2, across, g, whole, left);
#endif
  if (left > 0) bf16_tile(rows, 1, across, g, whole, left);
}

// The numbers of rows and vectors must be constants for the accumulators to stay in registers: one instance a count.
#define BF16_CASE(rows) \
  case rows: if (across) bf16_tiles_of(rows, 1, g); else bf16_tiles_of(rows, 0, g); break;

static __attribute__((noinline)) void bf16_tiles(long rows, int across, const bf16_product *g) {
  switch (rows) {
    BF16_CASE(1) BF16_CASE(2) BF16_CASE(3) BF16_CASE(4)
#if MR > 4
    BF16_CASE(5) BF16_CASE(6)
#endif
#if MR > 6
    BF16_CASE(7) BF16_CASE(8)
#endif
  }
}
