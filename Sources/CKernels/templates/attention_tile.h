// C = (keep·C + A·B)·factor for one block of attention: at most CK_ATTENTION_BLOCK rows, operands that lie in
// L1 or L2: floats, or pairs of bfloat16 along k, each in a float's place, which v_dot adds (bf16_dot.h).
//
// Register budget of a tile: acc ATTENTION_MR·ATTENTION_NV vectors, B ATTENTION_NV, A 1 (see the vector header).
// Assumptions: rows of B are whole vectors (the caller pads them), those of C need not be; A is read in place, along
// its rows (a_k = 1) or down its columns (a_row = 1); C is not A or B. An element is one chain of fused multiply-adds
// over ascending k from zero; of pairs, an odd last product has a partner of zeros. Under the causal mask a group of
// CK_ATTENTION_GROUP rows leaves out what is masked for all of them; the group, unlike the tile, is the same on every
// instruction set, and so are the bits.

_Static_assert(CK_ATTENTION_GROUP % ATTENTION_MR == 0, "a group of rows is a whole number of tiles");
_Static_assert(CK_ATTENTION_GROUP % 2 == 0, "a group of rows begins with a pair");

#define ATTENTION_NR (ATTENTION_NV * LANES)
#define ATTENTION_POINTERS ((ATTENTION_MR + ROWS_PER_POINTER - 1) / ROWS_PER_POINTER)

// What a group that begins at row r and ends before row e needs of a block on the diagonal.
typedef enum {
  WHOLE_BLOCK,
  COLUMNS_BEFORE_END,  // columns 0..<e of C: scores, whose rows are queries and columns keys
  DEPTH_BEFORE_END,    // k in 0..<e: rows are queries, k runs over keys
  DEPTH_FROM_START     // k in r..<K: rows are keys, k runs over queries
} attention_part;

typedef struct {
  const float *a; long a_row, a_k;  // a_k and ldb lead to the next product, or pair of them
  const float *b; long ldb;
  float *c; long ldc;
  long m, n, k;         // k counts products, also of pairs
  const float *keep;    // (M); NULL: C is never read
  const float *factor;  // (M); NULL: ones
  attention_part part;
} attention_product;

INLINE void attention_store_part(int rows, int vectors, int whole, const attention_product *g, long row, long column,
                                 vf acc[ATTENTION_MR][ATTENTION_NV]) {
  long ldc = g->ldc, left = whole ? LANES * ATTENTION_NV : g->n - column;
  float *c = g->c + row * ldc + column;
  const float *keep = g->keep ? g->keep + row : 0, *factor = g->factor ? g->factor + row : 0;
  if (keep)
    UNROLL for (int i = 0; i < rows; i++)
      UNROLL for (int j = 0; j < vectors; j++)
        acc[i][j] = v_fma(v_load_some(c + i * ldc + j * LANES, left - j * LANES), v_set1(keep[i]), acc[i][j]);
  if (factor)
    UNROLL for (int i = 0; i < rows; i++)
      UNROLL for (int j = 0; j < vectors; j++) acc[i][j] = v_mul(acc[i][j], v_set1(factor[i]));
  UNROLL for (int i = 0; i < rows; i++)
    UNROLL for (int j = 0; j < vectors; j++)
      v_store_some(c + i * ldc + j * LANES, left - j * LANES, acc[i][j]);
}

INLINE void attention_store(int rows, int vectors, const attention_product *g, long row, long column,
                            vf acc[ATTENTION_MR][ATTENTION_NV]) {
  if (g->n - column >= vectors * LANES) attention_store_part(rows, vectors, 1, g, row, column, acc);
  else attention_store_part(rows, vectors, 0, g, row, column, acc);
}

INLINE void attention_tile(int rows, int vectors, int down, int paired, const attention_product *g, long steps, long row,
                           long column, const float *a, const float *b) {
  vf acc[ATTENTION_MR][ATTENTION_NV];
  UNROLL for (int i = 0; i < rows; i++)
    UNROLL for (int j = 0; j < vectors; j++) acc[i][j] = v_zero();
  long a_row = g->a_row, a_k = g->a_k, ldb = g->ldb;
  const float *p[ATTENTION_POINTERS];
  UNROLL for (int i = 0; i < ATTENTION_POINTERS; i++) p[i] = a + i * ROWS_PER_POINTER * a_row;
  for (long t = 0; t < steps; t++) {
    vf vector[ATTENTION_NV];
    UNROLL for (int j = 0; j < vectors; j++) vector[j] = v_load(b + j * LANES);
    UNROLL for (int i = 0; i < rows; i++) {
      vf element = v_set1(down ? a[i] : p[i / ROWS_PER_POINTER][(i % ROWS_PER_POINTER) * a_row]);
      UNROLL for (int j = 0; j < vectors; j++)
        acc[i][j] = paired ? v_dot(acc[i][j], v_bits(element), v_bits(vector[j]))
                           : v_fma(element, vector[j], acc[i][j]);
    }
    b += ldb;
    if (down) a += a_k;
    else UNROLL for (int i = 0; i < ATTENTION_POINTERS; i++) p[i]++;
  }
  attention_store(rows, vectors, g, row, column, acc);
}

// The number of rows must be a constant for the accumulators to stay in registers: one instance a count.
#define ATTENTION_CASE(r) \
  case r: attention_tile(r <= ATTENTION_MR ? r : ATTENTION_MR, vectors, down, paired, g, steps, row, column, a, b); break;

INLINE void attention_tile_any(int rows, int vectors, int down, int paired, const attention_product *g, long steps,
                               long row, long column, const float *a, const float *b) {
  switch (rows) {
    ATTENTION_CASE(1) ATTENTION_CASE(2) ATTENTION_CASE(3) ATTENTION_CASE(4)
#if ATTENTION_MR > 4
    ATTENTION_CASE(5) ATTENTION_CASE(6)
#endif
#if ATTENTION_MR > 6
    ATTENTION_CASE(7) ATTENTION_CASE(8) ATTENTION_CASE(9) ATTENTION_CASE(10) ATTENTION_CASE(11) ATTENTION_CASE(12)
#endif
  }
}

typedef void attention_tiles(int rows, const attention_product *g, long steps, long row, long column, const float *a,
                             const float *b);

#define ATTENTION_INSTANCE(name, vectors, down, paired)                                                             \
  static __attribute__((noinline)) void name(int rows, const attention_product *g, long steps, long row,            \
                                             long column, const float *a, const float *b) {                         \
    attention_tile_any(rows, vectors, down, paired, g, steps, row, column, a, b);                                   \
  }

// Tiles of one vector and of all, for A along its rows and down its columns.
#if ATTENTION_NV > 1
#define ATTENTION_WIDTHS(name, down, paired)                      \
  ATTENTION_INSTANCE(name##_vector, 1, down, paired)              \
  ATTENTION_INSTANCE(name##_whole, ATTENTION_NV, down, paired)
#else
#define ATTENTION_WIDTHS(name, down, paired)          \
  ATTENTION_INSTANCE(name##_whole, 1, down, paired)   \
  static attention_tiles *const name##_vector = name##_whole;
#endif

#define ATTENTION_INSTANCES(name, paired)                                             \
  ATTENTION_WIDTHS(name##_across, 0, paired)                                          \
  ATTENTION_WIDTHS(name##_down, 1, paired)                                            \
  static attention_tiles *name(int down, int narrow) {                                \
    if (down) return narrow ? name##_down_vector : name##_down_whole;                 \
    return narrow ? name##_across_vector : name##_across_whole;                       \
  }

// A step of a tile adds so many products: one, or a pair.
INLINE void attention_multiply_by(long unit, attention_tiles *(*tiles)(int, int), const attention_product *g) {
  for (long column = 0; column < g->n; column += ATTENTION_NR)
    for (long group = 0; group < g->m; group += CK_ATTENTION_GROUP) {
      long end = g->m - group < CK_ATTENTION_GROUP ? g->m : group + CK_ATTENTION_GROUP;
      long n = g->part == COLUMNS_BEFORE_END && end < g->n ? end : g->n;
      if (column >= n) continue;
      long first = g->part == DEPTH_FROM_START ? group / unit : 0;
      long last = g->part == DEPTH_BEFORE_END && end < g->k ? end : g->k, steps = (last + unit - 1) / unit - first;
      attention_tiles *tile = tiles(g->a_k != 1, n - column <= LANES);
      const float *b = g->b + first * g->ldb + column;
      for (long row = group; row < end; row += ATTENTION_MR) {
        int rows = (int)(end - row < ATTENTION_MR ? end - row : ATTENTION_MR);
        tile(rows, g, steps, row, column, g->a + row * g->a_row + first * g->a_k, b);
      }
    }
}
