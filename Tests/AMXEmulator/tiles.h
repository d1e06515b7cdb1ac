// The state that AMX adds to a thread, and what each instruction does to it. Source: Intel SDM volume 1, chapter 18, and
// the pages of the instructions in volume 2.
#pragma once
#include "AMXEmulator.h"

#include <stdint.h>

enum { tile_count = 8, tile_rows = 16, tile_row_bytes = 64, configuration_bytes = 64 };

typedef struct {
  uint8_t palette, start_row;
  uint16_t row_bytes[tile_count];
  uint8_t rows[tile_count];
  uint8_t data[tile_count][tile_rows][tile_row_bytes];
} amx_state;

// These return 0 where the processor would raise an exception; nothing has changed then.
int amx_load_configuration(amx_state *state, const uint8_t *from);
void amx_store_configuration(const amx_state *state, uint8_t *to);
void amx_release(amx_state *state);
int amx_zero(amx_state *state, int tile);
int amx_load(amx_state *state, int tile, const uint8_t *from, int64_t stride);
int amx_store(amx_state *state, int tile, uint8_t *to, int64_t stride);
// c += a·b: TDPBF16PS, or what a faulty unit makes of it.
int amx_dot(amx_state *state, int c, int a, int b, amx_fault fault);
