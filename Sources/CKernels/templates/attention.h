// What the two passes of causal self-attention share. They work on blocks of CK_ATTENTION_BLOCK queries and as many
// keys, of which those after the query's block are never touched (Dao 2023, arXiv:2307.08691).
//
// Scratch holds a few blocks of scores and panels of CK_ATTENTION_DEPTH columns: a larger head is taken in parts of
// that width. Panels' rows are a whole number of vectors, what lies beyond the head is 0.
//
// Blocks of 128 rather than 64 halve how often sums leave the registers. T = 1024, one Zen 4 core, AVX-512, the best of
// runs one after another (not in turns): forward 74 → 76 % of FMA peak, backward 75 → 80 %.

#define ATTENTION_SCORES (CK_ATTENTION_BLOCK * CK_ATTENTION_BLOCK)
#define ATTENTION_PANEL (CK_ATTENTION_BLOCK * CK_ATTENTION_DEPTH)
#define ATTENTION_SCRATCH (2 * ATTENTION_SCORES + 5 * ATTENTION_PANEL)

INLINE float attention_scale(long head_size) { return 1.0f / __builtin_sqrtf((float)head_size); }

// Scores are kept as powers of two: 2^(s·log₂e/√hs) = exp(s/√hs).
INLINE float attention_binary_scale(long head_size) { return attention_scale(head_size) * LOG2_E; }

INLINE long attention_least(long a, long b) { return a < b ? a : b; }

ATTENTION_INSTANCES(attention_floats, 0)

static void attention_multiply(const attention_product *g) { attention_multiply_by(1, attention_floats, g); }

// What a product's C is multiplied by where it is added to.
static const float attention_ones[CK_ATTENTION_BLOCK] = {[0 ... CK_ATTENTION_BLOCK - 1] = 1.0f};

// panel[d][r] = x[r][d], 0 for r beyond the rows up to a whole vector.
static void attention_pack_transposed(const float *x, long ld, long rows, long columns, float *panel) {
  float corner[LANES * LANES];
  for (long r = 0; r < rows; r += LANES)
    for (long d = 0; d < columns; d += LANES) {
      const float *from = x + r * ld + d;
      float *to = panel + d * CK_ATTENTION_BLOCK + r;
      if (rows - r >= LANES && columns - d >= LANES) {
        v_transpose(from, ld, to, CK_ATTENTION_BLOCK);
        continue;
      }
      for (long i = 0; i < LANES; i++)
        v_store(corner + i * LANES, i < rows - r ? v_load_some(from + i * ld, columns - d) : v_zero());
      v_transpose(corner, LANES, to, CK_ATTENTION_BLOCK);
    }
}

typedef struct {
  const float *rows;
  long ld;
} attention_view;

// The rows one after another: whole vectors, and in L1 wherever they lay (rows some KB apart share few of its sets).
static attention_view attention_pack(const float *x, long ld, long rows, long columns, float *panel) {
  long width = (columns + LANES - 1) / LANES * LANES;
  for (long r = 0; r < rows; r++)
    for (long d = 0; d < columns; d += LANES)
      v_store(panel + r * width + d, v_load_some(x + r * ld + d, columns - d));
  return (attention_view){panel, width};
}

// scores = x·yᵀ over the head: queries against keys, or their gradients against values. `packed` holds yᵀ from the
// second block of queries on, unless the head is too large for it.
static void attention_scores(const float *x, long ldx, long queries, const float *y, long ldy, long keys,
                             long head_size, int fresh, attention_part part, float *packed, float *copy,
                             float *scores) {
  for (long d = 0; d < head_size; d += CK_ATTENTION_DEPTH) {
    long depth = attention_least(CK_ATTENTION_DEPTH, head_size - d);
    if (fresh || head_size > CK_ATTENTION_DEPTH) attention_pack_transposed(y + d, ldy, keys, depth, packed);
    attention_view rows = {x + d, ldx};
    if (rows_share_sets(ldx)) rows = attention_pack(x + d, ldx, queries, depth, copy);
    attention_product g = {.a = rows.rows, .a_row = rows.ld, .a_k = 1, .b = packed, .ldb = CK_ATTENTION_BLOCK,
                           .c = scores, .ldc = CK_ATTENTION_BLOCK, .m = queries, .n = keys, .k = depth,
                           .keep = d > 0 ? attention_ones : 0, .part = part};
    attention_multiply(&g);
  }
}
