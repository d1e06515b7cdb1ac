// C (+)= A·B + bias on one thread: blocks of B are packed into scratch that stays in L2, tiles sweep over them.
//
//   for columns in blocks of NC, for k in blocks of KC: pack B(KC,NC)
//     for rows in blocks of MC: pack A(MC,KC) if its rows are contiguous; for each panel of B, each tile of rows
//
// The scratch is NC·KC + MC·KC floats and one vector. A panel of B is 8 KB · NV and stays in L1 while the rows pass.

#define GEMM_NC 256
#define GEMM_MC 192
#define GEMM_SCRATCH ((GEMM_NC + GEMM_MC) * CK_KC + LANES)

static void gemm(const ck_gemm *g, float *scratch) {
  float *packed_b = scratch, *packed_a = scratch + GEMM_NC * CK_KC;
  int a_in_place = g->a_k == 1;
  for (long n0 = 0; n0 < g->n; n0 += GEMM_NC) {
    long n = g->n - n0 < GEMM_NC ? g->n - n0 : GEMM_NC;
    for (long k0 = 0; k0 < g->k; k0 += CK_KC) {
      long k = g->k - k0 < CK_KC ? g->k - k0 : CK_KC;
      int accumulate = g->accumulate || k0 > 0;
      pack_b(g, k0, k, n0, n, packed_b);
      for (long m0 = 0; m0 < g->m; m0 += GEMM_MC) {
        long m = g->m - m0 < GEMM_MC ? g->m - m0 : GEMM_MC;
        if (!a_in_place) pack_a(g, m0, m, k0, k, packed_a);
        for (long c = 0; c < n; c += NR) {
          long columns = n - c < NR ? n - c : NR;
          const float *bias = g->bias && k0 == 0 ? g->bias + n0 + c : 0;
          for (long r = 0; r < m; r += MR) {
            int rows = (int)(m - r < MR ? m - r : MR);
            float *to = g->c + (m0 + r) * g->ldc + n0 + c;
            const float *b = packed_b + c * k;
            if (a_in_place)
              tile_in_place(rows, k, g->a + (m0 + r) * g->a_row + k0, g->a_row, b, bias, accumulate, columns, to, g->ldc);
            else
              tile_packed(rows, k, packed_a + r * k, b, bias, accumulate, columns, to, g->ldc);
          }
        }
      }
    }
  }
}
