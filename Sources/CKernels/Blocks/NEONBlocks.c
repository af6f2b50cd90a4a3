#include "Encoders.h"

#ifdef __aarch64__

#include "VectorNEON.h"

#define PATH_BLOCKS port_neon_blocks
#define PATH_REFINE port_neon_refine
#define PATH_KERNELS port_neon_kernels
#include "VectorBlocks.h"

#endif
