// GPT-2's arithmetic, one table of kernels per instruction set. No threads, no allocation, no system calls.
//
// Every kernel gives the same bits on every instruction set: each output is summed in one fixed order, every
// multiply-add is fused, and the transcendental functions are our own (templates/exponential.h).
// Matrices are row-major; `ld…` and strides count floats. Unless a kernel says otherwise its buffers do not overlap,
// need no alignment, and nothing outside them is read.
#pragma once

#include <stdint.h>

// The GEMM's blocking, for those who split products into tasks; it decides no bit of the result.
enum {
  CK_GEMM_COLUMNS = 384,      // columns of B that are packed at once, a quarter of that where A
  CK_GEMM_MANY_ROWS = 1024    // has fewer rows than this and is in place
};

// Floats of a vector, on every instruction set.
enum { CK_LANES = 16 };

// What the kernels' blocking fixes for good, because it decides the order of sums.
enum {
  CK_KC = 384,              // GEMM: products summed in one chain before they are added to C
  CK_ATTENTION_DEPTH = 256, // attention: the same
  CK_ATTENTION_BLOCK = 128, // attention: queries and keys of a block
  CK_ATTENTION_GROUP = 12,  // attention: queries (or keys) that leave out the same masked products
  CK_SUM_ROWS = 128         // sums over rows: rows summed in one chain before they are added to the total
};

// Products of bfloat16, in one of two orders of sums: pairs, as AVX512_BF16 adds them, in chains; or tiles, as AMX does,
// in links. The panel is how their operand B lies in memory.
enum {
  CK_BF16_KC = 768,         // pairs: products summed in one chain before they are added to C
  CK_BF16_LINK = 32,        // tiles: products summed by themselves before they are added to C
  CK_BF16_PANEL = 48,       // columns of B in a panel
  CK_BF16_COLUMNS = 384     // columns of B that pass one group of A's rows
};

// What bounds a task's scratch: queries of one call of attention's forward pass.
enum { CK_ATTENTION_QUERIES = 256 };

// What happens to C's rows, once they are complete and still in cache.
typedef enum {
  CK_NO_EPILOGUE,
  CK_ADD,                 // C += operand
  CK_GELU,                // result = gelu(C)
  CK_GELU_ERF,
  CK_GELU_QUINTIC,
  CK_GELU_SLOPE,          // C *= gelu'(operand)
  CK_GELU_ERF_SLOPE,
  CK_GELU_QUINTIC_SLOPE
} ck_epilogue;

typedef struct {
  const float *a; long a_row, a_k;   // A(M,K): strides between rows and along k; a_row or a_k is 1
  const float *b; long b_k, b_col;   // B(K,N): strides along k and between columns; b_k or b_col is 1
  float *c; long ldc;                // C(M,N)
  long m, n, k;
  const float *bias;                 // (N), added to every row; may be NULL
  int accumulate;                    // 0: C = A·B (C is never read); 1: C += A·B
  ck_epilogue epilogue;
  const float *operand; float *result;  // laid out as C; NULL where the epilogue has no use for them
} ck_gemm;

// C (+)= A·B + bias with operands of bfloat16 and sums in float. In panels, element (k, n) of B lies at
// b[(n / CK_BF16_PANEL)·b_panel + (k / 2)·2·CK_BF16_PANEL + 2·(n % CK_BF16_PANEL) + k % 2], zeros where k or n ends.
typedef struct {
  const uint16_t *a; long a_row, a_k;   // A(M,K): strides between rows and along k, one of which is 1
  const uint16_t *b; long b_k, b_panel; // B(K,N): rows b_k apart; or in panels, b_panel apart, where b_k is 0; or NULL:
  const float *numbers; long numbers_k, numbers_n; // B as numbers to be rounded: strides along k and n, one of them is 1
  float *c; long ldc;                   // C(M,N)
  long m, n, k;
  const float *bias;                    // (N), added to every row; may be NULL
  int accumulate;                       // 0: C is never read
  ck_epilogue epilogue;
  const float *operand;                 // of CK_ADD, laid out as C
  uint16_t *rounded; long ld_rounded;   // C behind its epilogue as an operand, of an activation that; may be NULL
  uint16_t *half; long ld_half;         // C as float16: an activation leaves it, a slope is taken at it
} ck_bf16_gemm;

// Products of pairs of bfloat16: with the instruction set's own multiply-adds, or with an instruction made for them.
typedef struct {
  const char *name;
  int mr;                               // rows of C in a tile
  long scratch;                         // floats of scratch for `gemm`, of any size
  void (*gemm)(const ck_bf16_gemm *, float *scratch);
  // y = x rounded to an operand: to nearest, ties to even; smaller than any normal number becomes a zero of its sign,
  // too large infinite, a NaN quiet.
  void (*round)(const float *x, long n, uint16_t *y);
  // Rows of a weight, at most CK_LANES and ld apart, rounded on the way into panels of B. `transposed`: they are columns
  // of B, the first of CK_LANES in a panel, of which all are written. `panels`: they are rows of B, from an even one on;
  // every panel's columns are written to its end, panels are `panel` apart. Either may be NULL.
  void (*lay_out)(const float *x, long ld, long rows, long columns, uint16_t *transposed, uint16_t *panels, long panel);
  // sums[i] += x[2i]·y[2i] + x[2i + 1]·y[2i + 1], as the products add. n is that of sums.
  void (*dot)(const uint16_t *x, const uint16_t *y, long n, float *sums);
  // FLOP done by `iterations` rounds of independent dot products.
  double (*peak)(long iterations);
} ck_bf16;

// Which elements of a matrix dropout keeps: a function of these numbers and of the element's row and column alone
// (templates/dropout.h).
typedef struct {
  uint64_t seed;
  uint32_t pass, site;               // of the passes of a run, and of the matrices of a pass
  uint32_t row;                      // the number of the first row at hand
  uint32_t threshold;                // an element is dropped with the probability threshold / 2³²; 0: none is
  float scale;                       // what the others are multiplied by
} ck_dropout;

typedef struct {
  const float *q, *k, *v;            // first element of this head in row t = 0 of its sequence
  long ld;                           // stride between positions of q, k and v
  float *out; long ld_out;           // (T, hs)
  float *log_sum_exp;                // (T)
  float *preatt, *att;               // (T, T) each, both or neither NULL; columns beyond the row's position become 0
  // Queries first..<first+rows of T: first is a multiple of CK_ATTENTION_BLOCK, as is rows unless they are the last;
  // at most CK_ATTENTION_QUERIES.
  long first, rows, head_size, t;
  ck_dropout dropout;                // of the weights: rows are queries, columns are keys
} ck_attention_forward;

typedef struct {
  const float *q, *k, *v; long ld;
  const float *out, *dout; long ld_out;
  const float *log_sum_exp;
  float *dk, *dv; long ld_grad;      // overwritten: rows first..<first+count
  float *dq; long ld_dq;             // overwritten: row 0 is that of query `first`; what these keys add to it
  long first, count, head_size, t;   // keys; both multiples of CK_ATTENTION_BLOCK, unless these are the last
  ck_dropout dropout;                // as in the forward pass
} ck_attention_backward;

// The same over bfloat16, in the order of sums of `ck_bf16`'s kernels, softmax in float.
typedef struct {
  const uint16_t *q, *k, *v;         // first element of this head in row t = 0 of its sequence
  long ld;                           // stride between positions of q, k and v
  float *sums; long ld_sums;         // (T, hs): where out is added up
  uint16_t *out; long ld_out;        // (T, hs)
  float *log_sum_exp;                // as in ck_attention_forward, all that follows also
  float *preatt, *att;
  long first, rows, head_size, t;
  ck_dropout dropout;
} ck_bf16_attention_forward;

typedef struct {
  const uint16_t *q, *k, *v; long ld;
  const uint16_t *out, *dout; long ld_out;
  const float *log_sum_exp;
  float *dk, *dv; long ld_sums;      // (T, hs): where rows first..<first+count are added up
  float *dq; long ld_dq;             // overwritten as in ck_attention_backward, unless T is 1
  // (T, hs), overwritten: rows first..<first+count, of dq those from `first` on, whose first element this is; of dq
  // NULL where the keys before `first` add to it, too.
  uint16_t *rounded_dq, *rounded_dk, *rounded_dv; long ld_rounded;
  long first, count, head_size, t;   // keys, as in ck_attention_backward
  ck_dropout dropout;
} ck_bf16_attention_backward;

// ck_attention_decode over bfloat16.
typedef struct {
  const uint16_t *q;                 // (hs)
  const uint16_t *keys;              // (blocks, ⌈hs/2⌉, CK_ATTENTION_BLOCK, 2): whole blocks, channels in pairs
  const uint16_t *values;            // (⌈T/2⌉, hs, 2): positions in pairs
  long count, head_size;
  float *sums;                       // (hs): where out is added up
  uint16_t *out;                     // (hs)
} ck_bf16_attention_decode;

typedef struct {
  void (*forward)(const ck_bf16_attention_forward *, float *scratch);
  void (*backward)(const ck_bf16_attention_backward *, float *scratch);
  // Sets positions first..<first+count of a head's cache from rows of k and v.
  void (*cache)(const uint16_t *k, const uint16_t *v, long ld, long first, long count, long head_size, uint16_t *keys,
                uint16_t *values);
  void (*decode)(const ck_bf16_attention_decode *, float *scratch);
} ck_bf16_attention;

// One query of one head over the keys and values of a cache, whose first `count` positions end with its own.
typedef struct {
  const float *q;                    // (hs)
  const float *keys;                 // (blocks, hs, CK_ATTENTION_BLOCK): whole blocks, position t in column t of its block
  const float *values;               // (T, hs)
  long count, head_size;
  float *out;                        // (hs)
} ck_attention_decode;

typedef struct {
  float learning_rate, beta1, beta2, epsilon, weight_decay;
  float one_minus_beta1, one_minus_beta2;     // rounded from double: 1 − 0.999f is off by 1.3e-5 of itself
  float first_correction, second_correction;  // 1/(1 − β₁ᵗ), 1/(1 − β₂ᵗ)
  float gradient_scale;                       // multiplies the gradient (clipping)
} ck_adamw;

typedef struct {
  float learning_rate, momentum, weight_decay;
  float gradient_scale;                       // multiplies the gradient (clipping)
  int nesterov;
} ck_sgd;

typedef struct ck_kernels {
  const char *name;
  int mr, nr;

  const ck_bf16 *bf16, *bf16_tiles;  // in the order of pairs, and of tiles
  const ck_bf16_attention *bf16_attention;

  // Floats of scratch for `gemm` (any size), and for attention over T positions.
  long gemm_scratch;
  long (*attention_scratch)(long t);

  void (*gemm)(const ck_gemm *, float *scratch);
  void (*attention_forward)(const ck_attention_forward *, float *scratch);
  void (*attention_backward)(const ck_attention_backward *, float *scratch);
  // Sets positions first..<first+count of a head's cache from rows of k and v.
  void (*attention_cache)(const float *k, const float *v, long ld, long first, long count, long head_size,
                          float *keys, float *values);
  void (*attention_decode)(const ck_attention_decode *, float *scratch);

  void (*layer_norm_forward)(const float *x, const float *weight, const float *bias, float epsilon, long rows,
                             long c, float *y, float *mean, float *rstd);
  // dx is added to; dweight and dbias (C) receive the sums over these rows.
  void (*layer_norm_backward)(const float *dout, const float *x, const float *weight, const float *mean,
                              const float *rstd, long rows, long c, float *dx, float *dweight, float *dbias);
  void (*gelu_forward)(const float *x, long n, float *y);
  void (*gelu_erf_forward)(const float *x, long n, float *y);
  void (*gelu_quintic_forward)(const float *x, long n, float *y);
  // y (rows, columns) = mask∘x, plus `added` unless that is NULL; either may be y. And rounded to operands.
  void (*dropout)(const ck_dropout *, const float *x, const float *added, long rows, long columns, float *y);
  void (*bf16_dropout)(const ck_dropout *, const float *x, long rows, long columns, uint16_t *y);
  void (*add_rows)(const float *x, long ldx, long rows, long columns, float *y, long ldy);  // y += x
  void (*encoder_forward)(const int32_t *tokens, const float *wte, const float *wpe, long first, long rows,
                          long t, long c, float *out);
  // Columns first..<first+columns of both gradients; dwte and dwpe are added to.
  void (*encoder_backward)(const int32_t *tokens, const float *dout, long batch, long t, long c,
                           long first, long columns, float *dwte, float *dwpe);
  // losses[r] = log Σ exp(logits[r]) − logits[r][target]; log_sum_exp is kept for the backward pass.
  void (*cross_entropy_forward)(const float *logits, const int32_t *targets, long rows, long v, long ld,
                                float *losses, float *log_sum_exp);
  // dlogits = (softmax − one-hot)·scale; columns v..<ld become 0. May be in place.
  void (*cross_entropy_backward)(const float *logits, const int32_t *targets, const float *log_sum_exp,
                                 float scale, long rows, long v, long ld, float *dlogits);
  // The same rounded to operands, rows ld_dlogits apart. A row may begin where its logits do; nothing follows column v.
  void (*bf16_cross_entropy_backward)(const float *logits, const int32_t *targets, const float *log_sum_exp,
                                      float scale, long rows, long v, long ld, uint16_t *dlogits, long ld_dlogits);
  // out[c] (+)= Σ_r x[r][c], rows ascending in blocks of CK_SUM_ROWS.
  void (*column_sum)(const float *x, long rows, long columns, long ld, int accumulate, float *out);
  void (*bf16_column_sum)(const uint16_t *x, long rows, long columns, long ld, int accumulate, float *out);
  void (*adamw)(float *parameters, const float *gradients, float *m, float *v, long n, const ck_adamw *);
  // momentum may be NULL: none.
  void (*sgd)(float *parameters, const float *gradients, float *momentum, long n, const ck_sgd *);
  // out[i] = a·x[i] + b·y[i], a product and a multiply-add; out may be x or y.
  void (*combine)(float a, const float *x, float b, const float *y, long n, float *out);
  // squares[r] = Σ_c x[r][c]².
  void (*squared_norms)(const float *x, long rows, long c, float *squares);
  // Between float and the two halves, which lie as in a file, at any alignment. To a half: the nearest, ties to even;
  // too large becomes infinite, NaN stays NaN. From a half: exact.
  void (*float_to_bfloat16)(const float *x, long n, void *y);
  void (*float_to_float16)(const float *x, long n, void *y);
  void (*bfloat16_to_float)(const void *x, long n, float *y);
  void (*float16_to_float)(const void *x, long n, float *y);
  // y (columns, rows), rows ldy apart = the transposed of x (rows, columns), rows ldx apart.
  void (*transpose)(const float *x, long ldx, long rows, long columns, float *y, long ldy);
  void (*exponential)(const float *x, long n, float *y);
  void (*power_of_two)(const float *x, long n, float *y);  // x ≤ 127; 0 where the result is below 2^−126.5

  // The machine's limits: FLOP done by `iterations` rounds of independent multiply-adds; a sum that reads n floats.
  double (*peak)(long iterations);
  float (*read)(const float *x, long n);
} ck_kernels;

// What a processor has and its operating system saves the registers of: bits of `ck_features`.
enum {
  CK_AVX2 = 1 << 0,
  CK_FMA = 1 << 1,
  CK_AVX512F = 1 << 2,
  CK_AVX512DQ = 1 << 3,
  CK_AVX512BW = 1 << 4,
  CK_AVX512VL = 1 << 5,
  CK_AVX512_VNNI = 1 << 6,
  CK_AVX512_BF16 = 1 << 7,
  CK_AMX_TILE = 1 << 8,  // the tiles' state may be saved: Linux also wants to be asked by each process
  CK_AMX_INT8 = 1 << 9,
  CK_AMX_BF16 = 1 << 10
};
uint64_t ck_features(void);

// The table of an instruction set, or NULL where it is not built for this target. Its kernels run only where
// `ck_features` has what the set requires.
const ck_kernels *ck_kernels_portable(void);
const ck_kernels *ck_kernels_avx2(void);
const ck_kernels *ck_kernels_avx512(void);

// Integer operations done by `iterations` rounds of AVX512_VNNI's dot products of four int8; 0 where it is not built for
// this target.
double ck_int8_peak(long iterations);

// Products of bfloat16 by AVX512_BF16's instruction, beside AVX-512's table, or NULL.
const ck_bf16 *ck_bf16_avx512_bf16(void);
const ck_bf16_attention *ck_bf16_attention_avx512_bf16(void);

// Products of bfloat16 by AMX's instructions, in the order of tiles, or NULL. Linux wants to be asked by each process
// before they run (CLinux).
const ck_bf16 *ck_bf16_amx(void);
