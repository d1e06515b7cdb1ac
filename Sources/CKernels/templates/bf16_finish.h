// Finish rows: what becomes of complete rows of a product of bfloat16, while they are in cache.

// The rows' epilogue, and what it leaves as operands. An activation is taken of float, a slope at what was kept of that.
static void bf16_epilogue(const ck_bf16_gemm *g, long r, long rows, long n0, long n) {
  int is_activation = g->epilogue == CK_GELU || g->epilogue == CK_GELU_ERF || g->epilogue == CK_GELU_QUINTIC;
  for (long row = r; row < r + rows; row++) {
    float numbers[2 * CK_BF16_COLUMNS], *c = g->c + row * g->ldc + n0;
    if (g->half) {
      uint16_t *half = g->half + row * g->ld_half + n0;
      if (is_activation) float_to_float16(c, n, half);
      else float16_to_float(half, n, numbers);
    }
    epilogue_of_row(g->epilogue, c, g->operand ? g->operand + row * g->ldc + n0 : numbers, numbers, n);
    if (g->rounded) bf16_round(is_activation ? numbers : c, n, g->rounded + row * g->ld_rounded + n0);
  }
}
