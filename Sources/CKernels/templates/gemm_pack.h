// Packs operands of the GEMM into panels that the tile reads in order.
//
//   B(K,N) → panels of NR columns, [k][NR], columns beyond N are 0
//   A(M,K) → panels of MR rows, [k][MR]; only when A's rows are the contiguous direction

INLINE void pack_b_rows(const float *b, long b_k, long k, long columns, float *panel) {
  for (int j = 0; j < NV; j++) {
    long lanes = columns - j * LANES;
    if (lanes >= LANES) {
      for (long p = 0; p < k; p++) v_store(panel + p * NR + j * LANES, v_load(b + p * b_k + j * LANES));
    } else if (lanes > 0) {
      vm m = v_tail(lanes);
      for (long p = 0; p < k; p++) v_store(panel + p * NR + j * LANES, v_load_tail(b + p * b_k + j * LANES, m));
    } else {
      for (long p = 0; p < k; p++) v_store(panel + p * NR + j * LANES, v_zero());
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
  for (long c = 0; c < n; c += NR) {
    const float *b = g->b + k0 * g->b_k + (n0 + c) * g->b_col;
    long columns = n - c < NR ? n - c : NR;
    if (g->b_col == 1) pack_b_rows(b, g->b_k, k, columns, packed + c * k);
    else pack_b_transposed(b, g->b_col, k, columns, packed + c * k);
  }
}

// Panels lie a vector further apart than they are long: each row of k is stored as a whole vector, whose excess the next
// row overwrites, and panels 12 KB apart would share one set of L1.
#define PACKED_A_STRIDE(k) ((k) * MR + LANES)

// All panels advance together along k, PACK_A_ROWS at a time: rows of A may be far apart (200 KB in the gradient of the
// logits), so each page and line is read while it is at hand.
#define PACK_A_ROWS 8

static void pack_a(const ck_gemm *g, long m0, long m, long k0, long k, float *packed) {
  for (long start = 0; start < k; start += PACK_A_ROWS) {
    long end = k - start < PACK_A_ROWS ? k : start + PACK_A_ROWS;
    for (long r = 0; r < m; r += MR) {
      const float *a = g->a + (m0 + r) + k0 * g->a_k;
      float *to = packed + r / MR * PACKED_A_STRIDE(k);
      vm rows = v_tail(m - r < MR ? m - r : MR);
      for (long p = start; p < end; p++) v_store(to + p * MR, v_load_tail(a + p * g->a_k, rows));
    }
  }
}

// Rows a multiple of 4 KB apart share one set of L1 (64 sets of 64 bytes), and a tile reads more rows at once than the
// set has ways. Such a block of A is copied to rows a vector further apart. Widths 1024 and 3072 are of this kind.
#define COPIED_A_STRIDE (CK_KC + LANES)

INLINE int rows_share_sets(long a_row) { return a_row % 1024 == 0; }

static void copy_a(const ck_gemm *g, long m0, long m, long k0, long k, float *packed) {
  for (long r = 0; r < m; r++)
    __builtin_memcpy(packed + r * COPIED_A_STRIDE, g->a + (m0 + r) * g->a_row + k0, (unsigned long)k * sizeof(float));
}
