// Stochastic gradient descent with momentum (Sutskever et al. 2013), in one sweep over the parameters:
//
//   d = g + decay·p   u = μ·u + d   p −= lr·u, or Nesterov's p −= lr·(d + μ·u); without u p −= lr·d
//
// 12 bytes read and 8 written an element, 8 and 4 without momentum: memory-bound.

static void sgd(float *parameters, const float *gradients, float *momentum, long n, const ck_sgd *a) {
  for (long i = 0; i < n; i += LANES) {
    long left = n - i;
    vf parameter = v_load_some(parameters + i, left);
    vf g = v_mul(v_load_some(gradients + i, left), v_set1(a->gradient_scale));
    vf d = v_fma(v_set1(a->weight_decay), parameter, g);
    if (momentum) {
      vf u = v_fma(v_set1(a->momentum), v_load_some(momentum + i, left), d);
      v_store_some(momentum + i, left, u);
      d = a->nesterov ? v_fma(v_set1(a->momentum), u, d) : u;
    }
    v_store_some(parameters + i, left, v_fma(v_set1(-a->learning_rate), d, parameter));
  }
}
