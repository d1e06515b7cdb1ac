// Real instructions against plain loops.
#include "AMXEmulator.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("amx-tile,amx-bf16"))), apply_to = function)
#include <immintrin.h>

#define CHECK(condition) \
  do { \
    if (!(condition)) return __LINE__; \
  } while (0)

typedef struct {
  uint8_t palette, start_row, zero[14];
  uint16_t row_bytes[16];
  uint8_t rows[16];
} configuration;

static uint32_t next(uint64_t *random) {
  *random ^= *random << 13, *random ^= *random >> 7, *random ^= *random << 17;
  return (uint32_t)(*random >> 32);
}

static uint32_t below(uint64_t *random, uint32_t bound) { return next(random) % bound; }

int amx_check_configuration(void) {
  amx_counts before = amx_counts_of_thread();
  configuration given = {.palette = 1}, found;
  for (int tile = 0; tile < 8; tile++) given.row_bytes[tile] = (uint16_t)(8 * (tile + 1)), given.rows[tile] = (uint8_t)(16 - tile);
  _tile_loadconfig(&given);
  memset(&found, 0xFF, sizeof found);
  _tile_storeconfig(&found);
  CHECK(memcmp(&given, &found, sizeof found) == 0);
  _tile_release();
  _tile_storeconfig(&found);
  for (size_t i = 0; i < sizeof found; i++) CHECK(((uint8_t *)&found)[i] == 0);
  // Palette 0 releases, whatever else is there.
  _tile_loadconfig(&given);
  given.palette = 0;
  _tile_loadconfig(&given);
  _tile_storeconfig(&found);
  CHECK(found.palette == 0 && found.rows[0] == 0);
  amx_counts after = amx_counts_of_thread();
  CHECK(after.load_configuration - before.load_configuration == 3 && after.release - before.release == 1);
  return 0;
}

// Every register of an address and every kind of displacement: the compiler chooses some, these are the others.
static void load_by(const uint8_t *from, int64_t stride, int way) {
  switch (way) {
    case 0: __asm__ volatile("tileloadd (%0,%1,1), %%tmm3" ::"r"(from), "r"(stride) : "memory"); break;
    case 1: __asm__ volatile("tileloaddt1 8(%0,%1,1), %%tmm3" ::"r"(from - 8), "r"(stride) : "memory"); break;
    case 2: __asm__ volatile("tileloadd -4096(%0,%1,2), %%tmm3" ::"r"(from + 4096), "r"(stride / 2) : "memory"); break;
    case 3: {
      register const uint8_t *base __asm__("r13") = from;
      register int64_t index __asm__("r12") = stride / 4;
      __asm__ volatile("tileloadd (%0,%1,4), %%tmm3" ::"r"(base), "r"(index) : "memory");
      break;
    }
    default: {
      register const uint8_t *base __asm__("r12") = from;
      register int64_t index __asm__("r9") = stride / 8;
      __asm__ volatile("tileloadd (%0,%1,8), %%tmm3" ::"r"(base), "r"(index) : "memory");
      break;
    }
  }
}

int amx_check_loads(uint64_t seed) {
  uint64_t random = seed * 0x9E3779B97F4A7C15u | 1;
  static _Thread_local uint8_t memory[16 * 256], stored[16 * 256];
  for (int way = 0; way < 5; way++) {
    int rows = 1 + (int)below(&random, 16), bytes = 1 + (int)below(&random, 64), stride = 64 + 8 * (int)below(&random, 24);
    configuration shape = {.palette = 1};
    shape.rows[3] = (uint8_t)rows, shape.row_bytes[3] = (uint16_t)bytes;
    _tile_loadconfig(&shape);
    for (size_t i = 0; i < sizeof memory; i++) memory[i] = (uint8_t)next(&random);
    memset(stored, 0xAA, sizeof stored);
    load_by(memory, stride, way);
    _tile_stored(3, stored, 256);
    for (int row = 0; row < 16; row++)
      for (int byte = 0; byte < 256; byte++) {
        uint8_t expected = row < rows && byte < bytes ? memory[row * stride + byte] : 0xAA;
        CHECK(stored[row * 256 + byte] == expected);
      }
    _tile_zero(3);
    _tile_stored(3, stored, 256);
    for (int byte = 0; byte < bytes; byte++) CHECK(stored[byte] == 0);
  }
  _tile_release();
  return 0;
}

static float widened(uint16_t half) {
  uint32_t bits = (uint32_t)half << 16;
  float value;
  memcpy(&value, &bits, 4);
  return value;
}

// No number of these is so small that flushing would play a part: amx_check_rounding is about those.
static uint16_t a_half(uint64_t *random) {
  uint32_t exponent = 120 + below(random, 14);
  return (uint16_t)(below(random, 2) << 15 | exponent << 7 | below(random, 128));
}

int amx_check_dots(uint64_t seed) {
  uint64_t random = seed * 0x9E3779B97F4A7C15u | 1;
  static _Thread_local uint16_t a[16][32], b[16][32];
  static _Thread_local float c[16][16], found[16][16];
  int rows = 1 + (int)below(&random, 16), columns = 1 + (int)below(&random, 16), pairs = 1 + (int)below(&random, 16);
  configuration shape = {.palette = 1};
  shape.rows[0] = (uint8_t)rows, shape.row_bytes[0] = (uint16_t)(4 * columns);
  shape.rows[5] = (uint8_t)rows, shape.row_bytes[5] = (uint16_t)(4 * pairs);
  shape.rows[7] = (uint8_t)pairs, shape.row_bytes[7] = (uint16_t)(4 * columns);
  for (int i = 0; i < 16; i++)
    for (int j = 0; j < 32; j++) {
      a[i][j] = a_half(&random), b[i][j] = a_half(&random);
      if (j < 16) c[i][j] = widened(a_half(&random));
    }
  amx_counts before = amx_counts_of_thread();
  _tile_loadconfig(&shape);
  _tile_loadd(0, c, sizeof c[0]);
  _tile_loadd(5, a, sizeof a[0]);
  _tile_stream_loadd(7, b, sizeof b[0]);
  _tile_dpbf16ps(0, 5, 7);
  _tile_stored(0, found, sizeof found[0]);
  _tile_release();
  amx_counts after = amx_counts_of_thread();
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < columns; j++) {
      float even = 0, odd = 0;
      for (int k = 0; k < pairs; k++) {
        even = fmaf(widened(a[i][2 * k]), widened(b[k][2 * j]), even);
        odd = fmaf(widened(a[i][2 * k + 1]), widened(b[k][2 * j + 1]), odd);
      }
      float expected = c[i][j] + (even + odd);
      CHECK(memcmp(&expected, &found[i][j], 4) == 0);
    }
  CHECK(after.dot - before.dot == 1 && after.load - before.load == 3 && after.store - before.store == 1);
  return 0;
}

static float one_dot(uint16_t a0, uint16_t a1, uint16_t b0, uint16_t b1, float c) {
  configuration shape = {.palette = 1, .rows = {1, 1, 1}, .row_bytes = {4, 4, 4}};
  uint16_t a[2] = {a0, a1}, b[2] = {b0, b1};
  _tile_loadconfig(&shape);
  _tile_loadd(0, &c, 4);
  _tile_loadd(1, a, 4);
  _tile_loadd(2, b, 4);
  _tile_dpbf16ps(0, 1, 2);
  _tile_stored(0, &c, 4);
  _tile_release();
  return c;
}

int amx_check_rounding(void) {
  const uint16_t one = 0x3F80, least = 0x0080, denormal = 0x007F, minus = 0x8000, infinite = 0x7F80;
  // Numbers below 2⁻¹²⁶ count as zeros: operands, what is there before, results.
  CHECK(one_dot(denormal, 0, one, 0, 0) == 0);
  CHECK(one_dot(one, 0, one, 0, 0x1p-127f) == 1);
  float half_of_least = one_dot(least, 0, 0x3F00, 0, 0);
  CHECK(half_of_least == 0);
  CHECK(one_dot(least, 0, one, 0, 0) == 0x1p-126f);
  float negative = one_dot(least | minus, 0, 0x3F00, 0, -0.0f);
  // −0 and the +0 of the odd chain make +0; added to −0 it stays +0.
  CHECK(negative == 0 && !signbit(negative));
  // The even and the odd products are added to each other before they meet C: 2²⁴ + (1 + 1), not (2²⁴ + 1) + 1.
  CHECK(one_dot(one, one, one, one, 0x1p24f) == 0x1p24f + 2);
  CHECK(isinf(one_dot(infinite, 0, one, 0, 0)) && isnan(one_dot(infinite, infinite | minus, one, one, 0)));
  CHECK(isnan(one_dot(infinite, 0, 0, 0, 0)));
  return 0;
}
#pragma clang attribute pop
#else
int amx_check_configuration(void) { return 0; }
int amx_check_loads(uint64_t seed) { return (void)seed, 0; }
int amx_check_dots(uint64_t seed) { return (void)seed, 0; }
int amx_check_rounding(void) { return 0; }
#endif
