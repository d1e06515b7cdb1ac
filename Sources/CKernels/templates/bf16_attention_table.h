// Attention over bfloat16, as a table of its own: once beside every instruction set's kernels, and once for each unit
// that has an instruction for its products. The templates of attention over floats come before.

#include "bf16_attention.h"
#include "bf16_attention_forward.h"
#include "bf16_attention_backward.h"
#include "bf16_attention_decode.h"

#define BF16_ATTENTION_TABLE \
  {.forward = bf16_attention_forward, .backward = bf16_attention_backward, .cache = bf16_attention_cache, \
   .decode = bf16_attention_decode}
