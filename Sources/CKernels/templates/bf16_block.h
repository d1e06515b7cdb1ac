// C (+)= A·B + bias and its epilogue on one thread, operands in bfloat16.
//
//   for columns in blocks of CK_BF16_COLUMNS, twice that where k is short, for k in blocks of CK_BF16_KC: B's, in L2
//     for rows in groups of BF16_GROUP panels of MR, packed where A lies across
//       for each panel of A, which stays in L1: for each panel of B: one tile
//
// Few rows, which one tile of each panel serves, take a panel at a time through all of K: B is read once and in the
// order that it lies in.
//
// A panel of B (72 KB) comes from L2 for every tile: 192 bytes for MR·NV dot products of a vector. While tiles are
// computed, memory is asked for the next block of B and the next group of A.

#define BF16_SCRATCH_A (BF16_GROUP * BF16_A_STRIDE)
// Twice as many columns of half the depth have their panels twice as often apart.
#define BF16_SHORT (CK_BF16_KC / 2)
#define BF16_SCRATCH_B (2 * CK_BF16_COLUMNS / CK_BF16_PANEL * BF16_B_STRIDE(BF16_SHORT / 2))
#define BF16_SCRATCH ((BF16_SCRATCH_A + BF16_SCRATCH_B) / 2)

_Static_assert(CK_BF16_PANEL % NR == 0 && CK_BF16_COLUMNS % CK_BF16_PANEL == 0, "tiles lie in panels, panels in blocks");
_Static_assert(BF16_SHORT % 2 == 0, "chains end with a pair");

INLINE long bf16_depth(const ck_bf16_gemm *g, long k0) { return g->k - k0 < CK_BF16_KC ? g->k - k0 : CK_BF16_KC; }

// Columns of a block, or less so that the last one is not a sliver.
INLINE long bf16_block_columns(const ck_bf16_gemm *g) {
  if (g->m <= MR && bf16_in_place(g)) return CK_BF16_PANEL;
  long most = g->k <= BF16_SHORT ? 2 * CK_BF16_COLUMNS : CK_BF16_COLUMNS;
  long blocks = (g->n + most - 1) / most, panels = (g->n + CK_BF16_PANEL - 1) / CK_BF16_PANEL;
  return (panels + blocks - 1) / blocks * CK_BF16_PANEL;
}

static gemm_prefetch bf16_next_b(const ck_bf16_gemm *g, long k0, long n0, long nc, long tiles) {
  long steps = (bf16_depth(g, k0) + 1) / 2, size = sizeof *g->b;
  k0 += CK_BF16_KC;
  if (k0 >= g->k) {
    k0 = 0;
    n0 += nc;
  }
  if (n0 >= g->n) return (gemm_prefetch){0};
  long k = bf16_depth(g, k0), n = g->n - n0 < nc ? g->n - n0 : nc;
  if (!g->b) {
    const float *first = g->numbers + k0 * g->numbers_k + n0 * g->numbers_n;
    size = sizeof *first;
    if (g->numbers_n == 1) return prefetch_of(first, g->numbers_k * size, k, n * size, tiles, steps);
    return prefetch_of(first, g->numbers_n * size, n, k * size, tiles, steps);
  }
  if (g->b_k != 0) return prefetch_of(g->b + k0 * g->b_k + n0, g->b_k * size, k, n * size, tiles, steps);
  const uint16_t *first = g->b + n0 / CK_BF16_PANEL * g->b_panel + k0 * CK_BF16_PANEL;
  return prefetch_of(first, g->b_panel * size, (n + CK_BF16_PANEL - 1) / CK_BF16_PANEL, k * CK_BF16_PANEL * size, tiles,
                     steps);
}

// Of a row in place, the lines that are asked for: the hardware finds the others once a tile walks along it.
#define BF16_ROW_BYTES (8 * LINE_BYTES)

// The group after the one at row r; after the last one the first of the next block of k or of columns.
static gemm_prefetch bf16_next_a(const ck_bf16_gemm *g, long r, long k0, long tiles) {
  long steps = (bf16_depth(g, k0) + 1) / 2, size = sizeof *g->a;
  r += BF16_GROUP_ROWS;
  if (r >= g->m) {
    r = 0;
    k0 = k0 + CK_BF16_KC < g->k ? k0 + CK_BF16_KC : 0;
  }
  const uint16_t *first = g->a + r * g->a_row + k0 * g->a_k;
  long rows = g->m - r < BF16_GROUP_ROWS ? g->m - r : BF16_GROUP_ROWS, depth = bf16_depth(g, k0), bytes = depth * size;
  if (g->a_k == 1)
    return prefetch_of(first, g->a_row * size, rows, bytes < BF16_ROW_BYTES ? bytes : BF16_ROW_BYTES, tiles, steps);
  long below = (uintptr_t)first % LINE_BYTES;
  return prefetch_of((const char *)first - below, g->a_k * size, depth, below + rows * size, tiles, steps);
}

// One group of A's rows against a block of B.
static void bf16_group(const ck_bf16_gemm *g, long r, long rows, long k0, bf16_product product, uint16_t *packed_a) {
  const uint16_t *a = g->a + r * g->a_row + k0 * g->a_k;
  int across = g->a_k != 1;
  if (across) bf16_pack_a(a, g->a_k, product.k, rows, packed_a);
  product.a = across ? packed_a : a;
  for (long done = 0; done < rows; done += MR) {
    bf16_tiles(rows - done < MR ? rows - done : MR, across, &product);
    product.a += across ? BF16_A_STRIDE : MR * g->a_row;
    product.c += MR * g->ldc;
  }
}

// One block of B against every row of A.
static void bf16_block(const ck_bf16_gemm *g, long k0, long n0, long nc, uint16_t *scratch) {
  long k = bf16_depth(g, k0), n = g->n - n0 < nc ? g->n - n0 : nc, panels = (n + NR - 1) / NR;
  uint16_t *packed_a = scratch, *packed_b = scratch + BF16_SCRATCH_A;
  gemm_prefetch next_a, next_b = bf16_next_b(g, k0, n0, nc, panels * ((g->m + MR - 1) / MR));
  bf16_product product = {.a_row = g->a_row, .k = k, .ldc = g->ldc, .columns = n,
                          .bias = g->bias && k0 == 0 ? g->bias + n0 : 0, .accumulate = g->accumulate || k0 > 0,
                          .next_a = &next_a, .next_b = &next_b};
  int in_place = bf16_in_place(g);
  product.b = in_place ? g->b + n0 / CK_BF16_PANEL * g->b_panel + k0 * CK_BF16_PANEL : packed_b;
  product.b_panel = in_place ? g->b_panel : BF16_B_STRIDE((k + 1) / 2);
  if (!in_place) bf16_pack_block(g, k0, k, n0, n, (k + 1) / 2, packed_b);
  for (long r = 0; r < g->m; r += BF16_GROUP_ROWS) {
    long rows = g->m - r < BF16_GROUP_ROWS ? g->m - r : BF16_GROUP_ROWS;
    product.c = g->c + r * g->ldc + n0;
    next_a = bf16_next_a(g, r, k0, BF16_GROUP * panels);
    bf16_group(g, r, rows, k0, product, packed_a);
    if (k0 + k == g->k && (g->epilogue != CK_NO_EPILOGUE || g->rounded)) bf16_epilogue(g, r, rows, n0, n);
  }
}

static void bf16_blocks(const ck_bf16_gemm *g, float *scratch) {
  long nc = bf16_block_columns(g);
  for (long n0 = 0; n0 < g->n; n0 += nc)
    for (long k0 = 0; k0 < g->k; k0 += CK_BF16_KC) bf16_block(g, k0, n0, nc, (uint16_t *)scratch);
}

// Rows of C that one chain after the other is added to, so that they stay in L3 until the last one.
#define BF16_ROWS 2048

static void bf16_gemm(const ck_bf16_gemm *g, float *scratch) {
  long parts = g->k > CK_BF16_KC ? (g->m + BF16_ROWS - 1) / BF16_ROWS : 1;
  long groups = (g->m + BF16_GROUP_ROWS - 1) / BF16_GROUP_ROWS, rows = (groups + parts - 1) / parts * BF16_GROUP_ROWS;
  for (long r = 0; r < g->m; r += rows) {
    ck_bf16_gemm part = *g;
    part.m = g->m - r < rows ? g->m - r : rows;
    part.a += r * g->a_row;
    part.c += r * g->ldc;
    if (g->operand) part.operand += r * g->ldc;
    if (g->rounded) part.rounded += r * g->ld_rounded;
    if (g->half) part.half += r * g->ld_half;
    bf16_blocks(&part, scratch);
  }
}
