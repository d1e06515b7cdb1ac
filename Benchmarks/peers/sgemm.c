// Times a BLAS library's SGEMM on the matrix products of GPT-2's linear layers and prints one JSON object,
// whose results have the fields of `gpt2-bench --suite gemm --json`.
//
//     sgemm LIBRARY THREADS ROWS SECONDS NAME:OUTPUTS:INPUTS:STRIDE...
//
// LIBRARY is a shared library with cblas_sgemm. A layer is y(ROWS, OUTPUTS) = x(ROWS, INPUTS)·Wᵀ, with STRIDE
// floats between rows of y; its backward pass is dx = dy·W and dW = dyᵀ·x. Every layer has tensors of its own,
// in huge pages where the system has them, and the products take turns: one round to warm up, whose results are
// checked against double precision, then at least 5 rounds and at most 50, until SECONDS have passed.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { PASSES = 3, LEAST_ROUNDS = 5, MOST_ROUNDS = 50, CHECKS = 16 };
// The values of CBLAS's enumerations, which every library shares.
enum { ROW_MAJOR = 101, NO_TRANSPOSE = 111, TRANSPOSE = 112 };

typedef void sgemm_function(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha,
                            const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc);

typedef struct {
  const char *name;
  int outputs, inputs, stride;
  float *x, *weight, *y, *dx, *dweight;
} layer;

// C(m, n) = A(m, k)·B(k, n), each as it lies in memory.
typedef struct {
  int transpose_a, transpose_b, m, n, k, lda, ldb, ldc;
  const float *a, *b;
  float *c;
} product;

static const char *const pass_names[PASSES] = {"forward", "dinput", "dweight"};

_Noreturn static void fail(const char *message, const char *detail) {
  fprintf(stderr, "sgemm: %s%s\n", message, detail);
  exit(1);
}

static int positive(const char *text) {
  char *end;
  long value = strtol(text, &end, 10);
  if (*text == 0 || *end != 0 || value < 1 || value > INT32_MAX)
    fail("expected a positive int32, found ", text);
  return (int)value;
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e3 + (double)time.tv_nsec * 1e-6;
}

// Numbers in −0.1..<0.1, whose values do not matter; by the recurrence of Marsaglia 2003, doi:10.18637/jss.v008.i14.
static float *allocate(size_t count) {
  const size_t huge = (size_t)2 << 20, bytes = (4 * count + huge - 1) / huge * huge;
  float *values = aligned_alloc(huge, bytes);
  if (values == NULL) fail("out of memory for the operands", "");
  madvise(values, bytes, MADV_HUGEPAGE);
  static uint64_t state = 88172645463325252;
  for (size_t i = 0; i < count; i++) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    values[i] = ((float)(state >> 40) * 0x1p-23f - 1) * 0.1f;
  }
  return values;
}

static layer read_layer(char *text, int rows) {
  layer result = {.name = text};
  int *const sizes[] = {&result.outputs, &result.inputs, &result.stride};
  for (int i = 0; i < 3; i++) {
    char *colon = strchr(text, ':');
    if (colon == NULL) fail("expected NAME:OUTPUTS:INPUTS:STRIDE, found ", result.name);
    *colon = 0;
    text = colon + 1;
    char *end = strchr(text, ':');
    if (end != NULL) *end = 0;
    *sizes[i] = positive(text);
    if (end != NULL) *end = ':';
  }
  if (result.stride < result.outputs) fail("expected a stride of at least the outputs in ", result.name);
  const size_t M = (size_t)rows, N = (size_t)result.outputs, K = (size_t)result.inputs;
  result.x = allocate(M * K);
  result.weight = allocate(N * K);
  result.y = allocate(M * (size_t)result.stride);
  result.dx = allocate(M * K);
  result.dweight = allocate(N * K);
  return result;
}

// Forward, dinput, dweight; y serves as dy.
static product make_product(const layer *of, int pass, int rows) {
  const int N = of->outputs, K = of->inputs;
  switch (pass) {
    case 0: return (product){NO_TRANSPOSE, TRANSPOSE, rows, N, K, K, K, of->stride, of->x, of->weight, of->y};
    case 1: return (product){NO_TRANSPOSE, NO_TRANSPOSE, rows, K, N, of->stride, K, K, of->y, of->weight, of->dx};
    default: return (product){TRANSPOSE, NO_TRANSPOSE, N, K, rows, of->stride, K, K, of->y, of->x, of->dweight};
  }
}

static void run(sgemm_function *sgemm, const product *p) {
  sgemm(ROW_MAJOR, p->transpose_a, p->transpose_b, p->m, p->n, p->k, 1, p->a, p->lda, p->b, p->ldb, 0, p->c, p->ldc);
}

// Entries all over C against double precision. The bound is that of summing k products in any order, each
// operation rounded once: k·2⁻²⁴·Σ|a·b| (Higham 2002, section 3.1), and twice that for what it leaves out.
static int is_right(const product *p) {
  for (int check = 0; check < CHECKS; check++) {
    const size_t row = (size_t)((int64_t)(p->m - 1) * check / (CHECKS - 1));
    const size_t column = (size_t)((int64_t)(p->n - 1) * (check * 7 % CHECKS) / (CHECKS - 1));
    double sum = 0, magnitude = 0;
    for (size_t k = 0; k < (size_t)p->k; k++) {
      const double a = p->transpose_a == TRANSPOSE ? p->a[k * (size_t)p->lda + row] : p->a[row * (size_t)p->lda + k];
      const double b =
          p->transpose_b == TRANSPOSE ? p->b[column * (size_t)p->ldb + k] : p->b[k * (size_t)p->ldb + column];
      sum += a * b;
      magnitude += fabs(a * b);
    }
    if (!(fabs(p->c[row * (size_t)p->ldc + column] - sum) <= 2 * p->k * 0x1p-24 * magnitude)) return 0;
  }
  return 1;
}

static int ascending(const void *left, const void *right) {
  const double l = *(const double *)left, r = *(const double *)right;
  return (l > r) - (l < r);
}

// The library's name, the kernels that it chose for this processor and its threads, as far as it tells.
static void print_library(void *library, const char *path) {
  const char *(*openblas_config)(void) = (const char *(*)(void))dlsym(library, "openblas_get_config");
  const char *(*openblas_core)(void) = (const char *(*)(void))dlsym(library, "openblas_get_corename");
  int (*openblas_threads)(void) = (int (*)(void))dlsym(library, "openblas_get_num_threads");
  const char *(*blis_version)(void) = (const char *(*)(void))dlsym(library, "bli_info_get_version_str");
  int (*blis_architecture)(void) = (int (*)(void))dlsym(library, "bli_arch_query_id");
  const char *(*blis_name)(int) = (const char *(*)(int))dlsym(library, "bli_arch_string");
  int64_t (*blis_threads)(void) = (int64_t (*)(void))dlsym(library, "bli_thread_get_num_threads");
  if (openblas_config != NULL && openblas_core != NULL && openblas_threads != NULL) {
    printf("\"library\":\"%s\",\"kernels\":\"%s\",\"threads\":%d", openblas_config(), openblas_core(),
           openblas_threads());
  } else if (blis_version != NULL && blis_architecture != NULL && blis_name != NULL && blis_threads != NULL) {
    printf("\"library\":\"BLIS %s\",\"kernels\":\"%s\",\"threads\":%lld", blis_version(),
           blis_name(blis_architecture()), (long long)blis_threads());
  } else {
    fail("expected OpenBLAS or BLIS, found another library in ", path);
  }
}

int main(int count, char **arguments) {
  if (count < 6) fail("usage: sgemm LIBRARY THREADS ROWS SECONDS NAME:OUTPUTS:INPUTS:STRIDE...", "");
  positive(arguments[2]);
  const int rows = positive(arguments[3]), layers = count - 5, jobs = PASSES * layers;
  const double limit = 1e3 * positive(arguments[4]);
  // The libraries read these when they are loaded.
  setenv("OPENBLAS_NUM_THREADS", arguments[2], 1);
  setenv("BLIS_NUM_THREADS", arguments[2], 1);
  void *library = dlopen(arguments[1], RTLD_NOW);
  if (library == NULL) fail("cannot load the library: ", dlerror());
  sgemm_function *sgemm = (sgemm_function *)dlsym(library, "cblas_sgemm");
  if (sgemm == NULL) fail("expected a library with cblas_sgemm, found none in ", arguments[1]);

  layer *all = calloc((size_t)layers, sizeof *all);
  product *products = calloc((size_t)jobs, sizeof *products);
  double(*times)[MOST_ROUNDS] = calloc((size_t)jobs, sizeof *times);
  if (all == NULL || products == NULL || times == NULL) fail("out of memory", "");
  for (int job = 0; job < jobs; job++) {
    layer *of = &all[job / PASSES];
    if (job % PASSES == 0) *of = read_layer(arguments[5 + job / PASSES], rows);
    products[job] = make_product(of, job % PASSES, rows);
    run(sgemm, &products[job]);
    if (!is_right(&products[job])) fail("the library's product is wrong: ", of->name);
  }

  int rounds = 0;
  const double start = now();
  while (rounds < LEAST_ROUNDS || (rounds < MOST_ROUNDS && now() - start < limit)) {
    for (int job = 0; job < jobs; job++) {
      const double before = now();
      run(sgemm, &products[job]);
      times[job][rounds] = now() - before;
    }
    rounds++;
  }

  printf("{\"machine\":{");
  print_library(library, arguments[1]);
  printf("},\"results\":[");
  for (int job = 0; job < jobs; job++) {
    const layer *of = &all[job / PASSES];
    qsort(times[job], (size_t)rounds, sizeof(double), ascending);
    const double median = (times[job][rounds / 2] + times[job][(rounds - 1) / 2]) / 2;
    printf("%s{\"suite\":\"gemm\",\"name\":\"%s %s\",\"milliseconds\":{\"min\":%.6f,\"median\":%.6f,\"max\":%.6f},"
           "\"m\":%d,\"n\":%d,\"k\":%d,\"pass\":\"%s\"}",
           job == 0 ? "" : ",", of->name, pass_names[job % PASSES], times[job][0], median, times[job][rounds - 1],
           rows, of->outputs, of->inputs, pass_names[job % PASSES]);
  }
  printf("]}\n");
  return 0;
}
