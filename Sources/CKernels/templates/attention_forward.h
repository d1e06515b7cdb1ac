// The forward pass of causal self-attention: up to CK_ATTENTION_QUERIES queries of one head.
//
//   S = Q·Kᵀ/√hs   P = softmax(S, keys ≤ query)   out = P·V   log_sum_exp = log Σ exp S
//
// With dropout out = (M∘P)·V: weights that are not kept become 0 once they are in their sum.
//
// Scores are taken to base 2, s = q·k·log₂e/√hs. Blocks of keys come in ascending order; for each query there are the
// largest score so far, m, and in sixteen lanes Σ 2^(s − m): what earlier blocks left in the sum and in out is
// multiplied by 2^(m_old − m) (Milakov, Gimelshein 2018, arXiv:1805.02867). out is multiplied by 1/Σ as its last block
// is added, so scores exist one block at a time.
//
// Registers of the softmax: 4 vectors of scores side by side to hide the latency of exp; its constants from memory
// where the register file is small.

typedef struct {
  float *scores, *keys, *values, *queries;      // a block; panels
  float *max, *lanes, *operand_lanes;           // of each query of the task: m, and Σ in LANES lanes; in bfloat16 also
                                                // Σ of the weights as they are multiplied
  float *largest, *keep, *inverse;              // of each query of the block
} attention_forward_scratch;

_Static_assert((1 + 2 * LANES) * CK_ATTENTION_QUERIES + 3 * CK_ATTENTION_BLOCK <= 2 * ATTENTION_PANEL + ATTENTION_SCORES,
               "the sums fit beside the panels");

INLINE attention_forward_scratch attention_forward_parts(float *scratch) {
  attention_forward_scratch s = {.scores = scratch};
  s.keys = s.scores + ATTENTION_SCORES;
  s.values = s.keys + ATTENTION_PANEL;
  s.queries = s.values + ATTENTION_PANEL;
  s.max = s.queries + ATTENTION_PANEL;
  s.lanes = s.max + CK_ATTENTION_QUERIES;
  s.operand_lanes = s.lanes + LANES * CK_ATTENTION_QUERIES;
  s.largest = s.operand_lanes + LANES * CK_ATTENTION_QUERIES;
  s.keep = s.largest + CK_ATTENTION_BLOCK;
  s.inverse = s.keep + CK_ATTENTION_BLOCK;
  return s;
}

// m of each query after this block of keys, and 2^(m_old − m). Rows beyond the block hold anything.
INLINE void attention_shift(long rows, float scale, int first, float *largest, float *max, float *keep) {
  for (long r = 0; r < rows; r += LANES) {
    vf now = v_mul(v_load(largest + r), v_set1(scale));
    if (!first) {
      vf before = v_load(max + r);
      now = v_max(before, now);
      v_store(keep + r, v_exp2_flushed(v_sub(before, now)));
    }
    v_store(max + r, now);
  }
}

// Scores become 2^(s·scale + shift), shift = −m, from the row's own position on 0. Returns lanes + Σ.
INLINE vf attention_weights(float *row, long valid, long end, vf scale, vf shift, vf lanes) {
  long i = 0;
  for (; i + 4 * LANES <= valid; i += 4 * LANES)
    UNROLL for (int j = 0; j < 4; j++) {
      vf weight = v_exp2_flushed(v_fma(v_load(row + i + j * LANES), scale, shift));
      v_store(row + i + j * LANES, weight);
      lanes = v_add(lanes, weight);
    }
  for (; i < end; i += LANES) {
    vf weight = v_exp2_flushed(v_fma(v_load(row + i), scale, shift));
    weight = i < valid ? v_select_some(valid - i, weight, v_zero()) : v_zero();
    v_store(row + i, weight);
    lanes = v_add(lanes, weight);
  }
  return lanes;
}

static void attention_softmax(float *scores, long rows, long keys, int diagonal, int first, float scale, float *max,
                              float *lanes, const attention_forward_scratch *s) {
  for (long r = 0; r < rows; r++)
    s->largest[r] = row_max(scores + r * CK_ATTENTION_BLOCK, diagonal ? r + 1 : keys);
  attention_shift(rows, scale, first, s->largest, max, s->keep);
  for (long r = 0; r < rows; r++) {
    // Zeros up to the end of the group of rows: products run as far.
    long group_end = (r / CK_ATTENTION_GROUP + 1) * CK_ATTENTION_GROUP;
    long end = diagonal ? attention_least(group_end, keys) : keys;
    vf sum = first ? v_zero() : v_mul(v_load(lanes + r * LANES), v_set1(s->keep[r]));
    sum = attention_weights(scores + r * CK_ATTENTION_BLOCK, diagonal ? r + 1 : keys, end, v_set1(scale),
                            v_set1(-max[r]), sum);
    v_store(lanes + r * LANES, sum);
  }
}

// Weights of a block that dropout does not keep become 0.
static void attention_drop(const ck_dropout *d, long query, long rows, long key, long keys, int diagonal,
                           float *weights) {
  vi least = dropout_least(d);
  for (long r = 0; r < rows; r++)
    for (long i = 0, valid = diagonal ? r + 1 : keys; i < valid; i += DROPOUT_COLUMNS) {
      vi words[4];
      float *row = weights + r * CK_ATTENTION_BLOCK + i;
      dropout_words(d, query + r, key + i, words);
      UNROLL for (int j = 0; j < 4; j++)
        v_store(row + j * LANES, v_at_least(words[j], least, v_load(row + j * LANES)));
    }
}

// For those who look: the block's scores, and after the last block the row's softmax over them.
static void attention_keep(float *preatt_of_head, float *att_of_head, long t, long query, long key, long rows,
                           long keys, float scale, const float *scores) {
  for (long r = 0; r < rows; r++) {
    long position = query + r, valid = attention_least(keys, position + 1 - key);
    float *preatt = preatt_of_head + position * t, *att = att_of_head + position * t;
    __builtin_memcpy(preatt + key, scores + r * CK_ATTENTION_BLOCK, (unsigned long)valid * sizeof *scores);
    row_scale(preatt + key, valid, scale);
    if (key != query) continue;
    row_zero(preatt + position + 1, t - position - 1);
    row_zero(att + position + 1, t - position - 1);
    float sum = row_exp_sum(preatt, position + 1, row_max(preatt, position + 1), att);
    row_scale(att, position + 1, 1.0f / sum);
  }
}

// What the last block of keys leaves: 1/Σ, times dropout's scale, and log Σ exp of each row.
static void attention_inverses(long rows, const float *lanes, const ck_dropout *d, float *inverse) {
  float scale = d->threshold ? d->scale : 1.0f;
  for (long r = 0; r < rows; r++) inverse[r] = scale / v_sum(v_load(lanes + r * LANES));
}

static void attention_logarithms(long rows, const float *max, const float *lanes, float *log_sum_exp) {
  for (long r = 0; r < rows; r++) {
    float sum = v_sum(v_load(lanes + r * LANES));
    log_sum_exp[r] = (float)((double)max[r] * 0.693147180559945309417 + (double)scalar_log(sum));
  }
}

static void attention_forward_block(const ck_attention_forward *p, long query, long rows, long key, long keys,
                                    int fresh, const attention_forward_scratch *s) {
  long hs = p->head_size;
  int diagonal = query == key, first = key == 0;
  float scale = attention_binary_scale(hs), *max = s->max + (query - p->first);
  float *lanes = s->lanes + (query - p->first) * LANES;
  attention_scores(p->q + query * p->ld, p->ld, rows, p->k + key * p->ld, p->ld, keys, hs, fresh,
                   diagonal ? COLUMNS_BEFORE_END : WHOLE_BLOCK, s->keys, s->queries, s->scores);
  if (p->preatt) attention_keep(p->preatt, p->att, p->t, query, key, rows, keys, attention_scale(hs), s->scores);
  attention_softmax(s->scores, rows, keys, diagonal, first, scale, max, lanes, s);
  if (diagonal) {
    attention_inverses(rows, lanes, &p->dropout, s->inverse);
    attention_logarithms(rows, max, lanes, p->log_sum_exp + query);
  }
  if (p->dropout.threshold) attention_drop(&p->dropout, query, rows, key, keys, diagonal, s->scores);
  for (long d = 0; d < hs; d += CK_ATTENTION_DEPTH) {
    long width = attention_least(CK_ATTENTION_DEPTH, hs - d);
    attention_view values = {s->values, (width + LANES - 1) / LANES * LANES};
    if (fresh || hs > CK_ATTENTION_DEPTH)
      values = attention_pack(p->v + key * p->ld + d, p->ld, keys, width, s->values);
    attention_product g = {.a = s->scores, .a_row = CK_ATTENTION_BLOCK, .a_k = 1, .b = values.rows, .ldb = values.ld,
                           .c = p->out + query * p->ld_out + d, .ldc = p->ld_out, .m = rows, .n = width, .k = keys,
                           .keep = first ? 0 : s->keep, .factor = diagonal ? s->inverse : 0,
                           .part = diagonal ? DEPTH_BEFORE_END : WHOLE_BLOCK};
    attention_multiply(&g);
  }
}

static void attention_forward(const ck_attention_forward *p, float *scratch) {
  attention_forward_scratch s = attention_forward_parts(scratch);
  long end = p->first + p->rows;
  for (long key = 0; key < end; key += CK_ATTENTION_BLOCK) {
    long start = key < p->first ? p->first : key;
    for (long query = start; query < end; query += CK_ATTENTION_BLOCK)
      attention_forward_block(p, query, attention_least(CK_ATTENTION_BLOCK, end - query), key,
                              attention_least(CK_ATTENTION_BLOCK, p->t - key), query == start, &s);
  }
}
