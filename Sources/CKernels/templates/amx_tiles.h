// Rows of C times all columns of a block of B, in AMX's order, with the instruction set's own multiply-adds: the same
// bits on every machine, slowly.

static void amx_tiles(const amx_product *g) {
  for (long column = 0; column < g->columns; column += LANES) {
    const uint16_t *b = amx_columns(g->b, g->b_panel, column), *last = amx_columns(g->last_b, g->last_b_panel, column);
    for (long row = 0; row < g->rows; row++) {
      float *c = g->c + row * g->ldc + column;
      const uint16_t *a = g->a + row * g->a_row;
      vf acc = g->accumulate ? v_load_some(c, g->columns - column) : v_zero();
      for (long l = 0; l < g->links; l++) acc = amx_link(acc, a + l * g->a_link, b + l * AMX_B_LINK);
      if (g->last_a) acc = amx_link(acc, g->last_a + row * g->last_a_row, last);
      v_store_some(c, g->columns - column, acc);
    }
  }
}

// Links one after another, each of two chains; returns the floating-point operations done.
static double amx_peak(long iterations) {
  static const float start[LANES] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  uint16_t a[CK_BF16_LINK], b[AMX_B_LINK];
  for (int i = 0; i < CK_BF16_LINK; i++) a[i] = 0x3e80;
  for (int i = 0; i < AMX_B_LINK; i++) b[i] = 0x3f00;
  // A link's chains do not depend on what it is added to: read anew, they are not computed once for all.
  const uint16_t *volatile x = a, *volatile y = b;
  vf acc = v_load(start);
  for (long t = 0; t < iterations; t++) acc = amx_link(acc, x, y);
  volatile float keep = v_sum(acc);
  (void)keep;
  return 2.0 * LANES * CK_BF16_LINK * (double)iterations;
}
