// Whole vectors, or the leading lanes where fewer than 16 elements are left. The branch is the same for every access
// of an iteration, so the compiler leaves one of them, and whole vectors pay no mask (VMASKMOV stores are slow on AMD).

#define UNROLL _Pragma("clang loop unroll(full)")

INLINE vf v_load_some(const float *p, long left) { return left >= LANES ? v_load(p) : v_load_tail(p, v_tail(left)); }

INLINE void v_store_some(float *p, long left, vf v) {
  if (left >= LANES) v_store(p, v);
  else v_store_tail(p, v_tail(left), v);
}

INLINE vf v_select_some(long left, vf inside, vf outside) {
  return left >= LANES ? inside : v_select_tail(v_tail(left), inside, outside);
}
