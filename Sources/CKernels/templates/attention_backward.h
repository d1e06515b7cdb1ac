// The backward pass of causal self-attention: the keys first..<first+count of one head, and all queries that see them.
//
//   P = exp(Q·Kᵀ/√hs − log_sum_exp)   dP = dO·Vᵀ   dS = P∘(dP − D)/√hs, D = rowsum(dO∘out)
//   dV = Pᵀ·dO   dK = dSᵀ·Q   dQ = dS·K
//
// With dropout dV = (M∘P)ᵀ·dO and dS = P∘(M∘dP − D)/√hs; D is what it was, as out has M in it.
//
// For each block of keys, blocks of queries in ascending order: five products on operands in L2. dK and dV of the
// block's keys are complete after it; dQ is the part that these keys add, in ascending order of their blocks.
//
// Over one key the softmax is 1 whatever its score: dQ and dK are 0, not what rounding leaves of 1 − exp(s − s), by
// which an optimizer that divides by the gradient's own size would move the weights.
//
// Registers of the softmax: 4 vectors of scores and 4 of dP side by side to hide the latency of exp.

// The backward pass keeps a number for each of its queries as well, in whole vectors.
static long attention_scratch(long t) {
  long count = ATTENTION_SCRATCH + (t + LANES - 1) / LANES * LANES;
  return count > GEMM_SCRATCH ? count : GEMM_SCRATCH;
}

typedef struct {
  float *weights, *dscores;                       // blocks
  float *keys, *values, *key_rows, *queries, *douts;  // panels: Kᵀ, Vᵀ, K, Q, dO
  float *dots;                                    // D of each query
} attention_backward_scratch;

INLINE attention_backward_scratch attention_backward_parts(float *scratch) {
  attention_backward_scratch s = {.weights = scratch};
  s.dscores = s.weights + ATTENTION_SCORES;
  s.keys = s.dscores + ATTENTION_SCORES;
  s.values = s.keys + ATTENTION_PANEL;
  s.key_rows = s.values + ATTENTION_PANEL;
  s.queries = s.key_rows + ATTENTION_PANEL;
  s.douts = s.queries + ATTENTION_PANEL;
  s.dots = s.douts + ATTENTION_PANEL;
  return s;
}

INLINE void attention_dscore(float *score, float *dscore, long left, vf binary, vf scale, vf shift, vf dot) {
  vf weight = v_exp2_flushed(v_fma(v_load(score), binary, shift));
  vf change = v_mul(weight, v_fma(v_load(dscore), scale, dot));
  if (left < LANES) {
    long valid = left < 0 ? 0 : left;
    weight = v_select_tail(v_tail(valid), weight, v_zero());
    change = v_select_tail(v_tail(valid), change, v_zero());
  }
  v_store(score, weight);
  v_store(dscore, change);
}

// Turns a block's scores into P and its dP into dS, from the row's own position on 0.
static void attention_dscores(const ck_attention_backward *p, long query, long rows, long keys, int diagonal,
                              float scale, const attention_backward_scratch *s) {
  vf factor = v_set1(scale), binary = v_set1(attention_binary_scale(p->head_size));
  for (long r = 0; r < rows; r++) {
    float *score = s->weights + r * CK_ATTENTION_BLOCK, *dscore = s->dscores + r * CK_ATTENTION_BLOCK;
    vf shift = v_set1(-LOG2_E * p->log_sum_exp[query + r]), dot = v_set1(-scale * s->dots[query - p->first + r]);
    long group_end = (r / CK_ATTENTION_GROUP + 1) * CK_ATTENTION_GROUP;
    long valid = diagonal ? r + 1 : keys, end = diagonal ? attention_least(group_end, keys) : keys, i = 0;
    for (; i + 4 * LANES <= valid; i += 4 * LANES)
      UNROLL for (int j = 0; j < 4; j++)
        attention_dscore(score + i + j * LANES, dscore + i + j * LANES, LANES, binary, factor, shift, dot);
    for (; i < end; i += LANES) attention_dscore(score + i, dscore + i, valid - i, binary, factor, shift, dot);
  }
}

// The same with dropout: P∘M and dS.
static void attention_dropped_dscores(const ck_attention_backward *p, long query, long rows, long key, long keys,
                                      int diagonal, float scale, const attention_backward_scratch *s) {
  vi least = dropout_least(&p->dropout);
  vf kept = v_set1(p->dropout.scale), factor = v_set1(scale * p->dropout.scale);
  vf binary = v_set1(attention_binary_scale(p->head_size));
  for (long r = 0; r < rows; r++) {
    float *score = s->weights + r * CK_ATTENTION_BLOCK, *dscore = s->dscores + r * CK_ATTENTION_BLOCK;
    vf shift = v_set1(-LOG2_E * p->log_sum_exp[query + r]), dot = v_set1(-scale * s->dots[query - p->first + r]);
    long group_end = (r / CK_ATTENTION_GROUP + 1) * CK_ATTENTION_GROUP;
    long valid = diagonal ? r + 1 : keys, end = diagonal ? attention_least(group_end, keys) : keys;
    for (long i = 0; i < end; i += DROPOUT_COLUMNS) {
      vi words[4];
      dropout_words(&p->dropout, query + r, key + i, words);
      UNROLL for (int j = 0; j < 4; j++) {
        long at = i + j * LANES, left = valid - at > 0 ? valid - at : 0;
        vf weight = v_exp2_flushed(v_fma(v_load(score + at), binary, shift));
        vf change = v_mul(weight, v_fma(v_at_least(words[j], least, v_load(dscore + at)), factor, dot));
        weight = v_at_least(words[j], least, v_mul(weight, kept));
        v_store(score + at, v_select_some(left, weight, v_zero()));
        v_store(dscore + at, v_select_some(left, change, v_zero()));
      }
    }
  }
}

// The three gradients that a block of P and dS gives, for the head's channels d..<d+width.
static void attention_gradients(const ck_attention_backward *p, long query, long rows, long key, long keys, long d,
                                long width, int fresh, const attention_backward_scratch *s) {
  int diagonal = query == key;
  attention_view douts = attention_pack(p->dout + query * p->ld_out + d, p->ld_out, rows, width, s->douts);
  attention_product dv = {.a = s->weights, .a_row = 1, .a_k = CK_ATTENTION_BLOCK, .b = douts.rows, .ldb = douts.ld,
                          .c = p->dv + key * p->ld_grad + d, .ldc = p->ld_grad, .m = keys, .n = width, .k = rows,
                          .keep = diagonal ? 0 : attention_ones, .part = diagonal ? DEPTH_FROM_START : WHOLE_BLOCK};
  attention_multiply(&dv);
  attention_view queries = attention_pack(p->q + query * p->ld + d, p->ld, rows, width, s->queries);
  attention_product dk = dv;
  dk.a = s->dscores;
  dk.b = queries.rows;
  dk.c = p->dk + key * p->ld_grad + d;
  attention_multiply(&dk);
  attention_view key_rows = {s->key_rows, (width + LANES - 1) / LANES * LANES};
  if (fresh || p->head_size > CK_ATTENTION_DEPTH)
    key_rows = attention_pack(p->k + key * p->ld + d, p->ld, keys, width, s->key_rows);
  attention_product dq = {.a = s->dscores, .a_row = CK_ATTENTION_BLOCK, .a_k = 1, .b = key_rows.rows,
                          .ldb = key_rows.ld, .c = p->dq + (query - p->first) * p->ld_dq + d, .ldc = p->ld_dq,
                          .m = rows, .n = width, .k = keys, .keep = key == p->first ? 0 : attention_ones,
                          .part = diagonal ? DEPTH_BEFORE_END : WHOLE_BLOCK};
  attention_multiply(&dq);
}

static void attention_backward_block(const ck_attention_backward *p, long query, long rows, long key, long keys,
                                     int fresh, const attention_backward_scratch *s) {
  long hs = p->head_size;
  int diagonal = query == key;
  attention_part part = diagonal ? COLUMNS_BEFORE_END : WHOLE_BLOCK;
  attention_scores(p->q + query * p->ld, p->ld, rows, p->k + key * p->ld, p->ld, keys, hs, fresh, part, s->keys,
                   s->queries, s->weights);
  attention_scores(p->dout + query * p->ld_out, p->ld_out, rows, p->v + key * p->ld, p->ld, keys, hs, fresh, part,
                   s->values, s->douts, s->dscores);
  if (p->dropout.threshold) attention_dropped_dscores(p, query, rows, key, keys, diagonal, attention_scale(hs), s);
  else attention_dscores(p, query, rows, keys, diagonal, attention_scale(hs), s);
  for (long d = 0; d < hs; d += CK_ATTENTION_DEPTH)
    attention_gradients(p, query, rows, key, keys, d, attention_least(CK_ATTENTION_DEPTH, hs - d), fresh, s);
}

static void attention_backward_of_one_key(const ck_attention_backward *p) {
  row_zero(p->dq, p->head_size);
  row_zero(p->dk, p->head_size);
  __builtin_memcpy(p->dv, p->dout, (unsigned long)p->head_size * sizeof *p->dv);
  if (p->dropout.threshold) row_scale(p->dv, p->head_size, dropout_first(&p->dropout));
}

static void attention_backward(const ck_attention_backward *p, float *scratch) {
  if (p->t == 1) return attention_backward_of_one_key(p);
  attention_backward_scratch s = attention_backward_parts(scratch);
  for (long t = p->first; t < p->t; t++)
    s.dots[t - p->first] = row_dot(p->dout + t * p->ld_out, p->out + t * p->ld_out, p->head_size);
  for (long key = p->first; key < p->first + p->count; key += CK_ATTENTION_BLOCK)
    for (long query = key; query < p->t; query += CK_ATTENTION_BLOCK)
      attention_backward_block(p, query, attention_least(CK_ATTENTION_BLOCK, p->t - query), key,
                               attention_least(CK_ATTENTION_BLOCK, p->t - key), query == key, &s);
}

// y += x
static void add_rows(const float *x, long ldx, long rows, long columns, float *y, long ldy) {
  for (long r = 0; r < rows; r++) add(y + r * ldy, x + r * ldx, columns, y + r * ldy);
}
