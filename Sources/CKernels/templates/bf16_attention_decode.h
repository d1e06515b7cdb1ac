// Causal self-attention of one query over cached keys and values in bfloat16, for one head: a row of
// bf16_attention_forward, to the bit.
//
// Operands lie in pairs, as the products of bf16_attention.h take them: keys in pairs of channels, in blocks of
// CK_ATTENTION_BLOCK, (blocks, ⌈hs/2⌉, CK_ATTENTION_BLOCK, 2), so that a vector holds a pair of channels of sixteen keys;
// values in pairs of keys, (⌈T/2⌉, hs, 2). An odd last channel has a zero beside it in the cache. Beside an odd last key
// there may be anything, which its weight of 0 does not meet: zeros take its place.
//
// Every key and value is read once: bound by memory. Registers: 4 vectors of sums, 1 of keys or values, 1 broadcast.

// Sets positions first..<first+count of a head's cache from rows of k and v.
static void bf16_attention_cache(const uint16_t *k, const uint16_t *v, long ld, long first, long count, long head_size,
                                 uint16_t *keys, uint16_t *values) {
  long pairs = (head_size + 1) / 2;
  for (long r = 0; r < count; r++, k += ld, v += ld) {
    long position = first + r, block = position / CK_ATTENTION_BLOCK;
    uint16_t *column = keys + 2 * (block * pairs * CK_ATTENTION_BLOCK + position % CK_ATTENTION_BLOCK);
    for (long i = 0; i < pairs; i++) {
      uint16_t pair[2] = {k[2 * i], 2 * i + 1 < head_size ? k[2 * i + 1] : 0};
      __builtin_memcpy(column + 2 * i * CK_ATTENTION_BLOCK, pair, sizeof pair);
    }
    uint16_t *value = values + position / 2 * 2 * head_size + position % 2;
    for (long d = 0; d < head_size; d++) value[2 * d] = v[d];
  }
}

// The pairs of 16 columns at b, of which `left` are there.
INLINE vi bf16_attention_columns(const uint16_t *b, long left) {
  return v_bits(v_load_some((const float *)(const void *)b, left));
}

// sums[i] (i < vectors·LANES) = Σ_k a[k]·b[k][i], ascending pairs of k, from zero. The odd half of b's last pair counts
// only where k is even.
INLINE void bf16_attention_decode_product(int vectors, const uint16_t *a, long k, const uint16_t *b, long ldb, long left,
                                          vf *sums) {
  UNROLL for (int j = 0; j < vectors; j++) sums[j] = v_zero();
  for (long t = 0; t < k / 2; t++, b += ldb) {
    vi pair = bf16_pair(a + 2 * t, 0);
    UNROLL for (int j = 0; j < vectors; j++)
      sums[j] = v_dot(sums[j], pair, bf16_attention_columns(b + 2 * j * LANES, left - j * LANES));
  }
  if (k % 2 == 0) return;
  vi last = bf16_pair(a + k - 1, 1), even = vi_set1(0xffff);
  UNROLL for (int j = 0; j < vectors; j++)
    sums[j] = v_dot(sums[j], last, vi_and(bf16_attention_columns(b + 2 * j * LANES, left - j * LANES), even));
}

// Scores of a block's keys up to a whole vector; what lies beyond `valid` is anything finite or not.
static void bf16_attention_decode_scores(const uint16_t *q, const uint16_t *keys, long valid, long head_size,
                                         float *scores) {
  for (long d = 0; d < head_size; d += CK_ATTENTION_DEPTH) {
    long depth = attention_least(CK_ATTENTION_DEPTH, head_size - d);
    const uint16_t *b = keys + d * CK_ATTENTION_BLOCK;
    for (long i = 0; i < valid; i += 4 * LANES) {
      vf sums[4];
      bf16_attention_decode_product(4, q + d, depth, b + 2 * i, 2 * CK_ATTENTION_BLOCK, 4 * LANES, sums);
      UNROLL for (int j = 0; j < 4; j++) {
        float *score = scores + i + j * LANES;
        v_store(score, d > 0 ? v_fma(v_load(score), v_set1(1.0f), sums[j]) : sums[j]);
      }
    }
  }
}

// sums (hs) from column d on: keep·sums + Σ_k weights[k]·values[k], times `inverse` where the block is the last.
INLINE void bf16_attention_decode_values(int vectors, const ck_bf16_attention_decode *p, const uint16_t *weights,
                                         long key, long valid, long d, float keep, float inverse) {
  vf sums[4];
  bf16_attention_decode_product(vectors, weights, valid, p->values + key * p->head_size + 2 * d, 2 * p->head_size,
                                p->head_size - d, sums);
  UNROLL for (int j = 0; j < vectors; j++) {
    long left = p->head_size - d - j * LANES;
    float *to = p->sums + d + j * LANES;
    if (key > 0) sums[j] = v_fma(v_load_some(to, left), v_set1(keep), sums[j]);
    if (key + CK_ATTENTION_BLOCK >= p->count) sums[j] = v_mul(sums[j], v_set1(inverse));
    v_store_some(to, left, sums[j]);
  }
}

static void bf16_attention_decode(const ck_bf16_attention_decode *p, float *scratch) {
  float *scores = scratch, max[LANES] = {0}, largest[LANES] = {0}, keep[LANES] = {0};
  long hs = p->head_size, block = (hs + 1) / 2 * 2 * CK_ATTENTION_BLOCK;
  float scale = attention_binary_scale(hs);
  bf16_attention_sums sums = {v_zero(), v_zero()};
  for (long key = 0; key < p->count; key += CK_ATTENTION_BLOCK) {
    long valid = attention_least(CK_ATTENTION_BLOCK, p->count - key);
    bf16_attention_decode_scores(p->q, p->keys + key / CK_ATTENTION_BLOCK * block, valid, hs, scores);
    largest[0] = row_max(scores, valid);
    attention_shift(1, scale, key == 0, largest, max, keep);
    if (key > 0) sums.operands = v_mul(sums.operands, v_set1(keep[0]));
    bf16_attention_weights(scores, valid, valid, v_set1(scale), v_set1(-max[0]), NULL, 0, key, &sums);
    const uint16_t *weights = (const uint16_t *)(const void *)scores;
    float inverse = 1.0f / v_sum(sums.operands);
    long d = 0;
    for (; d + 4 * LANES <= hs; d += 4 * LANES)
      bf16_attention_decode_values(4, p, weights, key, valid, d, keep[0], inverse);
    for (; d < hs; d += LANES) bf16_attention_decode_values(1, p, weights, key, valid, d, keep[0], inverse);
  }
  bf16_round(p->sums, hs, p->out);
}
