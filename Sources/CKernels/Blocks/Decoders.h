// The decoders of one block of every type, for any path: the including file chooses with DECODER how
// they are compiled, and its PORT_DECODER makes the kernel of a type.
//
// Loops over elements are simple on purpose, so that compilers spread them over vectors.

#include "Blocks.h"
#include "FP4.h"
#include "IQ4.h"
#include "Layouts.h"

/// A float at any address.
typedef float __attribute__((aligned(1), may_alias)) loose_float;

#include "DecodersK.h"
#include "DecodersGrid.h"
#include "DecodersSmall.h"

PORT_DECODER(q4_0, 32, 18)
PORT_DECODER(q4_1, 32, 20)
PORT_DECODER(q5_0, 32, 22)
PORT_DECODER(q5_1, 32, 24)
PORT_DECODER(q2_k, SUPER, 84)
PORT_DECODER(q3_k, SUPER, 110)
PORT_DECODER(q4_k, SUPER, 144)
PORT_DECODER(q5_k, SUPER, 176)
PORT_DECODER(q6_k, SUPER, 210)
PORT_DECODER(iq2_xxs, SUPER, 66)
PORT_DECODER(iq2_xs, SUPER, 74)
PORT_DECODER(iq2_s, SUPER, 82)
PORT_DECODER(iq3_xxs, SUPER, 98)
PORT_DECODER(iq3_s, SUPER, 110)
PORT_DECODER(iq1_s, SUPER, 50)
PORT_DECODER(iq1_m, SUPER, 56)
PORT_DECODER(iq4_nl, 32, 18)
PORT_DECODER(iq4_xs, SUPER, 136)
PORT_DECODER(tq1_0, SUPER, 54)
PORT_DECODER(tq2_0, SUPER, 66)
PORT_DECODER(mxfp4, 32, 17)
PORT_DECODER(nvfp4, 64, 36)
PORT_DECODER(q1_0, 128, 18)
PORT_DECODER(q2_0, 64, 18)
