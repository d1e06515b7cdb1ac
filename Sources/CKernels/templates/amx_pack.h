// Operands of a product in AMX's order, as its tiles read them: links of 32 products, pairs along k.
//
//   A(M,K) along k     in place: 16 rows of 64 bytes are a tile
//   A(M,K) across      packed: [k/32][32 rows][32]
//   B(K,N) by rows     packed, panels of CK_BF16_PANEL columns: [k/2][CK_BF16_PANEL][2]
//   B(K,N) as numbers  packed as by rows, rounded on the way
//   B(K,N) in panels   in place: 16 pairs of 16 columns are a tile, 64 bytes of each line of a panel
//
// The last link of a K that is no multiple of 32 meets zeros: of operands in place it is copied. Nothing beyond a row's
// end is read.

#define AMX_PAIRS (CK_BF16_LINK / 2)
#define AMX_ROWS 32                                        // rows and columns of C that stay in tiles
#define AMX_KC 384                                         // of k: 24 KB of A's rows in L1, B's block in L2
#define AMX_COLUMNS (2 * CK_BF16_COLUMNS)                  // of B's block: 590 KB
#define AMX_A_LINK (AMX_ROWS * CK_BF16_LINK)
#define AMX_B_LINK (CK_BF16_LINK * CK_BF16_PANEL)          // of a panel
#define AMX_LINKS(k) (((k) + CK_BF16_LINK - 1) / CK_BF16_LINK)

_Static_assert(AMX_KC % CK_BF16_LINK == 0, "blocks of k end with a link, so that they decide no bit");
_Static_assert(AMX_COLUMNS % CK_BF16_PANEL == 0 && CK_BF16_PANEL % LANES == 0, "tiles lie in panels, panels in blocks");

// Rows of A times all columns of a block of B: whole links, then one that ends in zeros.
typedef struct {
  const uint16_t *a;
  long a_row, a_link;            // between A's rows, and between the links of one
  const uint16_t *b;
  long b_panel;
  long links;
  const uint16_t *last_a, *last_b;  // of the link with zeros; NULL where k ends with a whole one
  long last_a_row, last_b_panel;
  float *c;
  long ldc, rows, columns;       // rows ≤ AMX_ROWS
  int accumulate;
} amx_product;

// Where 16 columns of panels begin; NULL where there are none.
INLINE const uint16_t *amx_columns(const uint16_t *b, long panel, long column) {
  return b ? b + column / CK_BF16_PANEL * panel + 2 * (column % CK_BF16_PANEL) : 0;
}

// Sixteen pairs of sixteen rows at a time change places.
static void amx_pack_a(const uint16_t *a, long a_k, long k, long rows, uint16_t *packed) {
  for (long k0 = 0; k0 < k; k0 += CK_BF16_LINK, packed += AMX_A_LINK) {
    for (long r = 0; r < rows; r += LANES) {
      float pairs[AMX_PAIRS * LANES];
      for (long t = 0; t < AMX_PAIRS; t++) {
        long at = k0 + 2 * t;
        const uint16_t *even = a + at * a_k + r, *odd = at + 1 < k ? even + a_k : 0;
        vi_store(pairs + t * LANES, at < k ? bf16_pairs(even, odd, rows - r) : vi_set1(0));
      }
      v_transpose(pairs, LANES, (float *)(void *)(packed + r * CK_BF16_LINK), LANES);
    }
  }
}

// The last link of rows in place.
static void amx_pack_last_a(const uint16_t *a, long a_row, long k, long rows, uint16_t *packed) {
  __builtin_memset(packed, 0, AMX_A_LINK * sizeof *packed);
  for (long r = 0; r < rows; r++)
    __builtin_memcpy(packed + r * CK_BF16_LINK, a + r * a_row, (unsigned long)k * sizeof *a);
}

// The last link of panels in place.
static void amx_pack_last_b(const uint16_t *b, long b_panel, long k, long n, uint16_t *packed) {
  unsigned long bytes = (unsigned long)((k + 1) / 2 * 2 * CK_BF16_PANEL) * sizeof *b;
  for (long c = 0; c < n; c += CK_BF16_PANEL, b += b_panel, packed += AMX_B_LINK) {
    __builtin_memset(packed, 0, AMX_B_LINK * sizeof *packed);
    __builtin_memcpy(packed, b, bytes);
  }
}
