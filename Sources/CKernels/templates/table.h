// One instruction set's table: include after its vector header, inside its target region.

// Contraction would fuse scalar a·b + c where the target can and not elsewhere: other bits.
#pragma STDC FP_CONTRACT OFF

// An enumeration's case that a switch leaves out does not compile.
#pragma clang diagnostic error "-Wswitch"

#include "lanes.h"
#include "exponential.h"
#include "rows.h"
#include "gemm_prefetch.h"
#include "gemm_pack.h"
#include "gemm_store.h"
#include "gemm_tile.h"
#include "gelu.h"
#include "gemm_epilogue.h"
#include "gemm_few_rows.h"
#include "gemm_block.h"
#include "convert.h"
#include "bf16_table.h"
#include "bf16_rows.h"
#include "amx_pack.h"
#include "amx_link.h"
#include "amx_tiles.h"
#include "amx_block.h"
#include "dropout.h"
#include "attention_tile.h"
#include "attention.h"
#include "attention_forward.h"
#include "attention_backward.h"
#include "attention_decode.h"
#include "bf16_attention_table.h"
#include "layer_norm.h"
#include "encoder.h"
#include "cross_entropy.h"
#include "adamw.h"
#include "sgd.h"
#include "transpose.h"
#include "limits.h"

#define TABLE_STRING(x) #x
#define TABLE_NAME(x) TABLE_STRING(x)

#define ISA_TEXT &TABLE_NAME(ISA_NAME())[1]  // without the underscore

static const ck_bf16 bf16_table = BF16_TABLE(ISA_TEXT);
static const ck_bf16_attention bf16_attention_table = BF16_ATTENTION_TABLE;
static const ck_bf16 amx_table = AMX_TABLE(ISA_TEXT);

const ck_kernels ISA_NAME(ck_table) = {
    .name = ISA_TEXT,
    .mr = MR,
    .nr = NR,
    .bf16 = &bf16_table,
    .bf16_attention = &bf16_attention_table,
    .bf16_tiles = &amx_table,
    .gemm_scratch = GEMM_SCRATCH,
    .attention_scratch = attention_scratch,
    .gemm = gemm,
    .attention_forward = attention_forward,
    .attention_backward = attention_backward,
    .attention_cache = attention_cache,
    .attention_decode = attention_decode,
    .layer_norm_forward = layer_norm_forward,
    .layer_norm_backward = layer_norm_backward,
    .gelu_forward = gelu_forward,
    .gelu_erf_forward = gelu_erf_forward,
    .gelu_quintic_forward = gelu_quintic_forward,
    .dropout = dropout,
    .bf16_dropout = bf16_dropout,
    .add_rows = add_rows,
    .encoder_forward = encoder_forward,
    .encoder_backward = encoder_backward,
    .cross_entropy_forward = cross_entropy_forward,
    .cross_entropy_backward = cross_entropy_backward,
    .bf16_cross_entropy_backward = bf16_cross_entropy_backward,
    .column_sum = column_sum,
    .bf16_column_sum = bf16_column_sum,
    .adamw = adamw,
    .sgd = sgd,
    .combine = combine,
    .squared_norms = squared_norms,
    .float_to_bfloat16 = float_to_bfloat16,
    .float_to_float16 = float_to_float16,
    .bfloat16_to_float = bfloat16_to_float,
    .float16_to_float = float16_to_float,
    .transpose = transpose,
    .exponential = exponential,
    .power_of_two = power_of_two,
    .peak = peak,
    .read = read_sum,
};
