// Memory that is asked for while tiles are computed: a few lines every TILE_STEPS steps of k. More of them at once
// would hold up the tile's own loads, which wait for the same buffers: with all of a tile's lines before it, products
// of 256 rows run 2 % slower.

#define TILE_STEPS 32
#define LINE_BYTES 64
#define MOST_LINES 24

// Lines of a matrix that are yet to be asked for.
typedef struct {
  const char *row;
  long stride, rows, lines, line;
  long at_once;
} gemm_prefetch;

// A matrix of rows of so many bytes, `stride` bytes apart, that is asked for during so many tiles of k steps.
INLINE gemm_prefetch prefetch_of(const void *first, long stride, long rows, long bytes, long tiles, long k) {
  long lines = (bytes + LINE_BYTES - 1) / LINE_BYTES;
  long times = tiles * ((k + TILE_STEPS - 1) / TILE_STEPS), at_once = (rows * lines + times - 1) / times;
  return (gemm_prefetch){.row = first, .stride = stride, .rows = rows, .lines = lines,
                         .at_once = at_once < MOST_LINES ? at_once : MOST_LINES};
}

INLINE void prefetch_lines(gemm_prefetch *block) {
  for (long i = 0; i < block->at_once && block->rows > 0; i++) {
    __builtin_prefetch(block->row + block->line * LINE_BYTES, 0, 2);
    if (++block->line == block->lines) {
      block->line = 0;
      block->row += block->stride;
      block->rows--;
    }
  }
}
