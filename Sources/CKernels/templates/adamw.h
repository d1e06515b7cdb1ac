// AdamW with decoupled weight decay (Loshchilov, Hutter 2019, arXiv:1711.05101), in one sweep over the parameters:
//
//   m = β₁m + (1−β₁)g   v = β₂v + (1−β₂)g²   p −= lr·((m/(1−β₁ᵗ)) / (√(v/(1−β₂ᵗ)) + ε) + decay·p)
//
// 16 bytes read and 12 written an element: memory-bound. The squared norm of g costs nothing beside that.

INLINE vf adamw_step(float *p, const float *gradient, float *m, float *v, long left, const ck_adamw *a) {
  vf g = v_load_some(gradient, left), scaled = v_mul(g, v_set1(a->gradient_scale));
  vf first = v_fma(v_set1(a->beta1), v_load_some(m, left), v_mul(v_set1(a->one_minus_beta1), scaled));
  vf second = v_fma(v_set1(a->beta2), v_load_some(v, left),
                    v_mul(v_mul(v_set1(a->one_minus_beta2), scaled), scaled));
  vf root = v_sqrt(v_mul(second, v_set1(a->second_correction)));
  vf step = v_div(v_mul(first, v_set1(a->first_correction)), v_add(root, v_set1(a->epsilon)));
  vf parameter = v_load_some(p, left);
  vf total = v_fma(v_set1(a->weight_decay), parameter, step);
  v_store_some(m, left, first);
  v_store_some(v, left, second);
  v_store_some(p, left, v_fma(v_set1(-a->learning_rate), total, parameter));
  return g;
}

static void adamw(float *parameters, const float *gradients, float *m, float *v, long n, const ck_adamw *a, long unit,
                  float *squares) {
  for (long start = 0; start < n; start += unit) {
    long end = n - start < unit ? n : start + unit;
    vf sum = v_zero();
    for (long i = start; i < end; i += LANES) {
      long left = end - i;
      vf g = adamw_step(parameters + i, gradients + i, m + i, v + i, left, a);
      sum = v_fma(g, g, sum);
    }
    *squares++ = v_sum(sum);
  }
}
