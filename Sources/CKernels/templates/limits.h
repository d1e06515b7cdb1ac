// The machine's own limits, for the benchmark's denominators.

// As many independent accumulators as the GEMM's tile; returns the floating-point operations done.
static double peak(long iterations) {
  // Lanes that differ: a compiler may compute equal halves of a vector once, and the peak would be too high.
  static const float start[LANES] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  vf acc[MR * NV], factor = v_set1(0.999f), term = v_set1(1e-3f);
  UNROLL for (int i = 0; i < MR * NV; i++) acc[i] = v_add(v_load(start), v_set1((float)i));
  for (long t = 0; t < iterations; t++)
    UNROLL for (int i = 0; i < MR * NV; i++) acc[i] = v_fma(acc[i], factor, term);
  vf sum = v_zero();
  UNROLL for (int i = 0; i < MR * NV; i++) sum = v_add(sum, acc[i]);
  volatile float keep = v_sum(sum);
  (void)keep;
  return 2.0 * LANES * MR * NV * (double)iterations;
}

// Four accumulators: an addition's latency never limits the loads.
static float read_sum(const float *x, long n) {
  vf s0 = v_zero(), s1 = s0, s2 = s0, s3 = s0;
  long i = 0;
  for (; i + 4 * LANES <= n; i += 4 * LANES) {
    s0 = v_add(s0, v_load(x + i));
    s1 = v_add(s1, v_load(x + i + LANES));
    s2 = v_add(s2, v_load(x + i + 2 * LANES));
    s3 = v_add(s3, v_load(x + i + 3 * LANES));
  }
  return v_sum(v_add(v_add(s0, s1), v_add(s2, s3))) + row_sum(x + i, n - i);
}
