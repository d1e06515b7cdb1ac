// Between float and the two halves of 16 bits, number by number, in integers and exact multiplications: plain loops,
// which compilers turn into vectors of any instruction set, and the same bits everywhere. Halves lie at any alignment
// (memcpy); no operand overlaps another.

static void float_to_bfloat16(const float *restrict x, long n, void *restrict y) {
  for (long i = 0; i < n; i++) {
    uint32_t bits;
    __builtin_memcpy(&bits, x + i, sizeof bits);
    // The addition carries a fraction above one half, or of one half onto an odd number, into the upper bits. It would
    // carry some NaNs over to infinity; a bit makes them quiet instead.
    uint32_t nearest = (bits + 0x7fffu + (bits >> 16 & 1)) >> 16, quiet = bits >> 16 | 0x40u;
    uint16_t half = (uint16_t)((bits & 0x7fffffffu) > 0x7f800000u ? quiet : nearest);
    __builtin_memcpy((char *)y + 2 * i, &half, sizeof half);
  }
}

// Three ways: normal numbers as above, with the exponent's bias moved from 127 to 15; below 2^-14 the sum with ½, whose
// last bit is worth 2^-24 as that of a subnormal half, rounds as wanted; from 2^16 on infinity (what lies between 65520
// and that carries into it by itself), or a NaN that keeps its upper bits.
static void float_to_float16(const float *restrict x, long n, void *restrict y) {
  for (long i = 0; i < n; i++) {
    uint32_t bits, small_bits;
    __builtin_memcpy(&bits, x + i, sizeof bits);
    uint32_t magnitude = bits & 0x7fffffffu, sign = bits >> 16 & 0x8000u;
    uint32_t normal = (magnitude - 0x38000000u + 0xfffu + (magnitude >> 13 & 1)) >> 13;
    float small;
    __builtin_memcpy(&small, &magnitude, sizeof small);
    small += 0.5f;
    __builtin_memcpy(&small_bits, &small, sizeof small_bits);
    uint32_t special = magnitude > 0x7f800000u ? 0x7e00u | (magnitude >> 13 & 0x1ffu) : 0x7c00u;
    uint32_t finite = magnitude < 0x38800000u ? small_bits - 0x3f000000u : normal;
    uint16_t half = (uint16_t)((magnitude >= 0x47800000u ? special : finite) | sign);
    __builtin_memcpy((char *)y + 2 * i, &half, sizeof half);
  }
}

static void bfloat16_to_float(const void *restrict x, long n, float *restrict y) {
  for (long i = 0; i < n; i++) {
    uint16_t half;
    __builtin_memcpy(&half, (const char *)x + 2 * i, sizeof half);
    uint32_t bits = (uint32_t)half << 16;
    __builtin_memcpy(y + i, &bits, sizeof bits);
  }
}

// Exponent and fraction move to their places; multiplying by 2^112 corrects the bias, for subnormals too. An exponent of
// all ones (infinity, NaN) stays one.
static void float16_to_float(const void *restrict x, long n, float *restrict y) {
  for (long i = 0; i < n; i++) {
    uint16_t half;
    __builtin_memcpy(&half, (const char *)x + 2 * i, sizeof half);
    uint32_t magnitude = (uint32_t)(half & 0x7fffu) << 13, finite;
    float scaled;
    __builtin_memcpy(&scaled, &magnitude, sizeof scaled);
    scaled *= 0x1p112f;
    __builtin_memcpy(&finite, &scaled, sizeof finite);
    uint32_t shifted = (half & 0x7c00u) == 0x7c00u ? magnitude | 0x7f800000u : finite;
    uint32_t bits = shifted | (uint32_t)(half & 0x8000u) << 16;
    __builtin_memcpy(y + i, &bits, sizeof bits);
  }
}
