// Sums over rows and columns of a matrix, and element-wise addition.
//
// A row is summed in 16 lanes (element i goes to lane i mod 16), then by the fixed tree of v_sum.

INLINE float row_sum(const float *x, long n) {
  vf sum = v_zero();
  for (long i = 0; i < n; i += LANES) sum = v_add(sum, v_load_some(x + i, n - i));
  return v_sum(sum);
}

INLINE float row_dot(const float *x, const float *y, long n) {
  vf sum = v_zero();
  for (long i = 0; i < n; i += LANES) sum = v_fma(v_load_some(x + i, n - i), v_load_some(y + i, n - i), sum);
  return v_sum(sum);
}

INLINE float row_max(const float *x, long n) {
  vf least = v_set1(-__builtin_inff()), max = least;
  for (long i = 0; i < n; i += LANES) max = v_max(v_select_some(n - i, v_load_some(x + i, n - i), least), max);
  return v_largest(max);
}

// Returns Σ exp(x − max); keeps the terms in y unless that is NULL. y may be x.
INLINE float row_exp_sum(const float *x, long n, float max, float *y) {
  vf sum = v_zero(), shift = v_set1(max);
  for (long i = 0; i < n; i += LANES) {
    vf e = v_exp(v_sub(v_load_some(x + i, n - i), shift));
    if (y) v_store_some(y + i, n - i, e);
    sum = v_add(sum, v_select_some(n - i, e, v_zero()));
  }
  return v_sum(sum);
}

INLINE void row_scale(float *x, long n, float factor) {
  vf f = v_set1(factor);
  for (long i = 0; i < n; i += LANES) v_store_some(x + i, n - i, v_mul(v_load_some(x + i, n - i), f));
}

INLINE void row_zero(float *x, long n) { __builtin_memset(x, 0, (unsigned long)n * sizeof *x); }

static void add(const float *a, const float *b, long n, float *out) {
  for (long i = 0; i < n; i += LANES)
    v_store_some(out + i, n - i, v_add(v_load_some(a + i, n - i), v_load_some(b + i, n - i)));
}

static void combine(float a, const float *x, float b, const float *y, long n, float *out) {
  for (long i = 0; i < n; i += LANES)
    v_store_some(
        out + i, n - i,
        v_fma(v_set1(a), v_load_some(x + i, n - i), v_mul(v_set1(b), v_load_some(y + i, n - i))));
}

// Rows are summed in blocks of CK_SUM_ROWS, the blocks' sums in ascending order: the error grows with
// rows / CK_SUM_ROWS + CK_SUM_ROWS rather than with rows. Four chains side by side hide the latency of an addition.
INLINE void column_sum_of(const float *x, long rows, long columns, long ld, int vectors, int accumulate, float *out) {
  vf total[4];
  for (int j = 0; j < vectors; j++) {
    long left = columns - j * LANES;
    total[j] = accumulate ? v_load_some(out + j * LANES, left) : v_zero();
  }
  for (long start = 0; start < rows; start += CK_SUM_ROWS) {
    long end = rows - start < CK_SUM_ROWS ? rows : start + CK_SUM_ROWS;
    vf sum[4] = {v_zero(), v_zero(), v_zero(), v_zero()};
    for (long r = start; r < end; r++)
      for (int j = 0; j < vectors; j++)
        sum[j] = v_add(sum[j], v_load_some(x + r * ld + j * LANES, columns - j * LANES));
    for (int j = 0; j < vectors; j++) total[j] = v_add(total[j], sum[j]);
  }
  for (int j = 0; j < vectors; j++) v_store_some(out + j * LANES, columns - j * LANES, total[j]);
}

static void column_sum(const float *x, long rows, long columns, long ld, int accumulate, float *out) {
  long c = 0;
  for (; c + 4 * LANES <= columns; c += 4 * LANES)
    column_sum_of(x + c, rows, 4 * LANES, ld, 4, accumulate, out + c);
  for (; c < columns; c += LANES) column_sum_of(x + c, rows, columns - c, ld, 1, accumulate, out + c);
}

static void squared_norms(const float *x, long rows, long c, float *squares) {
  for (long r = 0; r < rows; r++) squares[r] = row_dot(x + r * c, x + r * c, c);
}
