// The kernels for any target: plain C vectors.
#include "tables.h"

// Every function that takes a vector is inlined: none crosses an ABI.
#pragma clang diagnostic ignored "-Wpsabi"
#include "vector/portable.h"

#include "templates/table.h"
