// The table of a path, from the bodies compiled for it; TABLE is its name. A path may have written
// the three that bound the speed of int8 by hand.

#ifndef SCALE_F8E4M3
#define SCALE_F8E4M3 body_scale_f8e4m3
#define GREATEST body_greatest
#define F32_TO_INTEGERS body_f32_to_integers
#endif

const struct port_matrix_kernels TABLE = {
  .f8e4m3_to_f32 = body_f8e4m3_to_f32,
  .scale_f8e4m3 = SCALE_F8E4M3,
  .greatest = GREATEST,
  .f32_to_integers = F32_TO_INTEGERS,
  .f32_to_scaled_f8e4m3 = body_f32_to_scaled_f8e4m3,
  .sum = body_sum,
  .f32_to_mxfp8 = body_f32_to_mxfp8,
  .f32_to_mxfp4 = body_f32_to_mxfp4,
};
