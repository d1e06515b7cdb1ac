// The element-wise end of a product, for some columns of a group's rows.

INLINE void epilogue_of_row(ck_epilogue epilogue, float *c, const float *operand, float *result, long n) {
  switch (epilogue) {
    case CK_NO_EPILOGUE: break;
    case CK_ADD: add(operand, c, n, c); break;
    case CK_GELU: gelu_forward(c, n, result); break;
    case CK_GELU_ERF: gelu_erf_forward(c, n, result); break;
    case CK_GELU_QUINTIC: gelu_quintic_forward(c, n, result); break;
    case CK_GELU_SLOPE: gelu_backward(operand, c, n, c); break;
    case CK_GELU_ERF_SLOPE: gelu_erf_backward(operand, c, n, c); break;
    case CK_GELU_QUINTIC_SLOPE: gelu_quintic_backward(operand, c, n, c); break;
  }
}

static void epilogue_of(const ck_gemm *g, long r, long rows, long n0, long n) {
  for (long at = r * g->ldc + n0, end = at + rows * g->ldc; at < end; at += g->ldc)
    epilogue_of_row(g->epilogue, g->c + at, g->operand ? g->operand + at : 0, g->result ? g->result + at : 0, n);
}
