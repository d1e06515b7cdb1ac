// Softmax and cross-entropy over the v real columns of a row; columns v..<ld are padding.

static void cross_entropy_forward(const float *logits, const int32_t *targets, long rows, long v, long ld,
                                  float *losses, float *log_sum_exp) {
  for (long r = 0; r < rows; r++, logits += ld) {
    float max = row_max(logits, v);
    log_sum_exp[r] = max + scalar_log(row_exp_sum(logits, v, max, 0));
    losses[r] = log_sum_exp[r] - logits[targets[r]];
  }
}

// n columns of a row; the target may lie outside.
INLINE void cross_entropy_gradient(const float *logits, long n, long target, float log_sum_exp, float scale,
                                   float *dlogits) {
  vf shift = v_set1(log_sum_exp), factor = v_set1(scale);
  for (long i = 0; i < n; i += LANES) {
    long left = n - i;
    v_store_some(dlogits + i, left, v_mul(v_exp(v_sub(v_load_some(logits + i, left), shift)), factor));
  }
  if (target >= 0 && target < n) dlogits[target] -= scale;
}

static void cross_entropy_backward(const float *logits, const int32_t *targets, const float *log_sum_exp, float scale,
                                   long rows, long v, long ld, float *dlogits) {
  for (long r = 0; r < rows; r++, logits += ld, dlogits += ld) {
    cross_entropy_gradient(logits, v, targets[r], log_sum_exp[r], scale, dlogits);
    row_zero(dlogits + v, ld - v);
  }
}

#define CROSS_ENTROPY_PIECE (32 * LANES)

// A piece that stays in L1 until it is rounded: a row's gradient may lie where its logits begin.
static void bf16_cross_entropy_backward(const float *logits, const int32_t *targets, const float *log_sum_exp,
                                        float scale, long rows, long v, long ld, uint16_t *dlogits, long ld_dlogits) {
  for (long r = 0; r < rows; r++, logits += ld, dlogits += ld_dlogits)
    for (long i = 0; i < v; i += CROSS_ENTROPY_PIECE) {
      float piece[CROSS_ENTROPY_PIECE];
      long n = v - i < CROSS_ENTROPY_PIECE ? v - i : CROSS_ENTROPY_PIECE;
      cross_entropy_gradient(logits + i, n, targets[r] - i, log_sum_exp[r], scale, piece);
      bf16_round(piece, n, dlogits + i);
    }
}
