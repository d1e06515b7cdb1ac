// Causal self-attention of one head, in blocks of CK_ATTENTION_ROWS queries.
//
//   forward    S = Q·Kᵀ/√hs   P = softmax(S, keys ≤ query)   out = P·V   log_sum_exp = log Σ exp S
//   backward   dV = Pᵀ·dO   dP = dO·Vᵀ   dS = P∘(dP − rowsum(dO∘out))/√hs   dQ = dS·K   dK = dSᵀ·Q
//
// A block's scores over all its keys stay in scratch (L2); the T × T matrix never exists, and the backward pass
// rebuilds P from the log-sum-exp (Dao 2023, arXiv:2307.08691). Keys after the block's last query are never computed;
// within the block those after a row's own position are set to 0.

static long attention_stride(long t) { return (t + LANES - 1) / LANES * LANES; }

static long attention_scratch(long t) { return GEMM_SCRATCH + 2 * CK_ATTENTION_ROWS * attention_stride(t); }

INLINE float attention_scale(long head_size) { return 1.0f / __builtin_sqrtf((float)head_size); }

INLINE void attention_keep(const float *row, long valid, long t, float *to) {
  __builtin_memcpy(to, row, (unsigned long)valid * sizeof *row);
  row_zero(to + valid, t - valid);
}

static void attention_forward(const ck_attention_forward *p, float *scratch) {
  long keys = p->first + p->rows, ld = attention_stride(p->t);
  float *scores = scratch + GEMM_SCRATCH, scale = attention_scale(p->head_size);
  const float *q = p->q + p->first * p->ld;
  ck_gemm products = {.a = q, .a_row = p->ld, .a_k = 1, .b = p->k, .b_k = 1, .b_col = p->ld,
                      .c = scores, .ldc = ld, .m = p->rows, .n = keys, .k = p->head_size};
  gemm(&products, scratch);
  for (long r = 0; r < p->rows; r++) {
    long position = p->first + r, valid = position + 1;
    float *row = scores + r * ld;
    row_scale(row, valid, scale);
    if (p->preatt) attention_keep(row, valid, p->t, p->preatt + position * p->t);
    float max = row_max(row, valid);
    float sum = row_exp_sum(row, valid, max, row);
    row_scale(row, valid, 1.0f / sum);
    row_zero(row + valid, keys - valid);
    if (p->att) attention_keep(row, valid, p->t, p->att + position * p->t);
    p->log_sum_exp[position] = max + scalar_log(sum);
  }
  ck_gemm mix = {.a = scores, .a_row = ld, .a_k = 1, .b = p->v, .b_k = p->ld, .b_col = 1,
                 .c = p->out + p->first * p->ld_out, .ldc = p->ld_out, .m = p->rows, .n = p->head_size, .k = keys};
  gemm(&mix, scratch);
}

// Turns the row's scores into P and its dP into dS.
INLINE void attention_backward_row(float *score, float *dscore, long valid, long keys, float scale, float log_sum_exp,
                                   float dot) {
  vf s = v_set1(scale), shift = v_set1(log_sum_exp), d = v_set1(dot);
  for (long i = 0; i < valid; i += LANES) {
    long left = valid - i;
    vf probability = v_exp(v_sub(v_mul(v_load_some(score + i, left), s), shift));
    v_store_some(score + i, left, probability);
    v_store_some(dscore + i, left, v_mul(v_mul(probability, v_sub(v_load_some(dscore + i, left), d)), s));
  }
  row_zero(score + valid, keys - valid);
  row_zero(dscore + valid, keys - valid);
}

// grad[keys] (+)= weightsᵀ·rows: keys of earlier blocks are added to, this block's own are written for the first time.
INLINE void attention_scatter(const float *weights, long ld, const float *from, long ld_from, long first, long rows,
                              long head_size, float *grad, long ld_grad, float *scratch) {
  ck_gemm g = {.a = weights, .a_row = 1, .a_k = ld, .b = from, .b_k = ld_from, .b_col = 1,
               .c = grad, .ldc = ld_grad, .m = first, .n = head_size, .k = rows, .accumulate = 1};
  if (first > 0) gemm(&g, scratch);
  g.a += first;
  g.c += first * ld_grad;
  g.m = rows;
  g.accumulate = 0;
  gemm(&g, scratch);
}

static void attention_backward(const ck_attention_backward *p, float *scratch) {
  long ld = attention_stride(p->t), hs = p->head_size;
  float *scores = scratch + GEMM_SCRATCH, *dscores = scores + CK_ATTENTION_ROWS * ld;
  float scale = attention_scale(hs);
  for (long first = 0; first < p->t; first += CK_ATTENTION_ROWS) {
    long rows = p->t - first < CK_ATTENTION_ROWS ? p->t - first : CK_ATTENTION_ROWS, keys = first + rows;
    const float *q = p->q + first * p->ld, *dout = p->dout + first * p->ld_out, *out = p->out + first * p->ld_out;
    ck_gemm g = {.a = q, .a_row = p->ld, .a_k = 1, .b = p->k, .b_k = 1, .b_col = p->ld,
                 .c = scores, .ldc = ld, .m = rows, .n = keys, .k = hs};
    gemm(&g, scratch);
    g.a = dout; g.a_row = p->ld_out; g.b = p->v; g.c = dscores;
    gemm(&g, scratch);
    for (long r = 0; r < rows; r++)
      attention_backward_row(scores + r * ld, dscores + r * ld, first + r + 1, keys, scale, p->log_sum_exp[first + r],
                             row_dot(dout + r * p->ld_out, out + r * p->ld_out, hs));
    attention_scatter(scores, ld, dout, p->ld_out, first, rows, hs, p->dv, p->ld_grad, scratch);
    attention_scatter(dscores, ld, q, p->ld, first, rows, hs, p->dk, p->ld_grad, scratch);
    ck_gemm dq = {.a = dscores, .a_row = ld, .a_k = 1, .b = p->k, .b_k = p->ld, .b_col = 1,
                  .c = p->dq + first * p->ld_grad, .ldc = p->ld_grad, .m = rows, .n = hs, .k = keys};
    gemm(&dq, scratch);
  }
}
