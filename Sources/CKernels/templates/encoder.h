// Token and position embeddings: out[b,t] = wte[token] + wpe[t].
//
// The backward pass takes a range of columns over all positions in ascending order: two positions with the same token
// add to the same row, so the sum's order is fixed, and ranges of columns are independent.

static void encoder_forward(const int32_t *tokens, const float *wte, const float *wpe, long first, long rows, long t,
                            long c, float *out) {
  for (long r = first; r < first + rows; r++) add(wte + tokens[r] * c, wpe + r % t * c, c, out + r * c);
}

static void encoder_backward(const int32_t *tokens, const float *dout, long batch, long t, long c, long first,
                             long columns, float *dwte, float *dwpe) {
  for (long r = 0; r < batch * t; r++) {
    const float *d = dout + r * c + first;
    float *token = dwte + tokens[r] * c + first, *position = dwpe + r % t * c + first;
    add(token, d, columns, token);
    add(position, d, columns, position);
  }
}
