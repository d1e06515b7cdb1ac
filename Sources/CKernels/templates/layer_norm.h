// Layer normalisation of rows: y = (x − μ)·ρ·weight + bias, ρ = 1/√(σ² + ε).
//
// The variance is taken of x − μ in a second sweep over the row, which is in L1 by then: the difference of mean
// squares would lose half of the digits where |μ| ≫ σ.

INLINE float row_squared_deviation(const float *x, long n, float mean) {
  vf sum = v_zero(), m = v_set1(mean);
  for (long i = 0; i < n; i += LANES) {
    vf d = v_select_some(n - i, v_sub(v_load_some(x + i, n - i), m), v_zero());
    sum = v_fma(d, d, sum);
  }
  return v_sum(sum);
}

static void layer_norm_forward(const float *x, const float *weight, const float *bias, float epsilon, long rows, long c,
                               float *y, float *mean, float *rstd) {
  for (long r = 0; r < rows; r++, x += c, y += c) {
    float mu = row_sum(x, c) / (float)c;
    float rho = 1.0f / __builtin_sqrtf(row_squared_deviation(x, c, mu) / (float)c + epsilon);
    mean[r] = mu;
    rstd[r] = rho;
    vf m = v_set1(mu), s = v_set1(rho);
    for (long i = 0; i < c; i += LANES) {
      long left = c - i;
      vf normalised = v_mul(v_sub(v_load_some(x + i, left), m), s);
      v_store_some(y + i, left, v_fma(normalised, v_load_some(weight + i, left), v_load_some(bias + i, left)));
    }
  }
}

// One row: dx += ρ·(n' − mean(n') − n·mean(n'·n)), where n = (x − μ)·ρ and n' = dout·weight.
INLINE void layer_norm_backward_row(const float *dout, const float *x, const float *weight, float mean, float rstd,
                                    long c, int first, float *dx, float *dweight, float *dbias) {
  vf m = v_set1(mean), s = v_set1(rstd), sum = v_zero(), sum_normalised = v_zero();
  for (long i = 0; i < c; i += LANES) {
    long left = c - i;
    vf d = v_load_some(dout + i, left);
    vf normalised = v_mul(v_sub(v_load_some(x + i, left), m), s);
    vf dnormalised = v_mul(d, v_load_some(weight + i, left));
    sum = v_add(sum, dnormalised);
    sum_normalised = v_fma(dnormalised, normalised, sum_normalised);  // beyond the tail dnormalised is 0
    vf dw = first ? v_zero() : v_load_some(dweight + i, left), db = first ? v_zero() : v_load_some(dbias + i, left);
    v_store_some(dweight + i, left, v_fma(d, normalised, dw));
    v_store_some(dbias + i, left, v_add(d, db));
  }
  vf average = v_set1(v_sum(sum) / (float)c), average_normalised = v_set1(v_sum(sum_normalised) / (float)c);
  for (long i = 0; i < c; i += LANES) {
    long left = c - i;
    vf normalised = v_mul(v_sub(v_load_some(x + i, left), m), s);
    vf dnormalised = v_mul(v_load_some(dout + i, left), v_load_some(weight + i, left));
    vf centred = v_sub(v_sub(dnormalised, average), v_mul(normalised, average_normalised));
    v_store_some(dx + i, left, v_fma(centred, s, v_load_some(dx + i, left)));
  }
}

static void layer_norm_backward(const float *dout, const float *x, const float *weight, const float *mean,
                                const float *rstd, long rows, long c, float *dx, float *dweight, float *dbias) {
  for (long r = 0; r < rows; r++)
    layer_norm_backward_row(dout + r * c, x + r * c, weight, mean[r], rstd[r], c, r == 0, dx + r * c, dweight, dbias);
}
