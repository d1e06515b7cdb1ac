// AdamW with decoupled weight decay (Loshchilov, Hutter 2019, arXiv:1711.05101), in one sweep over the parameters:
//
//   m = β₁m + (1−β₁)g   v = β₂v + (1−β₂)g²   p −= lr·((m/(1−β₁ᵗ)) / (√(v/(1−β₂ᵗ)) + ε) + decay·p)
//
// 16 bytes read and 12 written an element: memory-bound.

static void adamw(float *parameters, const float *gradients, float *m, float *v, long n, const ck_adamw *a) {
  for (long i = 0; i < n; i += LANES) {
    long left = n - i;
    vf g = v_mul(v_load_some(gradients + i, left), v_set1(a->gradient_scale));
    vf first = v_fma(v_set1(a->beta1), v_load_some(m + i, left), v_mul(v_set1(a->one_minus_beta1), g));
    vf second = v_fma(v_set1(a->beta2), v_load_some(v + i, left), v_mul(v_mul(v_set1(a->one_minus_beta2), g), g));
    vf root = v_sqrt(v_mul(second, v_set1(a->second_correction)));
    vf step = v_div(v_mul(first, v_set1(a->first_correction)), v_add(root, v_set1(a->epsilon)));
    vf parameter = v_load_some(parameters + i, left);
    vf total = v_fma(v_set1(a->weight_decay), parameter, step);
    v_store_some(m + i, left, first);
    v_store_some(v + i, left, second);
    v_store_some(parameters + i, left, v_fma(v_set1(-a->learning_rate), total, parameter));
  }
}
