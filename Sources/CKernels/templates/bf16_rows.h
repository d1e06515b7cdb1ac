// Sums over rows of bfloat16, in the order of `column_sum`: gradients of biases, from the operands of the products.

INLINE vf bf16_expanded(const uint16_t *x, long left) { return v_from_bits(vi_upper(bf16_pairs(x, 0, left))); }

static void bf16_column_sum(const uint16_t *x, long rows, long columns, long ld, int accumulate, float *out) {
  for (long c = 0; c < columns; c += LANES) {
    long left = columns - c;
    vf total = accumulate ? v_load_some(out + c, left) : v_zero();
    for (long start = 0; start < rows; start += CK_SUM_ROWS) {
      long end = rows - start < CK_SUM_ROWS ? rows : start + CK_SUM_ROWS;
      vf sum = v_zero();
      for (long r = start; r < end; r++) sum = v_add(sum, bf16_expanded(x + r * ld + c, left));
      total = v_add(total, sum);
    }
    v_store_some(out + c, left, total);
  }
}
