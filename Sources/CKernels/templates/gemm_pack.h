// Lays operands of the GEMM out as the tile reads them.
//
//   B(K,N) → panels of NR columns, [k][NR], columns beyond N are 0; in place where few rows of A use it
//   A(M,K) → a panel of MR rows: in place, or where A's rows are the contiguous direction packed as [k][MR]
//
// Packing reads memory that gemm_prefetch.h has asked for: 0.3 cycles an element from L2, more than twice that where it
// waits.

// Panels of B side by side: element (t, j) of the first is first[t·step + j]; the others are `next` floats apart.
typedef struct {
  const float *first;
  long step, next;
} b_panels;

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

// Rows of whole vectors serve as they are. Packed they are read faster, which few rows of A do not pay back.
INLINE int b_is_packed(const ck_gemm *g) {
  return g->b_col != 1 || g->n % LANES != 0 || g->m > B_IN_PLACE_ROWS;
}

static b_panels b_of(const ck_gemm *g, long k0, long k, long n0, long n, float *packed) {
  const float *b = g->b + k0 * g->b_k + n0 * g->b_col;
  if (!b_is_packed(g)) return (b_panels){.first = b, .step = g->b_k, .next = NR};
  if (g->b_col == 1) pack_b_rows(b, g->b_k, k, n, packed);
  else
    for (long c = 0; c < n; c += NR)
      pack_b_transposed(b + c * g->b_col, g->b_col, k, n - c < NR ? n - c : NR, packed + c / NR * PACKED_B_STRIDE(k));
  return (b_panels){.first = packed, .step = NR, .next = PACKED_B_STRIDE(k)};
}

// Panels of A that a tile reads one after the other: element (i, t) of the first is first[i·step + t], or
// first[t·step + i] where its rows lie `across`; the others are `next` floats apart.
typedef struct {
  const float *first;
  long step, next;
  int across;
} a_group;

// Panels are packed together that share lines of A's columns: 16 to 32 rows.
#define A_GROUP 4
#define GROUP_ROWS (A_GROUP * MR)
#define PACKED_A_STRIDE (MR * CK_KC)
#define PACKED_A_SIZE (A_GROUP * PACKED_A_STRIDE)

// Three rows share a pointer in a tile: x86 addresses p, p+s and p+2s without further registers.
#define ROWS_PER_POINTER 3

// Rows a multiple of 4 KB apart share one set of L1 (64 sets of 64 bytes), which has 8 ways.
INLINE int rows_share_sets(long stride) { return stride % 1024 == 0; }

// Packing a panel costs about an eighth of a tile: a few panels of B do not pay for it.
INLINE int a_is_packed(const ck_gemm *g) { return g->a_k != 1 && (g->n > 4 * NR || rows_share_sets(g->a_k)); }

INLINE void pack_a_panel(const float *a, float *packed) { __builtin_memcpy(packed, a, MR * sizeof *a); }

// The first panels of a matrix with so many rows left. Not a float more is read: beyond the group's last line nothing
// has been asked for, and a wait for each k makes packing two to three times as slow.
static void pack_a_group(const float *a, long a_k, long k, long rows, float *packed) {
  long panels = rows / MR < A_GROUP ? rows / MR : A_GROUP, ragged = panels < A_GROUP ? rows % MR : 0;
  for (long t = 0; t < k; t++, a += a_k, packed += MR) {
    if (panels == A_GROUP)
      UNROLL for (int p = 0; p < A_GROUP; p++) pack_a_panel(a + p * MR, packed + p * PACKED_A_STRIDE);
    else
      for (long p = 0; p < panels; p++) pack_a_panel(a + p * MR, packed + p * PACKED_A_STRIDE);
    for (long i = 0; i < ragged; i++) packed[panels * PACKED_A_STRIDE + i] = a[panels * MR + i];
  }
}

static a_group a_of(const ck_gemm *g, long r, long k0, long k, float *packed) {
  const float *a = g->a + r * g->a_row + k0 * g->a_k;
  if (g->a_k == 1) return (a_group){.first = a, .step = g->a_row, .next = MR * g->a_row};
  if (!a_is_packed(g)) return (a_group){.first = a, .step = g->a_k, .next = MR, .across = 1};
  pack_a_group(a, g->a_k, k, g->m - r, packed);
  return (a_group){.first = packed, .step = MR, .next = PACKED_A_STRIDE, .across = 1};
}
