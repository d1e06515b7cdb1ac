// Softmax and cross-entropy over the v real columns of a row; columns v..<ld are padding.

static void cross_entropy_forward(const float *logits, const int32_t *targets, long rows, long v, long ld,
                                  float *losses, float *log_sum_exp) {
  for (long r = 0; r < rows; r++, logits += ld) {
    float max = row_max(logits, v);
    log_sum_exp[r] = max + scalar_log(row_exp_sum(logits, v, max, 0));
    losses[r] = log_sum_exp[r] - logits[targets[r]];
  }
}

static void cross_entropy_backward(const float *logits, const int32_t *targets, const float *log_sum_exp, float scale,
                                   long rows, long v, long ld, float *dlogits) {
  for (long r = 0; r < rows; r++, logits += ld, dlogits += ld) {
    vf shift = v_set1(log_sum_exp[r]), factor = v_set1(scale);
    for (long i = 0; i < v; i += LANES) {
      long left = v - i;
      v_store_some(dlogits + i, left, v_mul(v_exp(v_sub(v_load_some(logits + i, left), shift)), factor));
    }
    dlogits[targets[r]] -= scale;
    row_zero(dlogits + v, ld - v);
  }
}
