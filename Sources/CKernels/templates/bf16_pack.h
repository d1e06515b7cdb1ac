// Operands of a product of bfloat16, as its tiles read them: pairs along k, the even element first.
//
//   A(M,K) along k     in place: rows hold pairs already
//   A(M,K) across      packed, panels of MR rows: [k/2][MR][2]
//   B(K,N) by rows     packed, panels of CK_BF16_PANEL columns: [k/2][CK_BF16_PANEL][2]
//   B(K,N) in panels   in place
//   B(K,N) as numbers  packed as by rows, rounded on the way: along k or across it
//
// Two rows meet in one register; an odd last row meets zeros. Nothing beyond a row's end is read.

#define BF16_GROUP 4
#define BF16_GROUP_ROWS (BF16_GROUP * MR)
// Half a vector further apart than they are long: panels of a multiple of 4 KB would share sets of L1.
#define BF16_A_STRIDE (MR * CK_BF16_KC + 2 * LANES)
#define BF16_B_STRIDE(pairs) ((pairs) * 2 * CK_BF16_PANEL + 2 * LANES)

static const uint16_t bf16_zeros[LANES];

// Pairs of so many columns of two rows, of which `odd` may be NULL; zeros beyond.
INLINE vi bf16_pairs(const uint16_t *even, const uint16_t *odd, long left) {
  if (left >= LANES) return vi_pairs(even, odd ? odd : bf16_zeros);
  uint16_t rows[2][LANES] = {{0}};
  for (long i = 0; i < left; i++) {
    rows[0][i] = even[i];
    if (odd) rows[1][i] = odd[i];
  }
  return vi_pairs(rows[0], rows[1]);
}

// Row by row, so that B is read in order.
static void bf16_pack_b(const uint16_t *b, long b_k, long k, long n, long stride, uint16_t *packed) {
  for (long t = 0; t < k; t += 2, b += 2 * b_k, packed += 2 * CK_BF16_PANEL) {
    const uint16_t *odd = t + 1 < k ? b + b_k : 0;
    uint16_t *to = packed;
    for (long c = 0; c < n; c += CK_BF16_PANEL, to += stride)
      UNROLL for (long j = 0; j < CK_BF16_PANEL; j += LANES)
        if (c + j < n) vi_store(to + 2 * j, bf16_pairs(b + c + j, odd ? odd + c + j : 0, n - c - j));
  }
}

// Panels that share lines of A's columns are packed together.
static void bf16_pack_a(const uint16_t *a, long a_k, long k, long rows, uint16_t *packed) {
  rows = rows < BF16_GROUP_ROWS ? rows : BF16_GROUP_ROWS;
  for (long t = 0; t < k; t += 2, a += 2 * a_k, packed += 2 * MR) {
    const uint16_t *odd = t + 1 < k ? a + a_k : 0;
    uint16_t pairs[2 * BF16_GROUP_ROWS + 2 * LANES];
    UNROLL for (long i = 0; i < BF16_GROUP_ROWS; i += LANES)
      if (i < rows) vi_store(pairs + 2 * i, bf16_pairs(a + i, odd ? odd + i : 0, rows - i));
    UNROLL for (int p = 0; p < BF16_GROUP; p++)
      if (p * MR < rows) __builtin_memcpy(packed + p * BF16_A_STRIDE, pairs + p * 2 * MR, 2 * MR * sizeof *pairs);
  }
}

// Numbers become operands one by one: plain loops, which compilers turn into vectors of any instruction set.
#ifndef BF16_ROUND
INLINE void bf16_round(const float *restrict x, long n, uint16_t *restrict y) {
  for (long i = 0; i < n; i++) {
    uint32_t bits;
    __builtin_memcpy(&bits, x + i, sizeof bits);
    uint32_t magnitude = bits & 0x7fffffffu, nearest = (bits + 0x7fffu + (bits >> 16 & 1)) >> 16;
    uint32_t number = magnitude < 0x00800000u ? bits >> 16 & 0x8000u : nearest;
    y[i] = (uint16_t)(magnitude > 0x7f800000u ? bits >> 16 | 0x40u : number);
  }
}

// Two vectors of numbers as operands, one after another.
INLINE vi v_rounded(vf first, vf second) {
  float numbers[2 * LANES];
  uint16_t operands[2 * LANES];
  v_store(numbers, first);
  v_store(numbers + LANES, second);
  bf16_round(numbers, 2 * LANES, operands);
  return vi_load(operands);
}

// The same as pairs of an element of each.
INLINE vi v_rounded_pairs(vf even, vf odd) {
  uint16_t operands[2 * LANES];
  vi_store(operands, v_rounded(even, odd));
  return vi_pairs(operands, operands + LANES);
}
#endif

#define BF16_BLOCK (2 * LANES)

// Columns 2t and 2t + 1 of row i become pair t of a panel's column i: words of two numbers change places.
INLINE void bf16_store_transposed(const uint16_t (*block)[BF16_BLOCK], long pairs, uint16_t *to) {
  if (pairs == LANES) return v_transpose((const float *)block, LANES, (float *)to, CK_BF16_PANEL);
  float words[LANES * LANES];
  v_transpose((const float *)block, LANES, words, LANES);
  for (long t = 0; t < pairs; t++)
    __builtin_memcpy(to + t * 2 * CK_BF16_PANEL, words + t * LANES, LANES * sizeof *words);
}

// Each block of 16 rows and 32 columns is rounded once and goes into both layouts from L1.
static void bf16_lay_out(const float *x, long ld, long rows, long columns, uint16_t *transposed, uint16_t *panels,
                         long panel) {
  long width = panels ? (columns + CK_BF16_PANEL - 1) / CK_BF16_PANEL * CK_BF16_PANEL : columns;
  for (long c = 0; c < width; c += BF16_BLOCK) {
    _Alignas(64) uint16_t block[LANES][BF16_BLOCK];
    long left = columns - c;
    if (rows == LANES && left >= BF16_BLOCK) {
      UNROLL for (long i = 0; i < LANES; i++) bf16_round(x + i * ld + c, BF16_BLOCK, block[i]);
    } else {
      __builtin_memset(block, 0, sizeof block);
      for (long i = 0; i < rows && left > 0; i++)
        bf16_round(x + i * ld + c, left < BF16_BLOCK ? left : BF16_BLOCK, block[i]);
    }
    if (transposed && left > 0)
      bf16_store_transposed(block, left < BF16_BLOCK ? (left + 1) / 2 : LANES, transposed + c * CK_BF16_PANEL);
    for (long j = 0; panels && j < BF16_BLOCK && c + j < width; j += LANES) {
      uint16_t *to = panels + (c + j) / CK_BF16_PANEL * panel + 2 * ((c + j) % CK_BF16_PANEL);
      for (long i = 0; i < rows; i += 2) vi_store(to + i * CK_BF16_PANEL, vi_pairs(block[i] + j, block[i + 1] + j));
    }
  }
}

static void bf16_pack_numbers(const float *b, long b_k, long b_n, long k, long n, long stride, uint16_t *packed) {
  for (long c = 0; b_n != 1 && c < n; c += LANES)
    bf16_lay_out(b + c * b_n, b_n, n - c < LANES ? n - c : LANES, k,
                 packed + c / CK_BF16_PANEL * stride + 2 * (c % CK_BF16_PANEL), 0, 0);
  for (long t = 0; b_n == 1 && t < k; t += LANES)
    bf16_lay_out(b + t * b_k, b_k, k - t < LANES ? k - t : LANES, n, 0, packed + t * CK_BF16_PANEL, stride);
}

INLINE int bf16_in_place(const ck_bf16_gemm *g) { return g->b && g->b_k == 0; }

// A block of B that is not in panels yet. Each panel gets so many pairs, zeros behind those of k.
static void bf16_pack_block(const ck_bf16_gemm *g, long k0, long k, long n0, long n, long pairs, uint16_t *packed) {
  long stride = BF16_B_STRIDE(pairs), given = (k + 1) / 2;
  if (g->b) bf16_pack_b(g->b + k0 * g->b_k + n0, g->b_k, k, n, stride, packed);
  else
    bf16_pack_numbers(g->numbers + k0 * g->numbers_k + n0 * g->numbers_n, g->numbers_k, g->numbers_n, k, n, stride,
                      packed);
  if (given == pairs) return;
  unsigned long bytes = (unsigned long)((pairs - given) * 2 * CK_BF16_PANEL) * sizeof *packed;
  packed += given * 2 * CK_BF16_PANEL;
  for (long c = 0; c < n; c += CK_BF16_PANEL, packed += stride) __builtin_memset(packed, 0, bytes);
}
