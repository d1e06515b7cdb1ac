// Dropout: elements of a matrix that are kept, times 1/(1 − p); the others become 0.
//
// Random bits are those of Philox4x32-10, which makes four words of 32 bits of a counter of four and a key of two, in
// ten rounds of two products (Salmon, Moraes, Dror, Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3",
// doi:10.1145/2063384.2063405). The key is the seed. The counter holds
//
//   16·(column / 64) + column mod 16, the row, the site, the pass
//
// and an element's word is number (column / 16) mod 4 of the four: a vector of counters makes the words of 64 columns.
// Taken as a signed integer a word is below threshold − 2³¹ with a probability of threshold / 2³².

enum { DROPOUT_COLUMNS = 4 * LANES };

INLINE vi dropout_least(const ck_dropout *d) { return vi_set1((int)(d->threshold ^ 0x80000000u)); }

// The words of columns column..<column + DROPOUT_COLUMNS of a row; column is a multiple of that.
INLINE void dropout_words(const ck_dropout *d, long row, long column, vi words[4]) {
  static const int lanes[LANES] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  vi w0 = vi_add(vi_set1((int)(column / DROPOUT_COLUMNS * LANES)), vi_load(lanes));
  vi w1 = vi_set1((int)(d->row + (uint32_t)row)), w2 = vi_set1((int)d->site), w3 = vi_set1((int)d->pass);
  uint32_t key0 = (uint32_t)d->seed, key1 = (uint32_t)(d->seed >> 32);
  UNROLL for (int round = 0; round < 10; round++) {
    vi high0, high2, low0 = vi_multiply(w0, 0xd2511f53u, &high0), low2 = vi_multiply(w2, 0xcd9e8d57u, &high2);
    w0 = vi_xor(vi_xor(high2, w1), vi_set1((int)key0));
    w2 = vi_xor(vi_xor(high0, w3), vi_set1((int)key1));
    w1 = low2;
    w3 = low0;
    key0 += 0x9e3779b9u;
    key1 += 0xbb67ae85u;
  }
  words[0] = w0;
  words[1] = w1;
  words[2] = w2;
  words[3] = w3;
}

// What element (0, 0) is multiplied by.
INLINE float dropout_first(const ck_dropout *d) {
  vi words[4];
  float factors[LANES];
  dropout_words(d, 0, 0, words);
  v_store(factors, v_at_least(words[0], dropout_least(d), v_set1(d->scale)));
  return factors[0];
}

// y = mask∘x, plus `added` unless that is NULL; either may be y.
static void dropout(const ck_dropout *d, const float *x, const float *added, long rows, long columns, float *y) {
  vi least = dropout_least(d);
  vf scale = v_set1(d->scale);
  for (long r = 0; r < rows; r++)
    for (long c = 0; c < columns; c += DROPOUT_COLUMNS) {
      vi words[4];
      dropout_words(d, r, c, words);
      UNROLL for (int j = 0; j < 4; j++) {
        long left = columns - c - j * LANES, at = r * columns + c + j * LANES;
        if (left <= 0) break;
        vf kept = v_at_least(words[j], least, v_load_some(x + at, left));
        v_store_some(y + at, left, added ? v_fma(kept, scale, v_load_some(added + at, left)) : v_mul(kept, scale));
      }
    }
}

// y = mask∘x, rounded to operands of products.
static void bf16_dropout(const ck_dropout *d, const float *x, long rows, long columns, uint16_t *y) {
  vi least = dropout_least(d);
  for (long r = 0; r < rows; r++)
    for (long c = 0; c < columns; c += DROPOUT_COLUMNS) {
      vi words[4];
      float kept[DROPOUT_COLUMNS];
      dropout_words(d, r, c, words);
      long left = columns - c < DROPOUT_COLUMNS ? columns - c : DROPOUT_COLUMNS;
      UNROLL for (int j = 0; j < 4; j++) {
        if (left - j * LANES <= 0) break;
        vf number = v_load_some(x + r * columns + c + j * LANES, left - j * LANES);
        v_store(kept + j * LANES, v_mul(v_at_least(words[j], least, number), v_set1(d->scale)));
      }
      bf16_round(kept, left, y + r * columns + c);
    }
}
