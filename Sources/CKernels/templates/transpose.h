// y = xᵀ: (rows, columns), rows ldx apart, becomes (columns, rows), rows ldy apart.
//
// Bits move, whatever numbers they are. y is written in order and x read across it: callers pass squares that L1 holds.

static void transpose(const float *restrict x, long ldx, long rows, long columns, float *restrict y, long ldy) {
  for (long c = 0; c < columns; c++)
    for (long r = 0; r < rows; r++) __builtin_memcpy(y + c * ldy + r, x + r * ldx + c, sizeof *y);
}
