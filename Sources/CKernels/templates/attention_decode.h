// Causal self-attention of one query over cached keys and values, for one head: a row of attention_forward, to the bit.
//
//   s = q·Kᵀ/√hs   p = softmax(s)   out = p·V
//
// Keys lie in blocks of CK_ATTENTION_BLOCK, transposed: (blocks, hs, CK_ATTENTION_BLOCK), as attention_forward packs
// them, so that a vector holds sixteen keys; values lie row by row, (T, hs). Block by block the same chains: products
// over the head in parts of CK_ATTENTION_DEPTH, Σ 2^(s − m) in sixteen lanes, values over the block's keys from zero.
// Weights beyond the query are 0 there and left out here: adding 0·v to a sum changes nothing while v is finite.
//
// Every key and value is read once: bound by memory. Registers: 4 vectors of sums, 1 of keys or values, 1 broadcast.

// Sets positions first..<first+count of a head's cache from rows of k and v.
static void attention_cache(const float *k, const float *v, long ld, long first, long count, long head_size,
                            float *keys, float *values) {
  for (long r = 0; r < count; r++) {
    long position = first + r;
    float *column = keys + position / CK_ATTENTION_BLOCK * head_size * CK_ATTENTION_BLOCK + position % CK_ATTENTION_BLOCK;
    for (long d = 0; d < head_size; d++) column[d * CK_ATTENTION_BLOCK] = k[r * ld + d];
    __builtin_memcpy(values + position * head_size, v + r * ld, (unsigned long)head_size * sizeof *values);
  }
}

// sums[i] (i < vectors·LANES) = Σ_k a[k]·b[k][i], ascending k, from zero.
INLINE void attention_decode_product(int vectors, const float *a, long k, const float *b, long ldb, long left, vf *sums) {
  UNROLL for (int j = 0; j < vectors; j++) sums[j] = v_zero();
  for (long t = 0; t < k; t++)
    UNROLL for (int j = 0; j < vectors; j++)
      sums[j] = v_fma(v_set1(a[t]), v_load_some(b + t * ldb + j * LANES, left - j * LANES), sums[j]);
}

// Scores of a block's keys up to a whole vector; what lies beyond `valid` is anything finite or not.
static void attention_decode_scores(const float *q, const float *keys, long valid, long head_size, float *scores) {
  for (long d = 0; d < head_size; d += CK_ATTENTION_DEPTH) {
    long depth = attention_least(CK_ATTENTION_DEPTH, head_size - d);
    const float *b = keys + d * CK_ATTENTION_BLOCK;
    for (long i = 0; i < valid; i += 4 * LANES) {
      vf sums[4];
      attention_decode_product(4, q + d, depth, b + i, CK_ATTENTION_BLOCK, 4 * LANES, sums);
      UNROLL for (int j = 0; j < 4; j++) {
        float *score = scores + i + j * LANES;
        v_store(score, d > 0 ? v_fma(v_load(score), v_set1(1.0f), sums[j]) : sums[j]);
      }
    }
  }
}

// out (hs) from column d on: keep·out + Σ_k weights[k]·values[k], times `inverse` where the block is the last.
INLINE void attention_decode_values(int vectors, const ck_attention_decode *p, const float *weights, long key, long valid,
                                    long d, float keep, float inverse) {
  vf sums[4];
  attention_decode_product(vectors, weights, valid, p->values + key * p->head_size + d, p->head_size, p->head_size - d,
                           sums);
  UNROLL for (int j = 0; j < vectors; j++) {
    long left = p->head_size - d - j * LANES;
    float *out = p->out + d + j * LANES;
    if (key > 0) sums[j] = v_fma(v_load_some(out, left), v_set1(keep), sums[j]);
    if (key + CK_ATTENTION_BLOCK >= p->count) sums[j] = v_mul(sums[j], v_set1(inverse));
    v_store_some(out, left, sums[j]);
  }
}

static void attention_decode(const ck_attention_decode *p, float *scratch) {
  float *scores = scratch, max[LANES] = {0}, largest[LANES] = {0}, keep[LANES] = {0}, lanes[LANES];
  long hs = p->head_size;
  float scale = attention_binary_scale(hs);
  for (long key = 0; key < p->count; key += CK_ATTENTION_BLOCK) {
    long valid = attention_least(CK_ATTENTION_BLOCK, p->count - key);
    attention_decode_scores(p->q, p->keys + key * hs, valid, hs, scores);
    largest[0] = row_max(scores, valid);
    attention_shift(1, scale, key == 0, largest, max, keep);
    vf sum = key == 0 ? v_zero() : v_mul(v_load(lanes), v_set1(keep[0]));
    sum = attention_weights(scores, valid, valid, v_set1(scale), v_set1(-max[0]), sum);
    v_store(lanes, sum);
    float inverse = 1.0f / v_sum(sum);
    long d = 0;
    for (; d + 4 * LANES <= hs; d += 4 * LANES)
      attention_decode_values(4, p, scores, key, valid, d, keep[0], inverse);
    for (; d < hs; d += LANES) attention_decode_values(1, p, scores, key, valid, d, keep[0], inverse);
  }
}
