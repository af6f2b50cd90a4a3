#include "Blocks.h"

void port_encode_each(
  const struct port_rows *rows, uint8_t *to, const struct port_codebook *codebook,
  int element_count, int byte_count, int row_energy, block_encoder encode
) {
  const uint8_t *from = rows->values;
  const uint8_t *importance = rows->importance;
  for (size_t row = 0; row < rows->row_count; row++, from += 4 * rows->row_length) {
    float values[SUPER], weights[SUPER];
    size_t bytes = 4 * (size_t)element_count;
    struct block block = {values, importance ? weights : NULL, 0, codebook};
    if (importance && row_energy) {
      float sum = 0;
      for (size_t i = 0; i < rows->row_length; i++) {
        float x;
        memcpy(&x, from + 4 * i, sizeof x);
        sum += x * x;
      }
      block.row_mean_square = sum / (float)rows->row_length;
    }
    for (size_t start = 0; start < rows->row_length; start += (size_t)element_count) {
      memcpy(values, from + 4 * start, bytes);
      if (importance) memcpy(weights, importance + 4 * start, bytes);
      encode(&block, to);
      to += byte_count;
    }
  }
}
