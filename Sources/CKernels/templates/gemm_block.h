// C (+)= A·B + bias and its epilogue on one thread.
//
//   for columns in blocks of CK_GEMM_COLUMNS, for k in blocks of KC: B(KC, columns), in L2 where it is packed
//     for rows in groups of A_GROUP panels of MR: for each panel of B, for each panel of A: one tile
//
// Operands come from L2: a tile reads MR + NV·LANES floats for each NV·MR vectors of multiply-adds. With AVX2 a panel
// of B (24 KB) stays in L1 for the group; with AVX-512 it is larger than L1, where a panel of A in place stays. MR is
// at most 8, the ways of L1: in place, the rows of a panel may all fall into one set. While tiles are computed, memory
// is asked for the next block of B and the next group of A, into L2: into L1 two threads lose 2 % (AVX-512, M = 256).

#define GEMM_SCRATCH (CK_GEMM_COLUMNS / NR * PACKED_B_STRIDE(CK_KC) + PACKED_A_SIZE)
_Static_assert(CK_GEMM_COLUMNS / 4 % NR == 0, "a block of columns is a whole number of panels");

// Columns of a block, or less so that the last one is not a sliver. Where A is in place, blocks are small: nothing has
// asked for a task's first one, so that packing it waits for memory.
INLINE long gemm_block_columns(const ck_gemm *g) {
  int a_from_l2 = g->a_k == 1 && g->m < CK_GEMM_MANY_ROWS;
  long most = a_from_l2 ? CK_GEMM_COLUMNS / 4 : CK_GEMM_COLUMNS, n = g->n;
  long blocks = (n + most - 1) / most, panels = (n + NR - 1) / NR;
  return (panels + blocks - 1) / blocks * NR;
}

static gemm_prefetch prefetch_next_b(const ck_gemm *g, long k0, long n0, long nc, long tiles) {
  long depth = g->k - k0 < CK_KC ? g->k - k0 : CK_KC;
  k0 += CK_KC;
  if (k0 >= g->k) {
    k0 = 0;
    n0 += nc;
  }
  if (n0 >= g->n) return (gemm_prefetch){0};
  long k = g->k - k0 < CK_KC ? g->k - k0 : CK_KC, n = g->n - n0 < nc ? g->n - n0 : nc;
  const float *first = g->b + k0 * g->b_k + n0 * g->b_col;
  long size = sizeof *first;
  return g->b_col != 1 ? prefetch_of(first, g->b_col * size, n, k * size, tiles, depth)
                       : prefetch_of(first, g->b_k * size, k, n * size, tiles, depth);
}

// Of a row in place, the lines that are asked for: the hardware finds the others once a tile walks along it.
#define ROW_BYTES (8 * LINE_BYTES)

// The group after the one at row r; after the last one the first of the next block of k or of columns. Lines of packed
// groups start below the first column where that is not aligned.
static gemm_prefetch prefetch_next_a(const ck_gemm *g, long r, long k0, long k, long tiles) {
  long depth = k;
  r += GROUP_ROWS;
  if (r >= g->m) {
    r = 0;
    k0 = k0 + k < g->k ? k0 + k : 0;
    depth = g->k - k0 < CK_KC ? g->k - k0 : CK_KC;
  }
  const float *first = g->a + r * g->a_row + k0 * g->a_k;
  long rows = g->m - r < GROUP_ROWS ? g->m - r : GROUP_ROWS, size = sizeof *first, bytes = depth * size;
  if (g->a_k == 1) return prefetch_of(first, g->a_row * size, rows, bytes < ROW_BYTES ? bytes : ROW_BYTES, tiles, k);
  if (!a_is_packed(g)) return (gemm_prefetch){0};
  long below = (uintptr_t)first % LINE_BYTES;
  return prefetch_of((const char *)first - below, g->a_k * size, depth, below + rows * size, tiles, k);
}

// One block of B against every row of A.
static void gemm_block(const ck_gemm *g, long k0, long k, long n0, long nc, float *scratch) {
  long n = g->n - n0 < nc ? g->n - n0 : nc, panels = (n + NR - 1) / NR;
  float *packed_a = scratch, *packed_b = scratch + PACKED_A_SIZE;
  gemm_prefetch next_a, next_b = prefetch_next_b(g, k0, n0, nc, panels * ((g->m + MR - 1) / MR));
  group_product group = {.b = b_of(g, k0, k, n0, n, packed_b), .k = k, .ldc = g->ldc, .columns = n,
                         .bias = g->bias && k0 == 0 ? g->bias + n0 : 0, .accumulate = g->accumulate || k0 > 0,
                         .next_a = &next_a, .next_b = &next_b};
  for (long r = 0; r < g->m; r += GROUP_ROWS) {
    long rows = g->m - r < GROUP_ROWS ? g->m - r : GROUP_ROWS;
    group.a = a_of(g, r, k0, k, packed_a);
    group.c = g->c + r * g->ldc + n0;
    next_a = prefetch_next_a(g, r, k0, k, A_GROUP * panels);
    multiply_group(rows, group);
    if (k0 + k == g->k && g->epilogue != CK_NO_EPILOGUE) epilogue_of(g, r, rows, n0, n);
  }
}

static void gemm(const ck_gemm *g, float *scratch) {
  if (few_rows_serve(g)) return few_rows(g);
  long nc = gemm_block_columns(g);
  for (long n0 = 0; n0 < g->n; n0 += nc)
    for (long k0 = 0; k0 < g->k; k0 += CK_KC)
      gemm_block(g, k0, g->k - k0 < CK_KC ? g->k - k0 : CK_KC, n0, nc, scratch);
}
