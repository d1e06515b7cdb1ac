// Lays operands of the GEMM out as the tile reads them.
//
//   B(K,N) → panels of NR columns, [k][NR], columns beyond N are 0
//   A(M,K) → a panel of MR rows: in place, or where A's rows are the contiguous direction packed as [k][MR]
//
// Packing reads memory that gemm_prefetch.h has asked for: 0.3 cycles an element from L2, more than twice that where it
// waits. B in place, where its layout would serve, is no faster (Zen 4).

// Panels of B lie a vector further apart than they are long: a row of B is written to all panels at once.
#define PACKED_B_STRIDE(k) ((k) * NR + LANES)

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

// Panels are packed together that share a line of A's columns. A row of a panel is stored as half a vector, whose
// excess the next one overwrites.
#define A_GROUP (LANES / MR)
#define HALF_LANES (LANES / 2)
#define PACKED_A_STRIDE (MR * CK_KC + HALF_LANES)
#define PACKED_A_SIZE (A_GROUP * PACKED_A_STRIDE)
_Static_assert(MR <= HALF_LANES, "a row of a packed panel is stored as half a vector");

// Rows a multiple of 4 KB apart share one set of L1 (64 sets of 64 bytes), which has 8 ways.
INLINE int rows_share_sets(long stride) { return stride % 1024 == 0; }

// Packing a panel costs about an eighth of a tile: a few panels of B do not pay for it.
INLINE int a_is_packed(const ck_gemm *g) { return g->a_k != 1 && (g->n > 4 * NR || rows_share_sets(g->a_k)); }

// The first panels of a matrix with so many rows left.
static void pack_a_group(const float *a, long a_k, long k, long rows, float *packed) {
  for (long t = 0; t < k; t++, a += a_k, packed += MR)
    if (rows >= (A_GROUP - 1) * MR + HALF_LANES)
      UNROLL for (int p = 0; p < A_GROUP; p++)
        __builtin_memcpy(packed + p * PACKED_A_STRIDE, a + p * MR, HALF_LANES * sizeof *a);
    else
      for (long i = 0; i < rows && i < A_GROUP * MR; i++) packed[i / MR * PACKED_A_STRIDE + i % MR] = a[i];
}

static a_panel a_of(const ck_gemm *g, long r, long k0, long k, float *packed) {
  const float *a = g->a + r * g->a_row + k0 * g->a_k;
  if (g->a_k == 1) return (a_panel){.first = a, .step = g->a_row};
  if (!a_is_packed(g)) return (a_panel){.first = a, .step = g->a_k, .across = 1};
  long panel = r / MR % A_GROUP;
  if (panel == 0) pack_a_group(a, g->a_k, k, g->m - r, packed);
  return (a_panel){.first = packed + panel * PACKED_A_STRIDE, .step = MR, .across = 1};
}
