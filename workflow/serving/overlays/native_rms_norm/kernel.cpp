// Root-mean-square norm over the last dimension: one pass for the sum of squares, one to scale.
#include <ATen/ATen.h>
#include <torch/library.h>

#include <cmath>

namespace {

at::Tensor rms_norm(const at::Tensor& hidden, const at::Tensor& weight, double epsilon) {
  TORCH_CHECK(hidden.device().is_cpu() && hidden.scalar_type() == at::kFloat, "rms_norm: float32 on the CPU only");
  TORCH_CHECK(weight.scalar_type() == at::kFloat && weight.dim() == 1, "rms_norm: the weight is one row of float32");
  TORCH_CHECK(hidden.dim() > 0 && hidden.size(-1) == weight.size(0), "rms_norm: rows and weight differ in length");
  const at::Tensor rows = hidden.contiguous();
  const at::Tensor scale = weight.contiguous();
  at::Tensor out = at::empty_like(rows);
  const int64_t width = rows.size(-1);
  const int64_t count = width == 0 ? 0 : rows.numel() / width;
  const float* in = rows.const_data_ptr<float>();
  const float* by = scale.const_data_ptr<float>();
  float* to = out.data_ptr<float>();
  for (int64_t row = 0; row < count; ++row, in += width, to += width) {
    float sum = 0.0f;
#pragma omp simd reduction(+ : sum)
    for (int64_t at = 0; at < width; ++at) sum += in[at] * in[at];
    const float factor = 1.0f / std::sqrt(sum / static_cast<float>(width) + static_cast<float>(epsilon));
    for (int64_t at = 0; at < width; ++at) to[at] = by[at] * (in[at] * factor);
  }
  return out;
}

}  // namespace

TORCH_LIBRARY(countersign_native, library) { library.def("rms_norm(Tensor hidden, Tensor weight, float epsilon) -> Tensor"); }
TORCH_LIBRARY_IMPL(countersign_native, CPU, library) { library.impl("rms_norm", rms_norm); }
