// C (+)= A·B + bias on one thread.
//
//   for columns in blocks of NC = CK_GEMM_COLUMNS, for k in blocks of KC: B(KC,NC) in L2, packed unless its rows serve as they lie
//     for rows in panels of MR: A(MR,KC) in L1; for each panel of B: one tile
//
// A panel of A is 4·MR KB and stays in L1 while the panels of B pass from L2, two lines for each 2·MR multiply-adds; the
// other way round a panel of B would fill an L1 of 32 KB. Between the tiles, memory is asked for the next block of B and,
// where rows of A are a multiple of 4 KB apart and the processor's own prefetch does not follow them, for the next panel
// of A: without that, products with 3072 columns of A run 15 % slower at 4096 rows.

#define GEMM_SCRATCH (CK_GEMM_COLUMNS / NR * PACKED_B_STRIDE(CK_KC) + PACKED_A_SIZE)

// Columns of a block, or less so that the last one is not a sliver. Where A serves in place and
// stays in L2, blocks are small: nothing has asked for a task's first one, so that packing it waits for memory. (Asking
// for packed panels of A in advance, and for tiles of C whose rows share sets by way of L2, made no difference.)
INLINE long gemm_block_columns(const ck_gemm *g) {
  int a_from_l2 = g->a_k == 1 && !a_is_copied(g) && g->m < CK_GEMM_PACKED_ROWS;
  long most = a_from_l2 ? CK_GEMM_COLUMNS / 4 : CK_GEMM_COLUMNS, n = g->n;
  long blocks = (n + most - 1) / most, panels = (n + NR - 1) / NR;
  return (panels + blocks - 1) / blocks * NR;
}

// Lines of a matrix that are yet to be asked for.
typedef struct {
  const float *row;
  long stride, rows, lines, line;
} gemm_prefetch;

#define LINE_FLOATS 16

// Asked for before one tile: more of them at once wait for each other.
#define MOST_LINES 24

INLINE gemm_prefetch prefetch_of(const float *first, long stride, long rows, long columns) {
  return (gemm_prefetch){.row = first, .stride = stride, .rows = rows,
                         .lines = (columns + LINE_FLOATS - 1) / LINE_FLOATS};
}

INLINE long prefetch_count(const gemm_prefetch *block) { return block->rows * block->lines; }

INLINE void prefetch_lines(gemm_prefetch *block, long count) {
  for (; count > 0 && block->rows > 0; count--) {
    __builtin_prefetch(block->row + block->line * LINE_FLOATS, 0, 2);
    if (++block->line == block->lines) {
      block->line = 0;
      block->row += block->stride;
      block->rows--;
    }
  }
}

static gemm_prefetch prefetch_next_b(const ck_gemm *g, long k0, long n0, long nc) {
  k0 += CK_KC;
  if (k0 >= g->k) {
    k0 = 0;
    n0 += nc;
  }
  if (n0 >= g->n) return (gemm_prefetch){0};
  long k = g->k - k0 < CK_KC ? g->k - k0 : CK_KC, n = g->n - n0 < nc ? g->n - n0 : nc;
  const float *first = g->b + k0 * g->b_k + n0 * g->b_col;
  return g->b_col != 1 ? prefetch_of(first, g->b_col, n, k) : prefetch_of(first, g->b_k, k, n);
}

static gemm_prefetch prefetch_next_a(const ck_gemm *g, long r, long k0, long k) {
  r += MR;
  if (r >= g->m || !a_is_copied(g)) return (gemm_prefetch){0};
  return prefetch_of(g->a + r * g->a_row + k0, g->a_row, g->m - r < MR ? g->m - r : MR, k);
}

// One block of B against every row of A.
static void gemm_block(const ck_gemm *g, long k0, long k, long n0, long nc, float *scratch) {
  long n = g->n - n0 < nc ? g->n - n0 : nc;
  float *packed_a = scratch, *packed_b = scratch + PACKED_A_SIZE;
  int accumulate = g->accumulate || k0 > 0, b_in_place = b_serves_in_place(g);
  const float *b = b_in_place ? g->b + k0 * g->b_k + n0 : packed_b;
  long ldb = b_in_place ? g->b_k : NR, panel = b_in_place ? NR : PACKED_B_STRIDE(k);
  const float *bias = g->bias && k0 == 0 ? g->bias + n0 : 0;
  if (!b_in_place) pack_b(g, k0, k, n0, n, packed_b);

  long panels = (n + NR - 1) / NR, tiles = panels * ((g->m + MR - 1) / MR);
  gemm_prefetch next_b = prefetch_next_b(g, k0, n0, nc);
  long b_lines = (prefetch_count(&next_b) + tiles - 1) / tiles;
  if (b_lines > MOST_LINES) b_lines = MOST_LINES;
  for (long r = 0; r < g->m; r += MR) {
    int rows = (int)(g->m - r < MR ? g->m - r : MR);
    gemm_prefetch next_a = prefetch_next_a(g, r, k0, k);
    long a_lines = (prefetch_count(&next_a) + panels - 1) / panels;
    a_panel a = a_of(g, r, rows, k0, k, packed_a);
    for (long p = 0; p < panels; p++) {
      long c = p * NR, columns = n - c < NR ? n - c : NR;
      prefetch_lines(&next_a, a_lines);
      prefetch_lines(&next_b, b_lines);
      tile(rows, a, k, b + p * panel, ldb, bias ? bias + c : 0, accumulate, columns, g->c + r * g->ldc + n0 + c, g->ldc);
    }
  }
}

static void gemm(const ck_gemm *g, float *scratch) {
  long nc = gemm_block_columns(g);
  for (long n0 = 0; n0 < g->n; n0 += nc)
    for (long k0 = 0; k0 < g->k; k0 += CK_KC)
      gemm_block(g, k0, g->k - k0 < CK_KC ? g->k - k0 : CK_KC, n0, nc, scratch);
}
