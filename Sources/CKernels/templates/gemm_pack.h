// Lays operands of the GEMM out as the tile reads them.
//
//   B(K,N) → panels of NR columns, [k][NR], columns beyond N are 0; rows that serve as they lie stay there
//   A(M,K) → a panel of MR rows: in place, copied, or where A's rows are the contiguous direction packed as [k][MR]

// Rows a multiple of 4 KB apart share one set of L1 (64 sets of 64 bytes), and a tile reads more rows at once than the
// set has ways. Widths 1024 and 3072 are of this kind.
INLINE int rows_share_sets(long stride) { return stride % CK_GEMM_SHARED_SETS == 0; }

// Panels of B lie a vector further apart than they are long: a row of B is written to all panels at once.
#define PACKED_B_STRIDE(k) ((k) * NR + LANES)

// Rows of B serve as they lie where they have all of a panel's columns, share no sets, and are read too few times for a
// packed panel to pay for itself. The tile then waits for L2 at every step, which only the wider one hides: 97 % of the
// peak either way with 32 columns, 92 % in place against 96 % packed with 16.
INLINE int b_serves_in_place(const ck_gemm *g) {
  return NV > 1 && g->b_col == 1 && g->n % NR == 0 && !rows_share_sets(g->b_k) && g->m < CK_GEMM_PACKED_ROWS;
}

// Row by row, so that B is read in order.
static void pack_b_rows(const float *b, long b_k, long k, long n, float *packed) {
  long whole = n - n % NR, stride = PACKED_B_STRIDE(k);
  for (long p = 0; p < k; p++, b += b_k, packed += NR) {
    float *to = packed;
    for (long c = 0; c < whole; c += NR, to += stride)
      UNROLL for (int j = 0; j < NV; j++) v_store(to + j * LANES, v_load(b + c + j * LANES));
    if (whole == n) continue;
    UNROLL for (int j = 0; j < NV; j++) {
      long left = n - whole - j * LANES;
      v_store(to + j * LANES, left > 0 ? v_load_some(b + whole + j * LANES, left) : v_zero());
    }
  }
}

INLINE void pack_b_transposed(const float *b, long b_col, long k, long columns, float *panel) {
  long whole = k - k % LANES;
  for (int j = 0; j < NV; j++) {
    long lanes = columns - j * LANES;
    float *to = panel + j * LANES;
    const float *from = b + j * LANES * b_col;
    if (lanes >= LANES)
      for (long p = 0; p < whole; p += LANES) v_transpose(from + p, b_col, to + p * NR, NR);
    for (long p = lanes >= LANES ? whole : 0; p < k; p++)
      for (int c = 0; c < LANES; c++) to[p * NR + c] = c < lanes ? from[c * b_col + p] : 0.0f;
  }
}

static void pack_b(const ck_gemm *g, long k0, long k, long n0, long n, float *packed) {
  const float *b = g->b + k0 * g->b_k + n0 * g->b_col;
  if (g->b_col == 1) return pack_b_rows(b, g->b_k, k, n, packed);
  for (long c = 0; c < n; c += NR)
    pack_b_transposed(b + c * g->b_col, g->b_col, k, n - c < NR ? n - c : NR, packed + c / NR * PACKED_B_STRIDE(k));
}

// A panel of A: element (i, t) is first[i·step + t], or first[t·step + i] where its rows lie `across`.
typedef struct {
  const float *first;
  long step;
  int across;
} a_panel;

// Copied rows lie a vector further apart than they are long, so that they share no set; each row of a packed panel is
// stored as a whole vector, whose excess the next one overwrites.
#define COPIED_A_STRIDE (CK_KC + LANES)
#define PACKED_A_SIZE (MR * COPIED_A_STRIDE + LANES)

INLINE int a_is_copied(const ck_gemm *g) { return g->a_k == 1 && rows_share_sets(g->a_row); }

// Packing a panel costs about an eighth of a tile: a few panels of B do not pay for it.
INLINE int a_is_packed(const ck_gemm *g) { return g->a_k != 1 && (g->n > 4 * NR || rows_share_sets(g->a_k)); }

static a_panel a_of(const ck_gemm *g, long r, long rows, long k0, long k, float *packed) {
  const float *a = g->a + r * g->a_row + k0 * g->a_k;
  if (a_is_packed(g)) {
    vm m = v_tail(rows);
    for (long t = 0; t < k; t++) v_store(packed + t * MR, v_load_tail(a + t * g->a_k, m));
    return (a_panel){.first = packed, .step = MR, .across = 1};
  }
  if (g->a_k != 1) return (a_panel){.first = a, .step = g->a_k, .across = 1};
  if (!a_is_copied(g)) return (a_panel){.first = a, .step = g->a_row};
  for (long i = 0; i < rows; i++)
    __builtin_memcpy(packed + i * COPIED_A_STRIDE, a + i * g->a_row, (unsigned long)k * sizeof *a);
  return (a_panel){.first = packed, .step = COPIED_A_STRIDE};
}
