// The forward pass of causal self-attention over bfloat16: attention_forward.h with two products of pairs.
//
//   S = Q·Kᵀ in pairs along the head   P = softmax(S) in float, its operands rounded   out = P·V in pairs along keys
//
// The weights of a row take the place of the first half of its scores. log Σ exp is that of the weights before they are
// rounded; out is divided by the sum of the rounded ones, which so sum to 1: what they are all off by cancels. out is
// added up in float and rounded behind its last block. Weights that dropout does not keep are in both sums and not in
// out.

// Both sums of a row in lanes: of weight i in lane i mod 16, and in pairs, as products with 1.
typedef struct {
  vf exact, operands;
} bf16_attention_sums;

INLINE vf bf16_attention_weight(const float *row, long i, long valid, vf scale, vf shift) {
  vf weight = v_exp2_flushed(v_fma(v_load(row + i), scale, shift));
  return i < valid ? v_select_some(valid - i, weight, v_zero()) : v_zero();
}

// `words` are those of dropout for both vectors, or NULL.
INLINE void bf16_attention_add(float *row, long i, vf first, vf second, const vi *words, vi least,
                               bf16_attention_sums *sums) {
  vi operands = v_rounded(first, second);
  sums->exact = v_add(v_add(sums->exact, first), second);
  sums->operands = v_dot(sums->operands, operands, vi_set1(0x3f803f80));
  if (words) operands = v_rounded(v_at_least(words[0], least, first), v_at_least(words[1], least, second));
  vi_store(row + i / 2, operands);
}

// Scores become 2^(s·scale + shift), shift = −m, from the row's own position on 0. The row is that of `query` and begins
// with `key` for dropout, which may be NULL.
INLINE void bf16_attention_weights(float *row, long valid, long end, vf scale, vf shift, const ck_dropout *d,
                                   long query, long key, bf16_attention_sums *sums) {
  vi words[4], least = d ? dropout_least(d) : vi_set1(0);
  long i = 0;
  for (; i + 4 * LANES <= valid; i += 4 * LANES) {
    if (d) dropout_words(d, query, key + i, words);
    vf weight[4];
    UNROLL for (int j = 0; j < 4; j++)
      weight[j] = v_exp2_flushed(v_fma(v_load(row + i + j * LANES), scale, shift));
    UNROLL for (int j = 0; j < 4; j += 2)
      bf16_attention_add(row, i + j * LANES, weight[j], weight[j + 1], d ? words + j : 0, least, sums);
  }
  for (; i < end; i += 2 * LANES) {
    if (d && i % DROPOUT_COLUMNS == 0) dropout_words(d, query, key + i, words);
    vf first = bf16_attention_weight(row, i, valid, scale, shift);
    vf second = bf16_attention_weight(row, i + LANES, valid, scale, shift);
    bf16_attention_add(row, i, first, second, d ? words + i % DROPOUT_COLUMNS / LANES : 0, least, sums);
  }
}

// lanes and operand_lanes are those of the first row.
static void bf16_attention_softmax(const ck_dropout *d, float *scores, long query, long rows, long key, long keys,
                                   float scale, float *max, float *lanes, float *operand_lanes,
                                   const attention_forward_scratch *s) {
  int diagonal = query == key, first = key == 0;
  for (long r = 0; r < rows; r++)
    s->largest[r] = row_max(scores + r * CK_ATTENTION_BLOCK, diagonal ? r + 1 : keys);
  attention_shift(rows, scale, first, s->largest, max, s->keep);
  for (long r = 0; r < rows; r++) {
    // Zeros up to the end of the group of rows, and of its last pair: products run as far.
    long group_end = (r / CK_ATTENTION_GROUP + 1) * CK_ATTENTION_GROUP;
    long end = diagonal ? attention_least(group_end, keys) : keys;
    bf16_attention_sums sums = {v_zero(), v_zero()};
    if (!first) {
      sums.exact = v_mul(v_load(lanes + r * LANES), v_set1(s->keep[r]));
      sums.operands = v_mul(v_load(operand_lanes + r * LANES), v_set1(s->keep[r]));
    }
    float *row = scores + r * CK_ATTENTION_BLOCK;
    long valid = diagonal ? r + 1 : keys;
    vf factor = v_set1(scale), shift = v_set1(-max[r]);
    if (d->threshold) bf16_attention_weights(row, valid, end, factor, shift, d, query + r, key, &sums);
    else bf16_attention_weights(row, valid, end, factor, shift, 0, 0, 0, &sums);
    v_store(lanes + r * LANES, sums.exact);
    v_store(operand_lanes + r * LANES, sums.operands);
  }
}

static void bf16_attention_forward_block(const ck_bf16_attention_forward *p, long query, long rows, long key, long keys,
                                         int fresh, const attention_forward_scratch *s) {
  long hs = p->head_size;
  int diagonal = query == key, first = key == 0;
  float scale = attention_binary_scale(hs), *max = s->max + (query - p->first);
  float *lanes = s->lanes + (query - p->first) * LANES, *operand_lanes = s->operand_lanes + (query - p->first) * LANES;
  bf16_attention_scores(p->q + query * p->ld, p->ld, rows, p->k + key * p->ld, p->ld, keys, hs, fresh,
                        diagonal ? COLUMNS_BEFORE_END : WHOLE_BLOCK, s->keys, s->queries, s->scores);
  if (p->preatt) attention_keep(p->preatt, p->att, p->t, query, key, rows, keys, attention_scale(hs), s->scores);
  bf16_attention_softmax(&p->dropout, s->scores, query, rows, key, keys, scale, max, lanes, operand_lanes, s);
  if (diagonal) {
    attention_inverses(rows, operand_lanes, &p->dropout, s->inverse);
    attention_logarithms(rows, max, lanes, p->log_sum_exp + query);
  }
  for (long d = 0; d < hs; d += CK_ATTENTION_DEPTH) {
    long width = attention_least(CK_ATTENTION_DEPTH, hs - d);
    attention_view values = {s->values, (width + LANES - 1) / LANES * LANES};
    if (fresh || hs > CK_ATTENTION_DEPTH)
      values = bf16_attention_pack(p->v + key * p->ld + d, p->ld, keys, width, s->values);
    attention_product g = {.a = s->scores, .a_row = CK_ATTENTION_BLOCK, .a_k = 1, .b = values.rows, .ldb = values.ld,
                           .c = p->sums + query * p->ld_sums + d, .ldc = p->ld_sums, .m = rows, .n = width, .k = keys,
                           .keep = first ? 0 : s->keep, .factor = diagonal ? s->inverse : 0,
                           .part = diagonal ? DEPTH_BEFORE_END : WHOLE_BLOCK};
    bf16_attention_multiply(&g);
  }
  if (diagonal)
    bf16_attention_round(p->sums + query * p->ld_sums, p->ld_sums, rows, hs, p->out + query * p->ld_out, p->ld_out);
}

static void bf16_attention_forward(const ck_bf16_attention_forward *p, float *scratch) {
  attention_forward_scratch s = attention_forward_parts(scratch);
  long end = p->first + p->rows;
  for (long key = 0; key < end; key += CK_ATTENTION_BLOCK) {
    long start = key < p->first ? p->first : key;
    for (long query = start; query < end; query += CK_ATTENTION_BLOCK)
      bf16_attention_forward_block(p, query, attention_least(CK_ATTENTION_BLOCK, end - query), key,
                                   attention_least(CK_ATTENTION_BLOCK, p->t - key), query == start, &s);
  }
}
