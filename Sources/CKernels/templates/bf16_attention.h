// What the two passes of causal self-attention over bfloat16 share: the blocks and groups of attention.h, products of
// pairs (attention_tile.h), everything between them in float.
//
// Operands are copied into panels of pairs for the products of a block, zeros where a row or the rows end:
//
//   [row][channel/2][2]   A along channels: queries, or gradients of the output
//   [channel/2][row][2]   B along channels: keys, or values
//   [row/2][channel][2]   B along rows: keys, values, queries, or gradients of the output
//
// The copy (1 % of the products' time) spares the tile odd ends, addresses that are no multiple of four bytes, and rows
// some KB apart, which share few sets of L1.

#define BF16_ATTENTION_PANEL (ATTENTION_PANEL / 2)

ATTENTION_INSTANCES(bf16_attention_pairs, 1)

static void bf16_attention_multiply(const attention_product *g) { attention_multiply_by(2, bf16_attention_pairs, g); }

static attention_view bf16_attention_rows(const uint16_t *x, long ld, long rows, long columns, float *panel) {
  long width = ((columns + 1) / 2 + LANES - 1) / LANES * LANES;
  for (long r = 0; r < rows; r++)
    for (long i = 0; i < width; i += LANES) {
      long left = columns - 2 * i;
      if (left >= 2 * LANES) {
        vi_store(panel + r * width + i, vi_load(x + r * ld + 2 * i));
        continue;
      }
      uint16_t last[2 * LANES] = {0};
      __builtin_memcpy(last, x + r * ld + 2 * i, (unsigned long)left * sizeof *last);
      vi_store(panel + r * width + i, vi_load(last));
    }
  return (attention_view){panel, width};
}

static attention_view bf16_attention_pack(const uint16_t *x, long ld, long rows, long columns, float *panel) {
  long width = (columns + LANES - 1) / LANES * LANES;
  for (long r = 0; r < rows; r += 2)
    for (long d = 0; d < columns; d += LANES) {
      const uint16_t *even = x + r * ld + d, *odd = r + 1 < rows ? even + ld : 0;
      vi_store(panel + r / 2 * width + d, bf16_pairs(even, odd, columns - d));
    }
  return (attention_view){panel, width};
}

// scores = x·yᵀ over the head, as attention_scores.
static void bf16_attention_scores(const uint16_t *x, long ldx, long queries, const uint16_t *y, long ldy, long keys,
                                  long head_size, int fresh, attention_part part, float *packed, float *copy,
                                  float *scores) {
  for (long d = 0; d < head_size; d += CK_ATTENTION_DEPTH) {
    long depth = attention_least(CK_ATTENTION_DEPTH, head_size - d);
    if (fresh || head_size > CK_ATTENTION_DEPTH) {
      attention_view columns = bf16_attention_rows(y + d, ldy, keys, depth, copy);
      attention_pack_transposed(columns.rows, columns.ld, keys, (depth + 1) / 2, packed);
    }
    attention_view rows = bf16_attention_rows(x + d, ldx, queries, depth, copy);
    attention_product g = {.a = rows.rows, .a_row = rows.ld, .a_k = 1, .b = packed, .ldb = CK_ATTENTION_BLOCK,
                           .c = scores, .ldc = CK_ATTENTION_BLOCK, .m = queries, .n = keys, .k = depth,
                           .keep = d > 0 ? attention_ones : 0, .part = part};
    bf16_attention_multiply(&g);
  }
}

// Rows of float become operands.
static void bf16_attention_round(const float *x, long ldx, long rows, long columns, uint16_t *y, long ldy) {
  for (long r = 0; r < rows; r++) bf16_round(x + r * ldx, columns, y + r * ldy);
}
