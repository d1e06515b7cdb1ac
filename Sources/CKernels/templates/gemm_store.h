// C (+)= a tile of sums + bias, masked where columns end.

INLINE void tile_store(int rows, int vectors, vf acc[MR][NV], const float *bias, int accumulate, long columns, float *c,
                       long ldc) {
  UNROLL for (int j = 0; j < vectors; j++) {
    long left = columns - j * LANES;
    vf shift = bias ? v_load_some(bias + j * LANES, left) : v_zero();
    UNROLL for (int i = 0; i < rows; i++) {
      float *to = c + i * ldc + j * LANES;
      vf value = bias ? v_add(acc[i][j], shift) : acc[i][j];
      v_store_some(to, left, accumulate ? v_add(v_load_some(to, left), value) : value);
    }
  }
}
