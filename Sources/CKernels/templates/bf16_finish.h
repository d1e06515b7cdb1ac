// Finish rows: what becomes of complete rows of a product of bfloat16, while they are in cache.

// The rows' epilogue, and its values as the next product's operand.
static void bf16_epilogue(const ck_bf16_gemm *g, long r, long rows, long n0, long n) {
  int is_activation = g->epilogue == CK_GELU || g->epilogue == CK_GELU_ERF || g->epilogue == CK_GELU_QUINTIC;
  for (long row = r; row < r + rows; row++) {
    float activated[2 * CK_BF16_COLUMNS], *c = g->c + row * g->ldc + n0;
    long at = row * g->ldc + n0;
    float *result = is_activation && g->result ? g->result + at : activated;
    epilogue_of_row(g->epilogue, c, g->operand ? g->operand + at : 0, result, n);
    if (g->rounded) bf16_round(is_activation ? result : c, n, g->rounded + row * g->ld_rounded + n0);
  }
}
