// The backward pass of causal self-attention over bfloat16: attention_backward.h with five products of pairs.
//
//   S = Q·Kᵀ, dP = dO·Vᵀ in pairs along the head   dV = Pᵀ·dO, dK = dSᵀ·Q along queries   dQ = dS·K along keys
//
// P and dS are computed in float from the same log Σ exp, dS from P before it is rounded; each is rounded once. Two rows
// of scores become one row of pairs in the place of the first of them, which dV and dK take down their columns; dS also
// becomes rows of pairs along keys for dQ.

typedef struct {
  float *weights, *dscores;                           // blocks of float, then of pairs of rows
  uint16_t *dscore_rows;                              // a block
  float *keys, *values, *key_rows, *queries, *douts;  // panels: Kᵀ, Vᵀ, K, Q, dO
  float *copy;                                        // a panel of A
  float *dots;                                        // D of each query
} bf16_attention_backward_scratch;

// Pairs of rows of a block lie so far apart.
#define BF16_ATTENTION_ROW_PAIR (2 * CK_ATTENTION_BLOCK)

_Static_assert(3 * ATTENTION_SCORES + 6 * BF16_ATTENTION_PANEL <= ATTENTION_SCRATCH, "operands of half the size fit");

INLINE bf16_attention_backward_scratch bf16_attention_backward_parts(float *scratch) {
  bf16_attention_backward_scratch s = {.weights = scratch};
  s.dscores = s.weights + ATTENTION_SCORES;
  float *rows = s.dscores + ATTENTION_SCORES;
  s.dscore_rows = (uint16_t *)rows;
  s.keys = rows + ATTENTION_SCORES / 2;
  s.values = s.keys + BF16_ATTENTION_PANEL;
  s.key_rows = s.values + BF16_ATTENTION_PANEL;
  s.queries = s.key_rows + BF16_ATTENTION_PANEL;
  s.douts = s.queries + BF16_ATTENTION_PANEL;
  s.copy = s.douts + BF16_ATTENTION_PANEL;
  s.dots = scratch + ATTENTION_SCRATCH;
  return s;
}

static float bf16_row_dot(const uint16_t *x, const uint16_t *y, long n) {
  vf sum = v_zero();
  for (long i = 0; i < n; i += LANES) sum = v_fma(bf16_expanded(x + i, n - i), bf16_expanded(y + i, n - i), sum);
  return v_sum(sum);
}

// What a row's weights and dS are computed with; `valid` of its keys are seen.
typedef struct {
  vf binary, scale, shift, dot;
  long valid;
} bf16_attention_row;

// `word` is that of dropout, or NULL.
INLINE void bf16_attention_dscore(const float *score, const float *dscore, long i, const bf16_attention_row *row,
                                  const ck_dropout *d, const vi *word, vf *weight, vf *change) {
  vf gradient = v_load(dscore + i);
  if (word) gradient = v_at_least(*word, dropout_least(d), gradient);
  *weight = v_exp2_flushed(v_fma(v_load(score + i), row->binary, row->shift));
  *change = v_mul(*weight, v_fma(gradient, row->scale, row->dot));
  if (word) *weight = v_at_least(*word, dropout_least(d), v_mul(*weight, v_set1(d->scale)));
  long left = row->valid - i;
  if (left >= LANES) return;
  vm tail = v_tail(left < 0 ? 0 : left);
  *weight = v_select_tail(tail, *weight, v_zero());
  *change = v_select_tail(tail, *change, v_zero());
}

INLINE bf16_attention_row bf16_attention_row_of(const ck_bf16_attention_backward *p, long query, long valid,
                                                const bf16_attention_backward_scratch *s) {
  float scale = attention_scale(p->head_size), factor = p->dropout.threshold ? scale * p->dropout.scale : scale;
  return (bf16_attention_row){.binary = v_set1(attention_binary_scale(p->head_size)), .scale = v_set1(factor),
                              .shift = v_set1(valid ? -LOG2_E * p->log_sum_exp[query] : 0.0f),
                              .dot = v_set1(valid ? -scale * s->dots[query - p->first] : 0.0f), .valid = valid};
}

// Turns a block's scores into P and its dP into dS, zeros from the row's own position on. A row after the last is 0.
// With dropout, which may be NULL, they become P∘M and P∘(M∘dP − D)/√hs.
INLINE void bf16_attention_dscores_of(const ck_bf16_attention_backward *p, long query, long rows, long key, long keys,
                                      const ck_dropout *d, const bf16_attention_backward_scratch *s) {
  int diagonal = query == key;
  for (long r = 0; r < rows; r += 2) {
    float *score = s->weights + r * CK_ATTENTION_BLOCK, *dscore = s->dscores + r * CK_ATTENTION_BLOCK;
    uint16_t *along_keys = s->dscore_rows + r * CK_ATTENTION_BLOCK;
    bf16_attention_row even = bf16_attention_row_of(p, query + r, diagonal ? r + 1 : keys, s);
    bf16_attention_row odd = bf16_attention_row_of(p, query + r + 1, r + 1 == rows ? 0 : diagonal ? r + 2 : keys, s);
    long group_end = (r / CK_ATTENTION_GROUP + 1) * CK_ATTENTION_GROUP;
    long end = diagonal ? attention_least(group_end, keys) : keys;
    vi words[2][4];
    for (long i = 0; i < end; i += 2 * LANES) {
      if (d && i % DROPOUT_COLUMNS == 0)
        for (int j = 0; j < 2; j++) dropout_words(d, query + r + j, key + i, words[j]);
      vf weight[2][2], change[2][2];
      UNROLL for (int j = 0; j < 2; j++) {
        long at = i + j * LANES, word = at % DROPOUT_COLUMNS / LANES;
        bf16_attention_dscore(score, dscore, at, &even, d, d ? words[0] + word : 0, &weight[0][j], &change[0][j]);
        bf16_attention_dscore(score + CK_ATTENTION_BLOCK, dscore + CK_ATTENTION_BLOCK, at, &odd, d,
                              d ? words[1] + word : 0, &weight[1][j], &change[1][j]);
      }
      UNROLL for (int j = 0; j < 2; j++) {
        vi_store(score + i + j * LANES, v_rounded_pairs(weight[0][j], weight[1][j]));
        vi_store(dscore + i + j * LANES, v_rounded_pairs(change[0][j], change[1][j]));
        vi_store(along_keys + i + j * CK_ATTENTION_BLOCK, v_rounded(change[j][0], change[j][1]));
      }
    }
  }
}

static void bf16_attention_dscores(const ck_bf16_attention_backward *p, long query, long rows, long key, long keys,
                                   const bf16_attention_backward_scratch *s) {
  if (p->dropout.threshold) bf16_attention_dscores_of(p, query, rows, key, keys, &p->dropout, s);
  else bf16_attention_dscores_of(p, query, rows, key, keys, 0, s);
}

// The three gradients that a block of P and dS gives, for the head's channels d..<d+width.
static void bf16_attention_gradients(const ck_bf16_attention_backward *p, long query, long rows, long key, long keys,
                                     long d, long width, int fresh, const bf16_attention_backward_scratch *s) {
  int diagonal = query == key;
  attention_view douts = bf16_attention_pack(p->dout + query * p->ld_out + d, p->ld_out, rows, width, s->douts);
  attention_product dv = {.a = s->weights, .a_row = 1, .a_k = BF16_ATTENTION_ROW_PAIR, .b = douts.rows,
                          .ldb = douts.ld, .c = p->dv + key * p->ld_sums + d, .ldc = p->ld_sums, .m = keys,
                          .n = width, .k = rows, .keep = diagonal ? 0 : attention_ones,
                          .part = diagonal ? DEPTH_FROM_START : WHOLE_BLOCK};
  bf16_attention_multiply(&dv);
  attention_view queries = bf16_attention_pack(p->q + query * p->ld + d, p->ld, rows, width, s->queries);
  attention_product dk = dv;
  dk.a = s->dscores;
  dk.b = queries.rows;
  dk.c = p->dk + key * p->ld_sums + d;
  bf16_attention_multiply(&dk);
  attention_view key_rows = {s->key_rows, (width + LANES - 1) / LANES * LANES};
  if (fresh || p->head_size > CK_ATTENTION_DEPTH)
    key_rows = bf16_attention_pack(p->k + key * p->ld + d, p->ld, keys, width, s->key_rows);
  attention_product dq = {.a = (const float *)s->dscore_rows, .a_row = CK_ATTENTION_BLOCK / 2, .a_k = 1,
                          .b = key_rows.rows, .ldb = key_rows.ld, .c = p->dq + (query - p->first) * p->ld_dq + d,
                          .ldc = p->ld_dq, .m = rows, .n = width, .k = keys,
                          .keep = key == p->first ? 0 : attention_ones,
                          .part = diagonal ? DEPTH_BEFORE_END : WHOLE_BLOCK};
  bf16_attention_multiply(&dq);
}

static void bf16_attention_backward_block(const ck_bf16_attention_backward *p, long query, long rows, long key,
                                          long keys, int fresh, const bf16_attention_backward_scratch *s) {
  long hs = p->head_size;
  int diagonal = query == key;
  attention_part part = diagonal ? COLUMNS_BEFORE_END : WHOLE_BLOCK;
  bf16_attention_scores(p->q + query * p->ld, p->ld, rows, p->k + key * p->ld, p->ld, keys, hs, fresh, part, s->keys,
                        s->copy, s->weights);
  bf16_attention_scores(p->dout + query * p->ld_out, p->ld_out, rows, p->v + key * p->ld, p->ld, keys, hs, fresh, part,
                        s->values, s->copy, s->dscores);
  bf16_attention_dscores(p, query, rows, key, keys, s);
  for (long d = 0; d < hs; d += CK_ATTENTION_DEPTH)
    bf16_attention_gradients(p, query, rows, key, keys, d, attention_least(CK_ATTENTION_DEPTH, hs - d), fresh, s);
}

static void bf16_attention_backward_of_one_key(const ck_bf16_attention_backward *p) {
  unsigned long bytes = (unsigned long)p->head_size * sizeof *p->rounded_dv;
  __builtin_memset(p->rounded_dq, 0, bytes);
  __builtin_memset(p->rounded_dk, 0, bytes);
  __builtin_memcpy(p->rounded_dv, p->dout, bytes);
  if (!p->dropout.threshold) return;
  vf factor = v_set1(dropout_first(&p->dropout));
  for (long i = 0; i < p->head_size; i += LANES) {
    float part[LANES];
    v_store(part, v_mul(bf16_expanded(p->dout + i, p->head_size - i), factor));
    bf16_round(part, attention_least(LANES, p->head_size - i), p->rounded_dv + i);
  }
}

static void bf16_attention_backward(const ck_bf16_attention_backward *p, float *scratch) {
  if (p->t == 1) return bf16_attention_backward_of_one_key(p);
  bf16_attention_backward_scratch s = bf16_attention_backward_parts(scratch);
  for (long t = p->first; t < p->t; t++)
    s.dots[t - p->first] = bf16_row_dot(p->dout + t * p->ld_out, p->out + t * p->ld_out, p->head_size);
  for (long key = p->first; key < p->first + p->count; key += CK_ATTENTION_BLOCK) {
    long keys = attention_least(CK_ATTENTION_BLOCK, p->t - key), at = key * p->ld_sums, to = key * p->ld_rounded;
    for (long query = key; query < p->t; query += CK_ATTENTION_BLOCK)
      bf16_attention_backward_block(p, query, attention_least(CK_ATTENTION_BLOCK, p->t - query), key, keys,
                                    query == key, &s);
    bf16_attention_round(p->dk + at, p->ld_sums, keys, p->head_size, p->rounded_dk + to, p->ld_rounded);
    bf16_attention_round(p->dv + at, p->ld_sums, keys, p->head_size, p->rounded_dv + to, p->ld_rounded);
  }
  if (p->rounded_dq)
    bf16_attention_round(p->dq, p->ld_dq, p->count, p->head_size, p->rounded_dq, p->ld_rounded);
}
