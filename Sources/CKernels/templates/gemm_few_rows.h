// C (+)= A·B + bias for a few rows of A, where B lies along k: what a decoder multiplies, bound by memory.
//
// LANES columns of B at a time, LANES of each along k: a block is transposed on the stack and multiplied at once, so that
// no panel is packed that few rows would use. B is read once and in order, LANES rows of its memory side by side; each
// block asks for the one FEW_ROWS_AHEAD floats further, into L2: rows a multiple of 4 KB apart share a set of L1.
//
// Registers: acc and total FEW_ROWS each, a column of the block, a broadcast; v_transpose has them all to itself.
// Assumptions: A's rows are contiguous, FEW_ROWS at most. An element is the same chain of fused multiply-adds over each
// CK_KC as a tile's, the chains added in the same order: the bits are those of any other number of rows.

#define FEW_ROWS 4
#define FEW_ROWS_AHEAD (8 * LANES)

_Static_assert(CK_KC % LANES == 0, "chains end with a block");

INLINE int few_rows_serve(const ck_gemm *g) {
  return g->m <= FEW_ROWS && g->a_k == 1 && g->b_k == 1 && g->b_col != 1;
}

// block[i·LANES + c] = B[i][c], i below depth; 0 for columns beyond those that there are.
INLINE void few_rows_block(const float *b, long b_col, long depth, long columns, float *block) {
  if (depth == LANES && columns >= LANES) {
    v_transpose(b, b_col, block, LANES);
    return;
  }
  for (long i = 0; i < depth; i++)
    for (long c = 0; c < LANES; c++) block[i * LANES + c] = c < columns ? b[c * b_col + i] : 0.0f;
}

// Asks for the block at p of the vector of columns at n, or what follows its end, that of the next vector.
INLINE void few_rows_prefetch(const ck_gemm *g, long n, long p) {
  if (p >= g->k) {
    p -= g->k;
    n += LANES;
    if (p >= g->k) return;
  }
  if (n + LANES > g->n) return;
  const float *b = g->b + n * g->b_col + p;
  for (int c = 0; c < LANES; c++) __builtin_prefetch(b + c * g->b_col, 0, 2);
}

// acc[r] += Σ a[r][i]·block[i], ascending i.
INLINE void few_rows_multiply(int rows, long depth, const float *a, long a_row, const float *block, vf *acc) {
  for (long i = 0; i < depth; i++) {
    vf column = v_load(block + i * LANES);
    UNROLL for (int r = 0; r < rows; r++) acc[r] = v_fma(v_set1(a[r * a_row + i]), column, acc[r]);
  }
}

INLINE void few_rows_vector(int rows, const ck_gemm *g, long n) {
  float block[LANES * LANES];
  const float *b = g->b + n * g->b_col;
  long columns = g->n - n;
  vf total[FEW_ROWS];
  for (long k0 = 0; k0 < g->k; k0 += CK_KC) {
    long end = g->k - k0 < CK_KC ? g->k : k0 + CK_KC;
    vf acc[FEW_ROWS];
    UNROLL for (int r = 0; r < rows; r++) acc[r] = v_zero();
    for (long p = k0; p < end; p += LANES) {
      long depth = end - p < LANES ? end - p : LANES;
      few_rows_prefetch(g, n, p + FEW_ROWS_AHEAD);
      few_rows_block(b + p, g->b_col, depth, columns, block);
      // A constant where it can be: the loop is unrolled then.
      if (depth == LANES) few_rows_multiply(rows, LANES, g->a + p, g->a_row, block, acc);
      else few_rows_multiply(rows, depth, g->a + p, g->a_row, block, acc);
    }
    UNROLL for (int r = 0; r < rows; r++) {
      if (k0 > 0) {
        total[r] = v_add(total[r], acc[r]);
        continue;
      }
      total[r] = g->bias ? v_add(acc[r], v_load_some(g->bias + n, columns)) : acc[r];
      if (g->accumulate) total[r] = v_add(v_load_some(g->c + r * g->ldc + n, columns), total[r]);
    }
  }
  UNROLL for (int r = 0; r < rows; r++) v_store_some(g->c + r * g->ldc + n, columns, total[r]);
}

INLINE void few_rows_of(int rows, const ck_gemm *g) {
  for (long n = 0; n < g->n; n += LANES) few_rows_vector(rows, g, n);
}

// The number of rows must be a constant for the accumulators to stay in registers: one instance a count.
static __attribute__((noinline)) void few_rows(const ck_gemm *g) {
  switch (g->m) {
    case 1: few_rows_of(1, g); break;
    case 2: few_rows_of(2, g); break;
    case 3: few_rows_of(3, g); break;
    case 4: few_rows_of(4, g); break;
  }
  if (g->epilogue != CK_NO_EPILOGUE) epilogue_of(g, 0, g->m, 0, g->n);
}
