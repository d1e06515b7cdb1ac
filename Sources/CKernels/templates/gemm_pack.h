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

// Each row of k is stored as whole vectors; the next one overwrites the excess, so the scratch is a vector longer.
static void pack_a(const ck_gemm *g, long m0, long m, long k0, long k, float *packed) {
  for (long r = 0; r < m; r += MR) {
    const float *a = g->a + (m0 + r) + k0 * g->a_k;
    vm rows = v_tail(m - r < MR ? m - r : MR);
    for (long p = 0; p < k; p++) v_store(packed + r * k + p * MR, v_load_tail(a + p * g->a_k, rows));
  }
}
