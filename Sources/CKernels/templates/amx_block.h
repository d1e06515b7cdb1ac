// C (+)= A·B + bias and its epilogue on one thread, in AMX's order: a chain of links of 32 products (amx_link.h) over
// all of K, which begins with C where that is added to, and with +0 where not; the bias follows.
//
//   for columns in blocks of AMX_COLUMNS, for k in blocks of AMX_KC: B's, in L2
//     for rows in groups of AMX_ROWS, packed where A lies across: one product, A's rows in L1
//     after the last block of k: bias, epilogue, rounding
//
// C is float between blocks of k, as it is in tiles: no block decides a bit.
//
// `amx_tiles`, which whoever includes this defines before, is the product of a group.

#define AMX_SCRATCH_A (AMX_LINKS(AMX_KC) * AMX_A_LINK)
#define AMX_SCRATCH_B (AMX_COLUMNS / CK_BF16_PANEL * BF16_B_STRIDE(AMX_KC / 2))
#define AMX_SCRATCH_LAST_B (AMX_COLUMNS / CK_BF16_PANEL * AMX_B_LINK)
#define AMX_SCRATCH ((AMX_SCRATCH_A + AMX_SCRATCH_B + AMX_SCRATCH_LAST_B) / 2)

// Columns of a block, so that the last one is not a sliver.
INLINE long amx_block_columns(long n) {
  long blocks = (n + AMX_COLUMNS - 1) / AMX_COLUMNS, panels = (n + CK_BF16_PANEL - 1) / CK_BF16_PANEL;
  return (panels + blocks - 1) / blocks * CK_BF16_PANEL;
}

// Where a block of B lies: packed, or in place but for the link with zeros.
static void amx_lay_b(const ck_bf16_gemm *g, long k0, long n0, amx_product *p, long k, uint16_t *packed, uint16_t *last) {
  long whole = k - k % CK_BF16_LINK;
  if (!bf16_in_place(g)) {
    bf16_pack_block(g, k0, k, n0, p->columns, AMX_LINKS(k) * AMX_PAIRS, packed);
    p->b = packed;
    p->b_panel = p->last_b_panel = BF16_B_STRIDE(AMX_LINKS(k) * AMX_PAIRS);
    p->last_b = packed + whole * CK_BF16_PANEL;
    return;
  }
  p->b = g->b + n0 / CK_BF16_PANEL * g->b_panel + k0 * CK_BF16_PANEL;
  p->b_panel = g->b_panel;
  p->last_b = last;
  p->last_b_panel = AMX_B_LINK;
  if (whole < k) amx_pack_last_b(p->b + whole * CK_BF16_PANEL, g->b_panel, k - whole, p->columns, last);
}

// One group of A's rows against a block of B.
static void amx_group(const ck_bf16_gemm *g, long r, long k0, long k, amx_product *p, uint16_t *packed) {
  const uint16_t *a = g->a + r * g->a_row + k0 * g->a_k;
  long whole = p->links * CK_BF16_LINK;
  if (g->a_k != 1) {
    amx_pack_a(a, g->a_k, k, p->rows, packed);
    p->a = packed;
    p->a_row = p->last_a_row = CK_BF16_LINK;
    p->a_link = AMX_A_LINK;
    p->last_a = whole < k ? packed + p->links * AMX_A_LINK : 0;
  } else {
    p->a = a;
    p->a_row = g->a_row;
    p->a_link = p->last_a_row = CK_BF16_LINK;
    p->last_a = whole < k ? packed : 0;
    if (whole < k) amx_pack_last_a(a + whole, g->a_row, k - whole, p->rows, packed);
  }
  amx_tiles(p);
}

// One block of B against every row of A.
static void amx_block(const ck_bf16_gemm *g, long k0, long n0, long nc, uint16_t *scratch) {
  long k = g->k - k0 < AMX_KC ? g->k - k0 : AMX_KC, n = g->n - n0 < nc ? g->n - n0 : nc;
  uint16_t *packed_a = scratch, *packed_b = packed_a + AMX_SCRATCH_A, *last_b = packed_b + AMX_SCRATCH_B;
  amx_product product = {.links = k / CK_BF16_LINK, .ldc = g->ldc, .columns = n, .accumulate = g->accumulate || k0 > 0};
  amx_lay_b(g, k0, n0, &product, k, packed_b, last_b);
  for (long r = 0; r < g->m; r += AMX_ROWS) {
    product.rows = g->m - r < AMX_ROWS ? g->m - r : AMX_ROWS;
    product.c = g->c + r * g->ldc + n0;
    amx_group(g, r, k0, k, &product, packed_a);
    if (k0 + k < g->k) continue;
    for (long i = 0; g->bias && i < product.rows; i++)
      add(g->bias + n0, product.c + i * g->ldc, n, product.c + i * g->ldc);
    if (g->epilogue != CK_NO_EPILOGUE || g->rounded) bf16_epilogue(g, r, product.rows, n0, n);
  }
}

static void amx_gemm(const ck_bf16_gemm *g, float *scratch) {
  long nc = amx_block_columns(g->n);
  for (long n0 = 0; n0 < g->n; n0 += nc)
    for (long k0 = 0; k0 < g->k; k0 += AMX_KC) amx_block(g, k0, n0, nc, (uint16_t *)(void *)scratch);
}

// Sums of one pair of products each, as the first of a link.
static void amx_dot(const uint16_t *x, const uint16_t *y, long n, float *sums) {
  uint16_t a[CK_BF16_LINK] = {0}, b[AMX_B_LINK] = {0};
  for (long i = 0; i < n; i++) {
    __builtin_memcpy(a, x + 2 * i, 2 * sizeof *a);
    __builtin_memcpy(b, y + 2 * i, 2 * sizeof *b);
    amx_product one = {.last_a = a, .last_b = b, .c = sums + i, .rows = 1, .columns = 1, .accumulate = 1};
    amx_tiles(&one);
  }
}

#define AMX_TABLE(table_name) \
  {.name = table_name, .mr = AMX_ROWS, .scratch = AMX_SCRATCH, .gemm = amx_gemm, .round = bf16_round, \
   .lay_out = bf16_lay_out, .dot = amx_dot, .peak = amx_peak}
