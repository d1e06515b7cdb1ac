// Products of bfloat16 in AMX's tiles, beside the kernels for AVX-512. Sources: Intel SDM volume 1, chapter 18, and the
// pages of the instructions in volume 2.
#include "tables.h"

#if defined(__x86_64__)
#include <immintrin.h>

#pragma clang attribute push( \
    __attribute__((target("amx-tile,amx-bf16,avx512bf16,avx512f,avx512dq,avx512bw,avx512vl,avx2,fma"))), \
    apply_to = function)
#include "vector/avx512.h"

#pragma STDC FP_CONTRACT OFF
#pragma clang diagnostic error "-Wswitch"

#include "templates/lanes.h"
#include "vector/avx512_bf16.h"
#include "templates/exponential.h"
#include "templates/rows.h"
#include "templates/gelu.h"
#include "templates/gemm_epilogue.h"
#include "templates/convert.h"
#include "templates/bf16_pack.h"
#include "templates/bf16_finish.h"

#include "templates/amx_pack.h"

// What LDTILECFG reads.
typedef struct {
  uint8_t palette, first_row, zero[14];
  uint16_t row_bytes[16];
  uint8_t rows[16];
} amx_configuration;
_Static_assert(sizeof(amx_configuration) == 64, "as the manual lays it out");

// Tiles: C's 2 × 2 are 0 to 3, A's two 4 and 5, B's two 6 and 7. What C does not reach has no rows.
INLINE void amx_configure(long rows, long columns) {
  amx_configuration shape = {.palette = 1};
  for (int i = 0; i < 2; i++) {
    long height = rows - 16 * i < 16 ? rows - 16 * i : 16, width = columns - 16 * i < 16 ? columns - 16 * i : 16;
    if (height > 0) shape.rows[4 + i] = (uint8_t)height, shape.row_bytes[4 + i] = 2 * CK_BF16_LINK;
    if (width > 0) shape.rows[6 + i] = AMX_PAIRS, shape.row_bytes[6 + i] = (uint16_t)(4 * width);
  }
  for (int i = 0; i < 4; i++) {
    int a = 4 + i / 2, b = 6 + i % 2;
    if (shape.rows[a] == 0 || shape.rows[b] == 0) continue;
    shape.rows[i] = shape.rows[a];
    shape.row_bytes[i] = shape.row_bytes[b];
  }
  _tile_loadconfig(&shape);
}

INLINE void amx_begin_c(int two_rows, int two_columns, int accumulate, const float *c, long ldc) {
  unsigned long stride = (unsigned long)ldc * sizeof *c;
  if (accumulate) {
    _tile_loadd(0, c, stride);
    if (two_columns) _tile_loadd(1, c + 16, stride);
    if (two_rows) _tile_loadd(2, c + 16 * ldc, stride);
    if (two_rows && two_columns) _tile_loadd(3, c + 16 * ldc + 16, stride);
  } else {
    _tile_zero(0);
    if (two_columns) _tile_zero(1);
    if (two_rows) _tile_zero(2);
    if (two_rows && two_columns) _tile_zero(3);
  }
}

INLINE void amx_end_c(int two_rows, int two_columns, float *c, long ldc) {
  unsigned long stride = (unsigned long)ldc * sizeof *c;
  _tile_stored(0, c, stride);
  if (two_columns) _tile_stored(1, c + 16, stride);
  if (two_rows) _tile_stored(2, c + 16 * ldc, stride);
  if (two_rows && two_columns) _tile_stored(3, c + 16 * ldc + 16, stride);
}

// 32 products of each element: four loads for four products.
INLINE void amx_link(int two_rows, int two_columns, const uint16_t *a, long a_row, const uint16_t *b0,
                     const uint16_t *b1) {
  unsigned long a_stride = (unsigned long)a_row * sizeof *a, b_stride = 2 * CK_BF16_PANEL * sizeof *b0;
  _tile_loadd(4, a, a_stride);
  _tile_loadd(6, b0, b_stride);
  _tile_dpbf16ps(0, 4, 6);
  if (two_columns) {
    _tile_loadd(7, b1, b_stride);
    _tile_dpbf16ps(1, 4, 7);
  }
  if (two_rows) {
    _tile_loadd(5, a + 16 * a_row, a_stride);
    _tile_dpbf16ps(2, 5, 6);
    if (two_columns) _tile_dpbf16ps(3, 5, 7);
  }
}

INLINE void amx_tile(int two_rows, int two_columns, const amx_product *g, long column) {
  float *c = g->c + column;
  const uint16_t *a = g->a, *b0 = amx_columns(g->b, g->b_panel, column);
  const uint16_t *b1 = amx_columns(g->b, g->b_panel, column + 16);
  amx_begin_c(two_rows, two_columns, g->accumulate, c, g->ldc);
  for (long l = 0; l < g->links; l++, a += g->a_link, b0 += AMX_B_LINK, b1 += AMX_B_LINK)
    amx_link(two_rows, two_columns, a, g->a_row, b0, b1);
  if (g->last_a)
    amx_link(two_rows, two_columns, g->last_a, g->last_a_row, amx_columns(g->last_b, g->last_b_panel, column),
             amx_columns(g->last_b, g->last_b_panel, column + 16));
  amx_end_c(two_rows, two_columns, c, g->ldc);
}

INLINE void amx_tiles_of(int two_rows, const amx_product *g) {
  long whole = g->columns - g->columns % 32, left = g->columns - whole;
  if (whole > 0) amx_configure(g->rows, 32);
  for (long column = 0; column < whole; column += 32) amx_tile(two_rows, 1, g, column);
  if (left > 0) amx_configure(g->rows, left);
  if (left > 16) amx_tile(two_rows, 1, g, whole);
  else if (left > 0) amx_tile(two_rows, 0, g, whole);
  _tile_release();
}

static void amx_tiles(const amx_product *g) {
  if (g->rows > 16) amx_tiles_of(1, g);
  else amx_tiles_of(0, g);
}

// As many independent tiles as the GEMM has; returns the floating-point operations done.
static double amx_peak(long iterations) {
  uint16_t pairs[16 * CK_BF16_LINK];
  for (int i = 0; i < 16 * CK_BF16_LINK; i++) pairs[i] = 0x3e80;
  amx_configure(32, 32);
  _tile_loadd(4, pairs, 64);
  _tile_loadd(5, pairs, 64);
  _tile_loadd(6, pairs, 64);
  _tile_loadd(7, pairs, 64);
  for (long t = 0; t < iterations; t++) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_release();
  return 4 * 2.0 * 16 * 16 * CK_BF16_LINK * (double)iterations;
}

#include "templates/amx_block.h"

const ck_bf16 ck_bf16_table_amx = AMX_TABLE("amx");
#pragma clang attribute pop
#endif
