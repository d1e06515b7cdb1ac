#include "tiles.h"

#include <math.h>
#include <string.h>

static int is_configured(const amx_state *state, int tile) { return state->palette == 1 && state->rows[tile] != 0; }

// Byte 0: palette, 1: first row, 2–15: zero, 16–31: bytes of a row of each tile, 32–47: zero, 48–55: rows, 56–63: zero.
int amx_load_configuration(amx_state *state, const uint8_t *from) {
  amx_state next = {.palette = from[0], .start_row = from[1]};
  if (next.palette == 0) {
    *state = (amx_state){0};
    return 1;
  }
  if (next.palette != 1) return 0;
  for (int i = 2; i < configuration_bytes; i++) {
    int is_used = (i >= 16 && i < 16 + 2 * tile_count) || (i >= 48 && i < 48 + tile_count);
    if (!is_used && from[i] != 0) return 0;
  }
  for (int tile = 0; tile < tile_count; tile++) {
    memcpy(&next.row_bytes[tile], from + 16 + 2 * tile, 2);
    next.rows[tile] = from[48 + tile];
    if (next.row_bytes[tile] > tile_row_bytes || next.rows[tile] > tile_rows) return 0;
    if ((next.row_bytes[tile] == 0) != (next.rows[tile] == 0)) return 0;
  }
  *state = next;
  return 1;
}

void amx_store_configuration(const amx_state *state, uint8_t *to) {
  memset(to, 0, configuration_bytes);
  to[0] = state->palette;
  to[1] = state->start_row;
  memcpy(to + 16, state->row_bytes, sizeof state->row_bytes);
  memcpy(to + 48, state->rows, sizeof state->rows);
}

void amx_release(amx_state *state) { *state = (amx_state){0}; }

int amx_zero(amx_state *state, int tile) {
  if (!is_configured(state, tile)) return 0;
  memset(state->data[tile], 0, sizeof state->data[tile]);
  state->start_row = 0;
  return 1;
}

int amx_load(amx_state *state, int tile, const uint8_t *from, int64_t stride) {
  if (!is_configured(state, tile) || state->start_row >= state->rows[tile]) return 0;
  // Rows before the first one, which a fault would have loaded, stay; what lies beyond rows and columns becomes zero.
  for (int row = state->start_row; row < tile_rows; row++) memset(state->data[tile][row], 0, tile_row_bytes);
  for (int row = state->start_row; row < state->rows[tile]; row++)
    memcpy(state->data[tile][row], from + row * stride, state->row_bytes[tile]);
  state->start_row = 0;
  return 1;
}

int amx_store(amx_state *state, int tile, uint8_t *to, int64_t stride) {
  if (!is_configured(state, tile) || state->start_row >= state->rows[tile]) return 0;
  for (int row = state->start_row; row < state->rows[tile]; row++)
    memcpy(to + row * stride, state->data[tile][row], state->row_bytes[tile]);
  state->start_row = 0;
  return 1;
}

// MARK: - TDPBF16PS

static float flushed(float x) { return fabsf(x) < 0x1p-126f ? copysignf(0, x) : x; }

// Denormal operands and results count as zeros of their sign; whether a result is one is judged after rounding to 24
// bits, and so on a scale on which it is none.
static float multiply_add(float a, float b, float c) {
  a = flushed(a), b = flushed(b), c = flushed(c);
  float result = fmaf(a, b, c);
  if (!(fabsf(result) <= 0x1p-125f) || result == 0) return result;
  const float scale = 0x1p60f;
  float scaled = fabsf(a) < fabsf(b) ? fmaf(a * scale, b, c * scale) : fmaf(a, b * scale, c * scale);
  return fabsf(scaled) < 0x1p-126f * scale ? copysignf(0, scaled) : scaled / scale;
}

static float sum(float a, float b) { return flushed(flushed(a) + flushed(b)); }

static float half(const uint8_t *from) {
  uint16_t bits;
  memcpy(&bits, from, 2);
  uint32_t word = (uint32_t)bits << 16;
  float value;
  memcpy(&value, &word, 4);
  return value;
}

static float faulty_sum(float before, float even, float odd, amx_fault fault) {
  float after = sum(before, sum(even, odd));
  if (fault == amx_adds_one_by_one) return sum(sum(before, even), odd);
  if (fault != amx_truncates || !isfinite(after)) return after;
  uint32_t bits;
  memcpy(&bits, &after, 4);
  bits &= ~1u;
  memcpy(&after, &bits, 4);
  return after;
}

int amx_dot(amx_state *state, int c, int a, int b, amx_fault fault) {
  if (c == a || a == b || c == b) return 0;
  if (!is_configured(state, c) || !is_configured(state, a) || !is_configured(state, b)) return 0;
  if (state->row_bytes[a] % 4 || state->row_bytes[b] % 4 || state->row_bytes[c] % 4) return 0;
  if (state->rows[c] != state->rows[a] || state->row_bytes[c] != state->row_bytes[b]) return 0;
  if (state->row_bytes[a] / 4 != state->rows[b]) return 0;
  for (int row = 0; row < state->rows[c]; row++) {
    for (int column = 0; column < state->row_bytes[c] / 4; column++) {
      float even = 0, odd = 0, before;
      for (int pair = 0; pair < state->rows[b]; pair++) {
        const uint8_t *left = state->data[a][row] + 4 * pair, *right = state->data[b][pair] + 4 * column;
        int keeps = fault == amx_keeps_denormals;
        even = keeps ? fmaf(half(left), half(right), even) : multiply_add(half(left), half(right), even);
        odd = keeps ? fmaf(half(left + 2), half(right + 2), odd) : multiply_add(half(left + 2), half(right + 2), odd);
      }
      memcpy(&before, state->data[c][row] + 4 * column, 4);
      float after = fault == amx_keeps_denormals ? before + (even + odd) : faulty_sum(before, even, odd, fault);
      memcpy(state->data[c][row] + 4 * column, &after, 4);
    }
    memset(state->data[c][row] + state->row_bytes[c], 0, tile_row_bytes - state->row_bytes[c]);
  }
  for (int row = state->rows[c]; row < tile_rows; row++) memset(state->data[c][row], 0, tile_row_bytes);
  state->start_row = 0;
  return 1;
}
