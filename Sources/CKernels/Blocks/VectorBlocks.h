// The vector kernels of every block type, for the vectors that the including file has chosen.

#include "Lanes.h"

#include "LanesAffine.h"
#include "LanesSymmetric.h"
#include "LanesQ4Q5.h"
#include "LanesSmall.h"
#include "LanesKQuants.h"
#include "LanesIQ4.h"
#include "LanesGrid.h"
#include "LanesIQ1.h"

const struct port_block_kernels PATH_BLOCKS[PORT_BLOCK_COUNT] = {
  [PORT_Q4_0] = {encode_q4_0, port_decode_q4_0},
  [PORT_Q4_1] = {encode_q4_1, port_decode_q4_1},
  [PORT_Q5_0] = {encode_q5_0, port_decode_q5_0},
  [PORT_Q5_1] = {encode_q5_1, port_decode_q5_1},
  [PORT_Q8_0] = {encode_q8_0, port_decode_q8_0},
  [PORT_Q2_K] = {encode_q2_k, port_decode_q2_k},
  [PORT_Q3_K] = {encode_q3_k, port_decode_q3_k},
  [PORT_Q4_K] = {encode_q4_k, port_decode_q4_k},
  [PORT_Q5_K] = {encode_q5_k, port_decode_q5_k},
  [PORT_Q6_K] = {encode_q6_k, port_decode_q6_k},
  [PORT_IQ2_XXS] = {encode_iq2_xxs, port_decode_iq2_xxs},
  [PORT_IQ2_XS] = {encode_iq2_xs, port_decode_iq2_xs},
  [PORT_IQ2_S] = {encode_iq2_s, port_decode_iq2_s},
  [PORT_IQ3_XXS] = {encode_iq3_xxs, port_decode_iq3_xxs},
  [PORT_IQ3_S] = {encode_iq3_s, port_decode_iq3_s},
  [PORT_IQ1_S] = {encode_iq1_s, port_decode_iq1_s},
  [PORT_IQ1_M] = {encode_iq1_m, port_decode_iq1_m},
  [PORT_IQ4_NL] = {encode_iq4_nl, port_decode_iq4_nl},
  [PORT_IQ4_XS] = {encode_iq4_xs, port_decode_iq4_xs},
  [PORT_TQ1_0] = {encode_tq1_0, port_decode_tq1_0},
  [PORT_TQ2_0] = {encode_tq2_0, port_decode_tq2_0},
  [PORT_MXFP4] = {encode_mxfp4, port_decode_mxfp4},
  [PORT_NVFP4] = {encode_nvfp4, port_decode_nvfp4},
  [PORT_Q1_0] = {encode_q1_0, port_decode_q1_0},
  [PORT_Q2_0] = {encode_q2_0, port_decode_q2_0},
};
